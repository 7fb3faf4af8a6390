"""Put runs, checkpoints and all their exports side by side: score, latency, throughput, memory, size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinybert.config import DataSection
from tinybert.console import say
from tinybert.errors import ModelError, RecipeError
from tinybert.evaluation.report.bench import write_bench
from tinybert.inference.bench import Measured, Subject, measure_all, subjects_of
from tinybert.inference.choice import num_threads, processor_name
from tinybert.models import load_config
from tinybert.runs import environment
from tinybert.stages.export import proof_rows
from tinybert.storage import Json
from tinybert.tasks import task_of_config


def bench(
    runs: Sequence[str | Path],
    *,
    against: Sequence[str | Path] = (),
    data: object = None,
    settings: DataSection | None = None,
    batch_sizes: Sequence[int] = (1, 32),
    out: Path | None = None,
) -> tuple[list[Measured], str]:
    """Measure runs with all their exports, and write the picture and the page.

    Args:
        runs: Runs or checkpoints.
        against: Others to stand beside them: a teacher, any checkpoint.
        data: Rows; those that the first run was validated on when None.
        settings: Columns of ``data``.
        batch_sizes: Rows a batch.
        out: Where the picture goes; ``bench`` in the first run when None.

    Returns:
        The figures, and what the score is.

    Raises:
        TinyBertError: A model, or the rows, cannot be used.
    """
    if not runs or any(size < 1 for size in batch_sizes):
        raise RecipeError("bench", "give at least one run, and batch sizes from 1 on, such as --batch 1,32")
    paths = [str(path) for path in (*runs, *against)]
    tasks = {path: task_of_config(load_config(path)) for path in paths}
    if len({task.name for task in tasks.values()}) > 1:
        listed = ", ".join(f"{path}: {task.name}" for path, task in tasks.items())
        raise ModelError("bench", f"the models answer different tasks, which have no common score ({listed})")
    subjects = [subject for path in dict.fromkeys(paths) for subject in _subjects(path, paths)]
    proof = proof_rows(Path(paths[0]), data, settings)
    found = measure_all(subjects, proof.rows, batch_sizes=batch_sizes, say=say)
    metric = f"{next(iter(tasks.values())).main_metric} ({proof.name}, {len(proof.rows):,} rows)"
    metadata: Json = {"threads": num_threads(), "processor": processor_name(), **environment()}
    write_bench(out or Path(paths[0]) / "bench", found, metric=metric, metadata=metadata)
    return found, next(iter(tasks.values())).main_metric


def _subjects(path: str, paths: Sequence[str]) -> list[Subject]:
    """Return a checkpoint's points; where two folders have one name, the folder above says which is meant."""
    name = Path(path).name
    twice = sum(Path(other).name == name for other in dict.fromkeys(paths)) > 1
    return subjects_of(path, name=f"{Path(path).parent.name}/{name}" if twice else name)
