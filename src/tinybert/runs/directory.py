"""The run directory: the only artefact.

A run is an output that grows step by step; each finished step leaves a mark, so the same command resumes it
after a kill.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tinybert.checksums import (
    WEIGHTS,
    describe_damage,
    find_damage,
    is_recorded,
    names_below,
    record_file,
    write_checksums,
    write_model_checksums,
)
from tinybert.config import (
    NO_GROUP,
    Recipe,
    dump_recipe,
    given_settings,
    load_recipe,
    settings,
    with_settings,
)
from tinybert.console import warn
from tinybert.errors import RecipeError, RunError, TinyBertError
from tinybert.storage import WORK, Json, Output, partial_path, read_json, whole, write_json, write_text

Inputs = Mapping[str, str]

NO_INPUTS: Inputs = {}
RECIPE, INPUTS_FILE, METRICS = "recipe.yaml", "inputs.json", "metrics.json"
LOG, REPORT, CHECKPOINTS = "log.jsonl", "report.md", "checkpoints"
TRAIN_ROWS = "train_rows.npy"
DONE = "done.json"
PACKAGES = ("tinybert", "torch", "transformers", "datasets", "accelerate", "tokenizers", "numpy")


@dataclass(frozen=True)
class Run:
    """A finished run."""

    path: Path

    @property
    def metrics(self) -> Json:
        """The content of ``metrics.json``."""
        return read_json(self.path / METRICS)

    @property
    def log(self) -> list[dict[str, float]]:
        """The rows of ``log.jsonl``."""
        try:
            lines = (self.path / LOG).read_text(encoding="utf-8").splitlines()
            if not lines:
                raise ValueError("it is empty")
            return [cast(dict[str, float], json.loads(line)) for line in lines if line]
        except (OSError, ValueError) as error:
            raise RunError(str(self.path / LOG), f"damaged ({error}); copy it here once more") from error

    @property
    def inputs(self) -> Inputs:
        """The content of ``inputs.json``: name → digest."""
        file = self.path / INPUTS_FILE
        return cast(Inputs, read_json(file)) if file.exists() else NO_INPUTS

    @property
    def train_rows(self) -> NDArray[np.uint64] | None:
        """Hashes of the rows it was trained on, rising; None where they are missing or damaged.

        Earlier versions kept none.
        """
        file = self.path / TRAIN_ROWS
        if not file.is_file() or find_damage(self.path, (TRAIN_ROWS,)):
            return None
        try:
            return np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None

    @property
    def recipe(self) -> Recipe:
        """The fully resolved recipe.

        Earlier versions split all rows text by text; they wrote down every other setting of the data.
        """
        recipe = load_recipe(self.path / RECIPE)
        given = recipe.data.model_fields_set
        return with_settings(recipe, {"data.group": NO_GROUP}) if given and "group" not in given else recipe


def is_run(path: str | Path) -> bool:
    """True when a folder is a finished run of ours."""
    return (Path(path) / RECIPE).is_file() and (Path(path) / METRICS).is_file()


def missing_files(path: str | Path) -> list[str]:
    """Return what lacks of a finished run's notes on itself; nothing where a folder has none of them."""
    missing = [name for name in (RECIPE, INPUTS_FILE, METRICS) if not (Path(path) / name).is_file()]
    return missing if len(missing) < 3 else []


def open_run(path: str | Path) -> Run:
    """Return a finished run.

    Raises:
        RunError: There is none; reported when an unfinished one is there.
    """
    if is_run(path):
        return Run(Path(path))
    if partial_path(Path(path)).exists():
        raise RunError(str(path), "this run is not finished; give the command that began it again to resume")
    raise RunError(str(path), "not a run directory (it holds recipe.yaml and metrics.json)")


