"""Put runs, checkpoints and all their exports side by side: score, latency, throughput, memory, size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tinybert.config import Recipe, dump_recipe
from tinybert.errors import ModelError, RecipeError
from tinybert.evaluation.report.bench import write_bench
from tinybert.inference.bench import Subject, measure_all, subjects_of
from tinybert.inference.choice import num_threads, processor_name
from tinybert.models import load_config
from tinybert.runs import environment
from tinybert.stages.export import proof_rows
from tinybert.stages.stage import Made, Plan
from tinybert.stages.steps.seen import seen_rows, warn_if_seen
from tinybert.storage import Json
from tinybert.tasks import Task, own_task, task_of_config


@dataclass(frozen=True)
class BenchPlan(Plan):
    """Everything a comparison needs to know before it loads weights.

    Attributes:
        paths: Of the models, the runs first.
        task: The one that all of them have.
    """

    paths: tuple[str, ...]
    task: Task

    @property
    def target(self) -> Path:
        """Where the picture and the page go when no folder is given."""
        return Path(self.paths[0]) / "bench"

    def inputs(self) -> dict[str, str]:
        """Return what is read besides the rows: name → path."""
        return {path: path for path in self.paths}

    def describe(self) -> str:
        """Return what is compared, and the recipe as it would be run."""
        subjects = [
            f"# {subject.name}: {subject.backend}\n"
            for subject in subjects_of_all(self.paths, self.recipe.task)
        ]
        return "".join(subjects) + dump_recipe(self.recipe)


def plan_bench(recipe: Recipe) -> BenchPlan:
    """Decide everything a comparison needs.

    Raises:
        RecipeError: There is nothing to compare.
        ModelError: The models have different tasks, or one is not there.
    """
    section = recipe.bench
    if not section.runs:
        raise RecipeError("recipe", "bench.runs is missing; give at least one run or checkpoint")
    if any(size < 1 for size in section.batch_sizes):
        raise RecipeError("recipe", f"bench.batch_sizes = {section.batch_sizes}: a batch has 1 row or more")
    paths = (*section.runs, *section.against)
    tasks = {path: task_of_config(load_config(path), named=own_task(recipe.task)) for path in paths}
    if len({task.name for task in tasks.values()}) > 1:
        listed = ", ".join(f"{path}: {task.name}" for path, task in tasks.items())
        raise ModelError("bench", f"the models have different tasks, and no common score ({listed})")
    return BenchPlan(recipe, paths, tasks[paths[0]])


def bench(plan: BenchPlan, out: Path, source: object) -> Made:
    """Measure runs with all their exports, and write the picture and the page.

    Args:
        plan: Made by :func:`plan_bench`.
        out: The folder of the picture, the page and the figures.
        source: Rows; those that the first run was validated on when None.

    Returns:
        The folder, with what ``bench.json`` holds.

    Raises:
        TinyBertError: A model, or the rows, cannot be used.
    """
    proof = proof_rows(Path(plan.paths[0]), source, plan.recipe.data, task=plan.task)
    for path in dict.fromkeys(plan.paths):
        if (seen := seen_rows(path, proof.rows)) is not None:
            warn_if_seen(path, seen, name=proof.name)
    found = measure_all(
        subjects_of_all(plan.paths, plan.recipe.task),
        proof.rows,
        batch_sizes=plan.recipe.bench.batch_sizes,
    )
    metric = f"{plan.task.main_metric} ({proof.name}, {len(proof.rows):,} rows)"
    metadata: Json = {"threads": num_threads(), "processor": processor_name(), **environment()}
    write_bench(out, found, metric=metric, metadata=metadata)
    return Made(out, {"metric": metric, **metadata, "models": [asdict(each) for each in found]})


def subjects_of_all(paths: Sequence[str], task: str) -> list[Subject]:
    """Return all models' points; where two folders have one name, the folder above says which is meant."""
    return [subject for path in dict.fromkeys(paths) for subject in _subjects(path, paths, own_task(task))]


def _subjects(path: str, paths: Sequence[str], task: str | None) -> list[Subject]:
    name = Path(path).name
    twice = sum(Path(other).name == name for other in dict.fromkeys(paths)) > 1
    return subjects_of(path, name=f"{Path(path).parent.name}/{name}" if twice else name, task=task)
