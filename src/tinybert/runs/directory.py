"""The run directory: the only artefact.

A run grows in ``.NAME.partial`` beside its final place, step by step; each finished step leaves a mark, so
the same command goes on after a kill. When all is written the folder is renamed. What stands under the
final name is therefore always whole.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO, cast

from tinybert.config import Recipe, dump_recipe, load_recipe
from tinybert.errors import RecipeError, RunError, TinyBertError

Json = dict[str, object]
Inputs = Mapping[str, str]

NO_INPUTS: Inputs = {}
RECIPE, INPUTS, METRICS, LOG, REPORT = (
    "recipe.yaml",
    "inputs.json",
    "metrics.json",
    "log.jsonl",
    "report.md",
)
WORK, CHECKPOINTS, LOCK = "work", "checkpoints", "lock"
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
        lines = (self.path / LOG).read_text(encoding="utf-8").splitlines()
        return [cast(dict[str, float], json.loads(line)) for line in lines if line]

    @property
    def inputs(self) -> Inputs:
        """The content of ``inputs.json``: name → digest."""
        file = self.path / INPUTS
        return cast(Inputs, read_json(file)) if file.exists() else NO_INPUTS

    @property
    def recipe(self) -> Recipe:
        """The fully resolved recipe."""
        return load_recipe(self.path / RECIPE)


def is_run(path: str | Path) -> bool:
    """True when a folder is a finished run of ours."""
    return (Path(path) / RECIPE).is_file() and (Path(path) / METRICS).is_file()


def open_run(path: str | Path) -> Run:
    """Return a finished run.

    Raises:
        RunError: There is none; says so when an unfinished one stands there.
    """
    if is_run(path):
        return Run(Path(path))
    if partial_path(Path(path)).exists():
        raise RunError(str(path), "this run is not finished; give the command that began it again to go on")
    raise RunError(str(path), "not a run directory (it holds recipe.yaml and metrics.json)")


def partial_path(out: Path) -> Path:
    """Return where a run lives until it is finished."""
    return out.parent / f".{out.name}.partial"


def lock(folder: Path, *, subject: str) -> TextIO | None:
    """Keep a second process out of a folder until the file that is returned is closed.

    Returns:
        None where the system has no file locks.

    Raises:
        RunError: Another process works there.
    """
    return hold(folder / LOCK, subject=subject)


def hold(path: Path, *, subject: str) -> TextIO | None:
    """Keep a second process from a file, as :func:`lock` does from a folder; what is in it stays.

    Raises:
        RunError: Another process has it.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        file = path.open("a")
    except FileNotFoundError as error:
        raise RunError(subject, "another process has just put this away; give the command again") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise RunError(subject, "another process is making this just now") from error
    return file