class RunInProgress(Output):
    """A run being made: an output that is done step by step.

    Args:
        out: The final place.
        recipe: What is done; a run of another recipe is refused.
        inputs: What it is made from: name → digest. A run made from other inputs is refused.
        is_comparable: False where the inputs are a pipe.
    """

    def __init__(
        self, out: Path, recipe: Recipe, inputs: Inputs = NO_INPUTS, *, is_comparable: bool = True
    ) -> None:
        made_from = {"recipe": settings(recipe), "inputs": inputs}
        super().__init__(out, made_from, report=METRICS, keep=_took_time, is_comparable=is_comparable)
        self.recipe, self.inputs = recipe, inputs
        self.note, self.is_noted = RECIPE, True

    def known(self, *, is_finished: bool) -> Json | None:
        """Return the recipe and the inputs of a run on disk.

        The recipe is read, not compared as text: a setting that came later had its default then. Earlier
        versions also wrote down what a stage does not read; that is not compared.
        """
        run = Run(self.target if is_finished else self.path)
        if not (run.path / RECIPE).exists() or (is_finished and not is_run(run.path)):
            return None
        if self.inputs and not (run.path / INPUTS_FILE).exists():
            raise RunError(str(run.path / INPUTS_FILE), "missing")
        if is_finished and (damage := find_damage(run.path)):
            raise RunError(str(run.path / next(iter(damage))), "damaged")
        try:
            read = given_settings(self.recipe)
            ours, theirs = settings(self.recipe), settings(run.recipe)
            recipe = {name: (theirs if name in read else ours)[name] for name in ours}
        except RecipeError as error:
            raise RunError(str(run.path / RECIPE), f"damaged, or of another version ({error})") from error
        return {"recipe": recipe, "inputs": run.inputs}

    def look(self) -> None:
        """Say what the run would find, and which of its finished steps would be done again.

        Raises:
            RunError: Something else is in the way, or what is half made cannot be resumed.
        """
        super().look()
        for folder in sorted(self.work.glob("*/")):
            if self.metadata is None and (damage := _step_damage(folder)):
                warn(f"{folder}: damaged ({describe_damage(damage)}); this step would be done again")

    def mark(self) -> None:
        """Write recipe and inputs."""
        write_json(self.path / INPUTS_FILE, self.inputs)
        write_text(self.path / RECIPE, dump_recipe(self.recipe))

    @property
    def finished(self) -> Run | None:
        """The run, where it is finished already."""
        return None if self.metadata is None else Run(self.target)

    def step(self, name: str, make: Callable[[Path], Json]) -> tuple[Path, Json]:
        """Do a step once: return its folder and its metadata, from disk when it is already done.

        A step whose files were damaged since is done again.

        Args:
            name: The step's folder in ``work/``.
            make: Fills the folder (which may be half full after a kill) and returns its metadata.
        """
        folder = self.work / name
        if damage := _step_damage(folder):
            warn(f"{folder}: damaged ({describe_damage(damage)}); this step is done again")
            shutil.rmtree(folder)
        if not (folder / DONE).exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / DONE, make(folder))
            write_checksums(folder, names_below(folder, but=(CHECKPOINTS,)))
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)  # not before: a kill now would cost it all
        return folder, read_json(folder / DONE)

    def log(self, entries: list[Json]) -> None:
        """Write the rows of ``log.jsonl``."""
        lines = [json.dumps(entry, ensure_ascii=False) for entry in entries]
        write_text(self.path / LOG, "\n".join(lines) + "\n")

    def keep_train_rows(self, hashes: NDArray[np.uint64]) -> None:
        """Write the hashes of the rows that were trained on: 8 bytes each, and no text."""
        with whole(self.path / TRAIN_ROWS) as partial, partial.open("wb") as file:
            np.save(file, np.unique(hashes), allow_pickle=False)

    def finish(self, metrics: Json) -> Run:
        """Write checksums and ``metrics.json``, drop the work folder and give the run its name."""
        for folder in {file.parent for depth in ("", "*/") for file in self.path.glob(depth + WEIGHTS)}:
            write_model_checksums(folder)
        if (self.path / TRAIN_ROWS).exists():
            record_file(self.path / TRAIN_ROWS)
        self.commit(metrics | {"environment": environment()})
        return Run(self.target)


def _step_damage(folder: Path) -> dict[str, str]:
    """Return what is wrong with the files of a finished step: file → what."""
    if not (folder / DONE).exists() and not is_recorded(folder / DONE):
        return {}  # not finished: what made it looks at what it keeps
    if damage := find_damage(folder):
        return damage
    try:
        read_json(folder / DONE)
    except RunError as error:
        return {DONE: error.problems[0]}
    return {}


def _took_time(path: Path, error: BaseException | None) -> bool:
    """Return whether an unfinished run is kept.

    After a mistake of the user's, only where a step has left a model, or checkpoints on the way to one: the
    corrected command may well have other settings.
    """
    is_mistake = isinstance(error, TinyBertError)
    return not is_mistake or any(path.glob(f"{WORK}/*/model")) or any(path.glob(f"{WORK}/*/{CHECKPOINTS}/*"))


def environment() -> Json:
    """Return versions and machine, so that a figure can be read years later."""
    return {
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "machine": platform.machine(),
        "num_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
