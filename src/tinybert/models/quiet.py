"""Load with transformers without its bars and reports, and say in one line what cannot be read."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from tinybert.errors import ModelError
from tinybert.models.making import making

COPY = "; copy it here once more, or save the model again"
_UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, SafetensorError, ImportError, TypeError)
_PACKAGE = re.compile(r"(?:need to install|requires the|The) ([\w-]+) ?(?:to|dictionary|library|package)")


@contextmanager
def quietly(path: str | Path, what: str = "cannot be read") -> Generator[None]:
    """Load without bars and reports on the terminal, and turn what goes wrong into a ModelError.

    One thread at a time does.

    Args:
        path: The checkpoint, for the message.
        what: Begins the message.
    """
    with making(None), _without_reports():
        try:
            yield
        except _UNREADABLE as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            damaged = _unparsable(path)
            reason = f"{damaged}: not valid JSON{COPY}" if damaged else f"{lines[0]}{_fix(error)}"
            raise ModelError(str(path), f"{what}: {reason}") from error


@contextmanager
def _without_reports() -> Generator[None]:
    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


def _unparsable(path: str | Path) -> str | None:
    """Return the JSON file that a folder cannot be loaded for: ``transformers`` does not name it."""
    for file in sorted(Path(path).glob("*.json")):
        try:
            json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return file.name
    return None


def _fix(error: Exception) -> str:
    """Say what usually helps; a safetensors header that cannot be read is nearly always a cut copy."""
    if isinstance(error, SafetensorError):
        return "; the weights are cut short or damaged: copy them again"
    if isinstance(error, ImportError):
        found = _PACKAGE.search(str(error))
        package = error.name or (found[1] if found else "")
        return f"; run: pip install {package.replace('_', '-')}" if package else ""
    return ""
