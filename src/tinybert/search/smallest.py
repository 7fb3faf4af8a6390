"""The smallest student within a budget: milliseconds, megabytes, and how much of its teacher.

What a shape costs does not depend on its weights: each is measured with random ones before anything is
trained. What is too slow or too large is out. The rest is trained by rising size, until one keeps enough of
its teacher.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

from datasets import Dataset

from tinybert.config import GENERAL, Recipe, TeacherSection, settings, with_settings
from tinybert.console import say
from tinybert.errors import BudgetError, ModelError, RecipeError
from tinybert.evaluation.report import plain_table
from tinybert.inference.backends import parse_backend
from tinybert.inference.bench import score_of
from tinybert.inference.exports import EXPORTS
from tinybert.inference.predictor import Predictor
from tinybert.models import describe, load_config
from tinybert.models.shapes import BUILTIN as SHAPES
from tinybert.objectives import HARD
from tinybert.runs import Run
from tinybert.search.budget import NOT_TRAINED, WITHIN, Budget, Candidate, budget_table
from tinybert.search.folder import REPORT, SearchFolder
from tinybert.search.measuring import latency_ms, machine, measure_shapes, size_mb
from tinybert.stages.export import export
from tinybert.stages.pipeline import make_plan, quiet_libraries, run_recipe
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.plan.losses import LABEL_SETTINGS
from tinybert.stages.plan.teacher import FINE_TUNING_SETTINGS
from tinybert.stages.stage import unnamed
from tinybert.stages.steps.finish import evaluation_split, scored_rows
from tinybert.stages.steps.prepare import load_rows
from tinybert.training import one_at_a_time

TEACHER = "teacher"


@one_at_a_time()
def distill_within(
    recipe: Recipe,
    out: Path | None,
    budget: Budget,
    *,
    shapes: Sequence[str] = (),
    source: object = None,
    dry_run: bool = False,
) -> Run:
    """Find, train and export the smallest student within a budget.

    All that was trained is in ``OUT.budget``, with the whole table; the student becomes ``OUT``. The same
    call resumes after a kill.

    Args:
        recipe: Of the distillation; its student's shape is replaced.
        out: The run directory.
        budget: What is asked.
        shapes: Which to try; all named ones that are not larger than the teacher when empty.
        source: Rows given as Python objects; otherwise ``recipe.data.path`` is read.
        dry_run: Measure, print the table, train nothing.

    Raises:
        BudgetError: No student is within the budget; the nearest is named.
        RecipeError: The recipe has no teacher that could be scored.
        RunError: A search for something else is there.
    """
    quiet_libraries()
    budget.check()
    if out is None:
        raise unnamed()
    rows = recipe.data.path if source is None else source
    names = _shapes(recipe, shapes)
    with SearchFolder(out, recipe, budget, shapes=names, rows=rows) as folder:
        if folder.metadata is not None:
            return Run(out)
        search = _Search(folder, rows)
        table = search.table(names, dry_run=dry_run)
        return Run(out) if dry_run else search.winner(table)


def _shapes(recipe: Recipe, shapes: Sequence[str]) -> list[str]:
    """Return what is tried.

    Raises:
        RecipeError: There is no teacher whose score a student could be compared with.
    """
    if recipe.stage == GENERAL:
        raise RecipeError("recipe", "stage = 'general': has no score to keep; a budget needs a task")
    if recipe.teacher.path is None:
        raise RecipeError(
            "recipe", "teacher.path is missing; give --teacher a run, a checkpoint or bundled:minilm"
        )
    if recipe.student.vocabulary == "trim":
        raise RecipeError(
            "recipe",
            "student.vocabulary = 'trim': a budget measures students before the rows are read; trim the "
            "teacher first (tinybert trim TEACHER TEXT --out runs/trimmed) and give it as --teacher",
        )
    teacher = _plan(recipe).teacher
    if teacher.kind == "file":
        raise RecipeError(
            teacher.path, "a file of soft labels has no score to keep; a budget needs a model as the teacher"
        )
    source = recipe.student.source
    info = describe(load_config(source)) if source is not None else teacher.info
    return list(shapes) or [
        name
        for name, shape in SHAPES.items()
        if info is None
        or (shape.num_hidden_layers <= info.num_hidden_layers and shape.hidden_size <= info.hidden_size)
    ]


def _plan(recipe: Recipe) -> DistillPlan:
    return cast(DistillPlan, make_plan(recipe))


class _Search:
    """One search: its folder, which knows recipe and budget, and its rows."""

    def __init__(self, folder: SearchFolder, rows: object) -> None:
        self.folder, self.recipe, self.budget, self.rows = folder, folder.recipe, folder.budget, rows
        self.task = _plan(folder.recipe).task
        self.data = load_rows(
            rows, folder.recipe, self.task, work_dir=folder.path / "rows", allow_unlabelled=True
        )

    def table(self, names: Sequence[str], *, dry_run: bool) -> list[Candidate]:
        """Measure all shapes and return them with their verdicts.

        Raises:
            BudgetError: None fits.
        """
        plans = {name: _plan(self._with(name)) for name in names}
        found = self.folder.measured(machine(), lambda work: measure_shapes(plans, self.data, work))
        table = [replace(each, verdict=self.budget.verdict(each)) for each in found]
        say("\n" + plain_table(budget_table(table)))
        if not dry_run:
            self.folder.write_table(table)
        if not any(each.verdict == NOT_TRAINED for each in table):
            self.folder.forget()
            nearest = min(table, key=self.budget.excess)
            raise BudgetError(
                "budget",
                f"no student fits, so none was trained; the nearest is {nearest.shape} on {nearest.engine}: "
                f"{nearest.latency_ms:.2f} ms, {nearest.size_mb:.1f} MB",
            )
        return table

    def winner(self, table: list[Candidate]) -> Run:
        """Train what fits, the smallest first, until one keeps enough.

        Raises:
            BudgetError: None does; the nearest is named.
        """
        trained: list[Candidate] = []
        for index, candidate in enumerate(table):
            if candidate.verdict != NOT_TRAINED:
                continue
            table[index] = self._trained(candidate)
            self.folder.write_table(table)
            if table[index].verdict == WITHIN:
                return self._finished(index, table)
            trained.append(table[index])
        best = max(trained, key=lambda each: each.retention or 0)
        raise BudgetError(
            str(self.folder.target),
            f"no student keeps {self.budget.min_retention:.1%} of its teacher within the limits; the nearest "
            f"is {best.shape} on {best.engine}: {best.retention or 0:.1%}, {best.latency_ms:.2f} ms, "
            f"{best.size_mb:.1f} MB ({self.folder.student(best.shape)}); the whole table: "
            f"{self.folder.path / REPORT}",
        )

    def _trained(self, candidate: Candidate) -> Candidate:
        """Return a candidate trained (unless its shape is already), exported, scored and measured again."""
        self.folder.save_state(begun=True)
        recipe = self._with_teacher(self._with(candidate.shape))
        run = cast(Run, run_recipe(recipe, self.folder.student(candidate.shape), source=self.rows))
        if problem := self._export_problem(run, candidate.engine):
            return replace(candidate, verdict=f"not exported: {problem}")
        predictor = Predictor(run.path, backend=candidate.engine, labels=self.data.labels, task=self.task)
        score, teacher = _scores(predictor, run, _labelled(self.data.splits["validation"]))
        trained = replace(
            candidate,
            score=score,
            retention=score / teacher if teacher > 0 else 0.0,
            latency_ms=latency_ms(predictor, self.data),
            size_mb=size_mb(predictor),
        )
        return replace(trained, verdict=self.budget.verdict(trained))

    def _export_problem(self, run: Run, engine: str) -> str:
        """Export a run for an engine; return why it cannot be, or nothing."""
        backend, precision = parse_backend(engine)
        data = None if isinstance(self.rows, str | Path) else self.rows
        if backend == "torch":
            return ""
        try:
            export(
                run.path,
                format=backend,
                precision=precision,
                data=data,
                settings=self.recipe.data,
                task=self.task,
            )
        except ModelError as error:
            return error.problems[0]
        return ""

    def _with(self, shape: str) -> Recipe:
        return with_settings(self.recipe, {"student.shape": shape})

    def _with_teacher(self, recipe: Recipe) -> Recipe:
        """Return the recipe with its teacher fine-tuned, once for all shapes."""
        plan = _plan(recipe)
        if plan.teacher.kind != "encoder":
            return recipe
        made = run_recipe(_teacher_recipe(self.recipe), self.folder.path / TEACHER, source=self.rows)
        done = {f"teacher.{name}": getattr(TeacherSection(), name) for name in FINE_TUNING_SETTINGS}
        if HARD not in plan.losses and "fine_tune_only" not in plan.baselines:
            unset = settings(Recipe())
            done |= {name: unset[name] for name in LABEL_SETTINGS}
        return with_settings(recipe, {"teacher.path": str(made.path), **done})

    def _finished(self, index: int, table: list[Candidate]) -> Run:
        """Make the winner the run that was asked for, with the export that won and no other."""
        winner, out = table[index], self.folder.target
        run = Run(self.folder.student(winner.shape))
        split = evaluation_split(self.data)
        rows, _ = scored_rows(self.data, split)
        predictor = Predictor(run.path, backend=winner.engine, labels=self.data.labels, task=self.task)
        score, teacher = _scores(predictor, run, rows)
        share = score / teacher if teacher > 0 else 0.0
        table[index] = replace(winner, test_retention=share)
        self.folder.write_table(table)
        copy = out.with_name(f".{out.name}.copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(run.path, copy, ignore=shutil.ignore_patterns(EXPORTS))
        if winner.engine != "torch":
            shutil.copytree(run.path / EXPORTS / winner.engine, copy / EXPORTS / winner.engine)
        shutil.copyfile(self.folder.path / REPORT, copy / REPORT)
        self.folder.save_state(kept=asdict(self.budget))
        copy.replace(out)
        say("\n" + plain_table(budget_table(table)))
        say(f"\nthe smallest within the budget: {winner.shape} on {winner.engine}")
        say(f"on the {split} split it keeps {share:.1%} of its teacher")
        return Run(out)


def _scores(predictor: Predictor, run: Run, rows: Dataset) -> tuple[float, float]:
    """Return a student's score and its teacher's on the same rows."""
    path = str(run.recipe.teacher.path)
    task = predictor.task
    teacher = Predictor(
        path,
        backend="torch",
        max_length=predictor.max_length,
        labels=predictor.labels,
        task=task,
        format=task.format,
    )
    return score_of(predictor, rows), score_of(teacher, rows)


def _labelled(rows: Dataset) -> Dataset:
    return rows.filter(lambda label: label is not None, input_columns="label")


def _teacher_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe that fine-tunes the teacher as a run of its own."""
    given = {
        "stage": "finetune",
        "task": recipe.task,
        "hard_loss": recipe.hard_loss,
        "head_start": recipe.head_start,
        "model": recipe.teacher.path,
        **{f"train.{name}": getattr(recipe.teacher, name) for name in FINE_TUNING_SETTINGS},
    }
    return with_settings(Recipe(data=recipe.data, train=recipe.train), given)
