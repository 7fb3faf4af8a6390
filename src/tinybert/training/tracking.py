"""Where TensorBoard, Weights & Biases and trackio put a run's curves: in the run, by default."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tinybert.errors import MissingExtraError, RecipeError

FOLDERS = {"tensorboard": "TENSORBOARD_LOGGING_DIR", "wandb": "WANDB_DIR", "trackio": "TRACKIO_DIR"}
"""Tracker → the environment variable that says where it writes; a value the user set is kept."""


def check_trackers(trackers: Sequence[str]) -> None:
    """Say which tracker is not installed.

    Raises:
        MissingExtraError: With the line that installs it.
    """
    for tracker in trackers:
        if importlib.util.find_spec(tracker) is None:
            raise MissingExtraError(tracker, "track")


@contextmanager
def tracked(trackers: Sequence[str], folder: Path, name: str) -> Generator[None]:
    """Point the trackers into a folder for one training, and close what they opened.

    Args:
        trackers: Names.
        folder: The run's folder.
        name: The training, one curve each.

    Raises:
        RecipeError: Weights & Biases cannot be used as it is set up.
    """
    before = {FOLDERS[tracker]: os.environ.get(FOLDERS[tracker]) for tracker in trackers}
    for tracker in trackers:
        place = folder / "tensorboard" / name if tracker == "tensorboard" else folder
        os.environ.setdefault(FOLDERS[tracker], str(place.resolve()))
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "wandb":
            raise
        raise RecipeError(
            "train.trackers", f"wandb: {error}; log in with `wandb login`, or set WANDB_MODE=offline"
        ) from error
    finally:
        for tracker in trackers:
            if tracker in ("wandb", "trackio") and tracker in sys.modules:
                sys.modules[tracker].finish()
        for variable, value in before.items():
            if value is None:
                os.environ.pop(variable, None)