class RunInProgress:
    """A run being made; ``with`` begins it and, at the end, lets others in again.

    Args:
        out: The final place.
        recipe: What is done; a partial run of another recipe is refused.
        inputs: What it is made from: name → digest. A partial run made from other inputs is refused.
    """

    def __init__(self, out: Path, recipe: Recipe, inputs: Inputs = NO_INPUTS) -> None:
        self.out = out
        self.recipe = recipe
        self.inputs = inputs
        self.path = partial_path(out)
        self.lock_file: TextIO | None = None

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # by hand: a kept traceback (a notebook's) would keep the file, and so the lock, alive
        if self.lock_file is not None:
            self.lock_file.close()
        if isinstance(error, TinyBertError) and not self._has_products():
            shutil.rmtree(self.path, ignore_errors=True)  # the mended command may well have other settings

    def begin(self) -> None:
        """Make the folder, or find it half done by the same recipe.

        Raises:
            RunError: Something else is in the way.
        """
        if not _is_free(self.out):
            other = _differences(self.out, self.recipe, self.inputs) if is_run(self.out) else []
            made = f", made with {_other(other)}" if other else ""
            raise RunError(str(self.out), f"already exists{made}; choose another --out, or delete it first")
        recipe_file = self.path / RECIPE
        if recipe_file.exists() and (other := _differences(self.path, self.recipe, self.inputs)):
            raise RunError(
                str(self.out),
                f"an unfinished run with {_other(other)} is in {self.path}; give its command again to go on, "
                "delete that folder, or choose another --out",
            )
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            self.lock_file = lock(self.path, subject=str(self.out))
            write_json(self.path / INPUTS, self.inputs)
            write_text(recipe_file, dump_recipe(self.recipe))
        except OSError as error:
            raise RunError(str(self.out), f"cannot write here: {error.strerror or error}") from error

    def _has_products(self) -> bool:
        """True when a step has left something that took time: a model, or checkpoints on the way to one."""
        return any(self.work.glob("*/model")) or any(self.work.glob(f"*/{CHECKPOINTS}/*"))

    @property
    def work(self) -> Path:
        """Where steps keep what the finished run does not need."""
        return self.path / WORK

    def step(self, name: str, make: Callable[[Path], Json]) -> tuple[Path, Json]:
        """Do a step once: return its folder and what it said, from disk when it is already done.

        Args:
            name: The step's folder in ``work/``.
            make: Fills the folder (which may be half full after a kill) and returns plain facts.
        """
        folder = self.work / name
        mark = folder / "done.json"
        if not mark.exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_json(mark, make(folder))
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)  # not before: a kill now would cost it all
        return folder, cast(Json, json.loads(mark.read_text(encoding="utf-8")))

    def log(self, entries: list[Json]) -> None:
        """Write the rows of ``log.jsonl``."""
        lines = [json.dumps(entry, ensure_ascii=False) for entry in entries]
        write_text(self.path / LOG, "\n".join(lines) + "\n")

    def finish(self, metrics: Json) -> Run:
        """Write ``metrics.json``, drop the work folder and give the run its name."""
        write_json(self.path / METRICS, metrics | {"environment": environment()})
        return _named(self.path, self.out)


def _named(partial: Path, out: Path) -> Run:
    """Drop the work folder of a run that is whole, and give it its name."""
    shutil.rmtree(partial / WORK, ignore_errors=True)
    if out.exists():
        out.rmdir()
    partial.replace(out)
    (out / LOCK).unlink(missing_ok=True)
    return Run(out)


def _is_free(out: Path) -> bool:
    return not out.exists() or (out.is_dir() and not any(out.iterdir()))


def finished_run(out: Path, recipe: Recipe, inputs: Inputs = NO_INPUTS) -> Run | None:
    """Return the run at ``out`` when it is finished, by exactly this recipe, from exactly these inputs.

    One that was killed when all was written and only the clearing away was left gets its name.
    """
    partial = partial_path(out)
    if (partial / METRICS).is_file() and _is_free(out) and not _differences(partial, recipe, inputs):
        held = lock(partial, subject=str(out))
        _named(partial, out)
        if held is not None:
            held.close()
    return Run(out) if is_run(out) and not _differences(out, recipe, inputs) else None


def _differences(folder: Path, recipe: Recipe, inputs: Inputs) -> list[str]:
    """Return what a run on disk has other than this recipe and these inputs."""
    its = Run(folder).inputs
    try:  # read, not compared as text: a setting that came later had its default then
        same = dump_recipe(Run(folder).recipe) == dump_recipe(recipe)
    except RecipeError:
        same = False
    names = sorted({*its, *inputs})
    return ([] if same else ["settings"]) + [name for name in names if its.get(name) != inputs.get(name)]


def _other(names: list[str]) -> str:
    return " and ".join(f"other {name}" for name in names)


def environment() -> Json:
    """Return versions and machine, so that a figure can be read years later."""
    return {
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "machine": platform.machine(),
        "num_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def read_json(path: Path) -> Json:
    """Read a JSON object of a run.

    Raises:
        RunError: It is damaged.
    """
    try:
        return cast(Json, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise RunError(str(path), f"damaged ({error}); delete the run, or choose another --out") from error


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(path.name + ".partial")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
