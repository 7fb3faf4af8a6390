"""The smallest student that keeps a promise: milliseconds, megabytes, and how much of its teacher.

What a shape costs does not depend on its weights: each is made with random ones, exported, and measured
before anything is trained. What is too slow or too large is out. The rest is trained by rising size, until
one keeps enough of its teacher.
"""

from __future__ import annotations

import math
import re
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import yaml
from datasets import Dataset

from tinybert.config import GENERAL, Recipe, build_recipe, dump_recipe, settings
from tinybert.console import say
from tinybert.data import TextData, load
from tinybert.errors import BudgetError, ModelError, RecipeError
from tinybert.evaluation import markdown_table, plain_table
from tinybert.inference.backends import BUILTIN as BACKENDS
from tinybert.inference.backends import missing_packages, parse_backend
from tinybert.inference.bench import given_rows, latencies_s, model_bytes, score_of
from tinybert.inference.choice import num_threads, processor_name
from tinybert.inference.export import write_unproved
from tinybert.inference.exports import EXPORTS
from tinybert.inference.predictor import Predictor
from tinybert.models import load_config, load_tokenizer, random_start, student_config
from tinybert.models.load import count_parameters
from tinybert.models.shapes import BUILTIN as SHAPES
from tinybert.runs import METRICS, Run, digest_input
from tinybert.stages.export import export
from tinybert.stages.pipeline import make_plan, quiet_libraries, run_recipe
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.stage import unnamed
from tinybert.stages.steps.finish import labelled_evaluation_split
from tinybert.stages.steps.prepare import label_arguments
from tinybert.storage import Json, Output, read_json, write_json, write_text

ENGINES = ("onnx-int8", "openvino-int8", "torch")
"""What may answer for a student, where it is installed."""

LATENCY_ROWS = 60
STATE, REPORT, TEACHER = "budget.json", "budget.md", "teacher"
NOT_TRAINED, KEPT = "fits; not trained", "keeps the promise"


@dataclass(frozen=True)
class Promise:
    """What is asked of a student; None asks nothing.

    Attributes:
        max_latency_ms: Median milliseconds for one text a call, on this machine.
        max_size_mb: Of the model's file.
        min_retention: Its score over its teacher's.
    """

    max_latency_ms: float | None = None
    max_size_mb: float | None = None
    min_retention: float = 0.97

    def check(self) -> None:
        """Refuse what cannot be promised.

        Raises:
            RecipeError: A limit is not above 0, or the share of the score is none.
        """
        for name, value in (("--max-latency-ms", self.max_latency_ms), ("--max-size-mb", self.max_size_mb)):
            if value is not None and not 0 < value < math.inf:
                raise RecipeError(name, f"{value}: expected a number above 0")
        if not 0 < self.min_retention <= 2:
            given = self.min_retention
            raise RecipeError("--min-retention", f"{given}: expected a share of the score, such as 0.97")

    def verdict(self, candidate: Candidate) -> str:
        """Say what is wrong with a candidate, or how far it has come."""
        slow = self.max_latency_ms is not None and candidate.latency_ms > self.max_latency_ms
        large = self.max_size_mb is not None and candidate.size_mb > self.max_size_mb
        known = candidate.retention is not None
        poor = candidate.retention is not None and candidate.retention < self.min_retention
        problems = ["too slow"] * slow + ["too large"] * large + ["keeps too little"] * poor
        return " and ".join(problems) or (KEPT if known else NOT_TRAINED)


@dataclass(frozen=True)
class Candidate:
    """A shape and what answers for it.

    Attributes:
        shape: Named, or a checkpoint.
        engine: Backend.
        num_parameters: Of the student.
        size_mb: Of the model's file.
        latency_ms: For one text a call; of random weights until it is trained.
        verdict: Why it is out, or that it is in.
        score: On the validation rows, which decide; None while it is not trained.
        retention: That over the teacher's.
        test_retention: The same on the test rows, for the one that was chosen.
    """

    shape: str
    engine: str
    num_parameters: int
    size_mb: float
    latency_ms: float
    verdict: str = NOT_TRAINED
    score: float | None = None
    retention: float | None = None
    test_retention: float | None = None


def distill_within(
    recipe: Recipe,
    out: Path | None,
    promise: Promise,
    *,
    shapes: Sequence[str] = (),
    source: object = None,
    dry_run: bool = False,
) -> Run:
    """Find, train and export the smallest student that keeps a promise.

    All that was trained stands in ``OUT.budget``, with the whole table; the student becomes ``OUT``. The same
    call resumes after a kill.

    Args:
        recipe: Of the distillation; its student's shape is replaced.
        out: The run directory.
        promise: What is asked.
        shapes: Which to try; all named ones that are not larger than the teacher when empty.
        source: Rows given as Python objects; otherwise ``recipe.data.path`` is read.
        dry_run: Measure, print the table, train nothing.

    Raises:
        BudgetError: No student keeps the promise; the nearest is named.
        RecipeError: The recipe has no teacher that could be scored.
        RunError: A search for something else is there.
    """
    quiet_libraries()
    promise.check()
    if out is None:
        raise unnamed()
    rows = source if source is not None else recipe.data.path
    names = _shapes(recipe, shapes)
    with _Search(out, recipe, promise, rows, names) as search:
        if search.metadata is not None:
            return Run(out)
        data = _read(recipe, rows, search.path)
        table = [replace(each, verdict=promise.verdict(each)) for each in search.measured(data, names)]
        fitting = [each for each in table if each.verdict == NOT_TRAINED]
        say("\n" + plain_table(budget_table(table)))
        if not dry_run:
            search.written(table)
        if not fitting:
            search.forget()  # a busy machine may have been to blame: the next call measures again
        raise_if_none(table, promise, fitting)
        if dry_run:
            return Run(out)
        best: Candidate | None = None
        for candidate in fitting:
            tried = search.tried(candidate, data)
            table[table.index(candidate)] = tried
            search.written(table)
            if best is None or (tried.retention or 0) > (best.retention or 0):
                best = tried
            if tried.verdict == KEPT:
                return search.finished(tried, table, data)
        assert best is not None
        raise BudgetError(
            str(out),
            f"no student keeps {promise.min_retention:.1%} of its teacher within the limits; the nearest is "
            f"{best.shape} on {best.engine}: {best.retention or 0:.1%}, {best.latency_ms:.2f} ms, "
            f"{best.size_mb:.1f} MB ({search.folder(best.shape)}); the whole table: {search.path / REPORT}",
        )


def raise_if_none(table: Sequence[Candidate], promise: Promise, fitting: Sequence[Candidate]) -> None:
    """Say that no shape fits, and which comes nearest.

    Raises:
        BudgetError: None fits.
    """
    if fitting:
        return
    nearest = min(table, key=lambda each: _excess(each, promise))
    raise BudgetError(
        "budget",
        f"no student fits, so none was trained; the nearest is {nearest.shape} on {nearest.engine}: "
        f"{nearest.latency_ms:.2f} ms, {nearest.size_mb:.1f} MB",
    )


def _excess(candidate: Candidate, promise: Promise) -> float:
    """Return how many times too slow or too large a candidate is, whichever is worse."""
    slow = candidate.latency_ms / promise.max_latency_ms if promise.max_latency_ms else 0.0
    return max(slow, candidate.size_mb / promise.max_size_mb if promise.max_size_mb else 0.0)


def budget_table(table: Sequence[Candidate]) -> list[list[str]]:
    """Return candidates as rows of cells, the smallest first, below a header."""
    rows = [
        ["student", "engine", "parameters", "MB", "ms a text", "validation", "of teacher", "test", "verdict"]
    ]
    for each in table:
        score = "–" if each.score is None else f"{each.score:.4f}"
        share = "–" if each.retention is None else f"{each.retention:.1%}"
        cells = [each.shape, each.engine, f"{each.num_parameters:,}", f"{each.size_mb:.1f}"]
        test = "–" if each.test_retention is None else f"{each.test_retention:.1%}"
        rows.append([*cells, f"{each.latency_ms:.2f}", score, share, test, each.verdict])
    return rows


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
    teacher = _planned(recipe).teacher
    if teacher.kind == "file":
        raise RecipeError(
            str(teacher.path),
            "a file of soft labels has no score to keep; a budget needs a model as the teacher",
        )
    info = teacher.info
    return list(shapes) or [
        name
        for name, shape in SHAPES.items()
        if info is None
        or (shape.num_hidden_layers <= info.num_hidden_layers and shape.hidden_size <= info.hidden_size)
    ]


def _planned(recipe: Recipe) -> DistillPlan:
    return cast(DistillPlan, make_plan(recipe))


def _read(recipe: Recipe, rows: object, place: Path) -> TextData:
    plan = _planned(recipe)
    return load(
        rows,  # pyright: ignore[reportArgumentType]
        settings=recipe.data,
        label_kind=plan.task.label_kind,
        allow_unlabelled=True,
        work_dir=place / "rows",
    )


class _Search(Output):
    """The student that becomes ``OUT``, and ``OUT.budget``, where what is measured and trained stays."""

    def __init__(
        self, out: Path, recipe: Recipe, promise: Promise, rows: object, names: Sequence[str]
    ) -> None:
        made_from = {
            "recipe": settings(recipe),
            "shapes": list(names),
            "data": digest_input(rows),
            "budget": asdict(promise),
        }
        super().__init__(out, made_from, report=METRICS)
        self.path = out.with_name(f"{out.name}.budget")
        self.recipe, self.promise, self.rows = recipe, promise, rows

    @property
    def work(self) -> Path:
        """The same folder: nothing is cleared away."""
        return self.path

    @property
    def state(self) -> Json:
        """What is known so far."""
        file = self.path / STATE
        return read_json(file) if file.is_file() else {}

    def known(self, *, is_finished: bool) -> Json | None:
        """Return what the search in the folder is for; None where nothing is trained, and nothing to lose."""
        state = self.state
        if "made_from" not in state or not (is_finished or state.get("begun")):
            return None
        made_from = cast(Json, state["made_from"])
        try:
            recipe = settings(build_recipe(yaml.safe_load(str(made_from["recipe"]))))
        except RecipeError:
            recipe = None
        budget = state.get("kept") if is_finished else self.made_from["budget"]
        return {**made_from, "recipe": recipe, "budget": budget}

    def mark(self) -> None:
        """Note what the search is for; what was measured for another is forgotten."""
        made_from = {name: self.made_from[name] for name in ("shapes", "data")}
        made_from = {"recipe": dump_recipe(self.recipe), **made_from}
        is_same = self.state.get("begun") or self.state.get("made_from") == made_from
        write_json(self.path / STATE, {**(self.state if is_same else {}), "made_from": made_from})

    def discard(self) -> None:
        """Leave all where it is: another budget may be kept by what is trained already."""

    def measured(self, data: TextData, names: Sequence[str]) -> list[Candidate]:
        """Return every shape on every engine, by size, with its latency on this machine."""
        engines = [
            name for name in ENGINES if not missing_packages(BACKENDS[parse_backend(name)[0]], to_write=True)
        ]
        machine = f"{processor_name()}, {num_threads()} threads, {', '.join(engines)}"
        state, known = self.state, self.state.get("measured")
        if known and state.get("machine") == machine:
            return [Candidate(**each) for each in cast("list[dict[str, object]]", known)]  # pyright: ignore[reportArgumentType]
        with tempfile.TemporaryDirectory(dir=self.path) as folder:
            found = [each for name in names for each in self._made(name, engines, data, Path(folder))]
        found.sort(key=lambda each: (each.size_mb, each.latency_ms))
        self._note(measured=[asdict(each) for each in found], machine=machine)
        return found

    def _made(self, name: str, engines: Sequence[str], data: TextData, folder: Path) -> Iterator[Candidate]:
        """Yield a shape with random weights on every engine, each measured alone."""
        say(f"{name}: latency with random weights, before any training")
        checkpoint = folder / _file_name(name)
        save_random(_planned(self._with(name)), data, checkpoint)
        for engine in engines:
            place = checkpoint if engine == "torch" else write_unproved(checkpoint, *parse_backend(engine))
            predictor = Predictor(place, backend=engine, check=False)
            yield Candidate(
                name,
                engine,
                count_parameters(predictor.config),
                _size_mb(predictor),
                _latency_ms(predictor, data),
            )

    def tried(self, candidate: Candidate, data: TextData) -> Candidate:
        """Return a candidate trained (unless its shape is already), exported, scored and measured again."""
        self._note(begun=True)
        recipe = self._with(candidate.shape, taught=True)
        run = cast(Run, run_recipe(recipe, self.folder(candidate.shape), source=self.rows))
        backend, precision = parse_backend(candidate.engine)
        if backend != "torch":
            try:
                data_path = None if isinstance(self.rows, str | Path) else self.rows
                export(
                    run.path, format=backend, precision=precision, data=data_path, settings=self.recipe.data
                )
            except ModelError as error:
                return replace(candidate, verdict=f"not exported: {error.problems[0]}")
        predictor = Predictor(run.path, backend=candidate.engine, labels=data.labels)
        score, teacher = self._scores(predictor, run, _labelled(data.splits["validation"]))
        tried = replace(
            candidate,
            score=score,
            retention=score / teacher if teacher > 0 else 0.0,
            latency_ms=_latency_ms(predictor, data),
            size_mb=_size_mb(predictor),
        )
        return replace(tried, verdict=self.promise.verdict(tried))

    def _scores(self, predictor: Predictor, run: Run, rows: Dataset) -> tuple[float, float]:
        """Return a student's score and its teacher's on the same rows."""
        path = str(run.recipe.teacher.path)
        teacher = Predictor(path, backend="torch", max_length=predictor.max_length, labels=predictor.labels)
        return score_of(predictor, rows), score_of(teacher, rows)

    def folder(self, shape: str) -> Path:
        """Return where a shape is trained."""
        return self.path / _file_name(shape)

    def _with(self, shape: str, *, taught: bool = False) -> Recipe:
        """Return the recipe for one shape; its teacher, once fine-tuned, serves all of them."""
        student = self.recipe.student.model_copy(update={"shape": shape})
        recipe = self.recipe.model_copy(update={"student": student})
        if not taught or _planned(recipe).teacher.kind != "encoder":
            return recipe
        fine_tuned = run_recipe(_teacher_recipe(self.recipe), self.path / TEACHER, source=self.rows)
        teacher = recipe.teacher.model_copy(update={"path": str(fine_tuned.path)})
        return recipe.model_copy(update={"teacher": teacher})

    def written(self, table: Sequence[Candidate]) -> Sequence[Candidate]:
        """Write the table so far."""
        self._note(candidates=[asdict(each) for each in table])
        limits = asdict(self.promise)
        asked = ", ".join(f"{name} = {value}" for name, value in limits.items() if value is not None)
        text = f"# Students within a budget\n\n{asked}\n\n{markdown_table(budget_table(table))}\n"
        write_text(self.path / REPORT, text)
        return table

    def finished(self, winner: Candidate, table: list[Candidate], data: TextData) -> Run:
        """Make the winner the run that was asked for, with the export that won and no other."""
        out = self.target
        run = Run(self.folder(winner.shape))
        split, rows = labelled_evaluation_split(data)
        predictor = Predictor(run.path, backend=winner.engine, labels=data.labels)
        score, teacher = self._scores(predictor, run, rows)
        share = score / teacher if teacher > 0 else 0.0
        table[table.index(winner)] = replace(winner, test_retention=share)
        self.written(table)
        copy = out.with_name(f".{out.name}.copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(run.path, copy, ignore=shutil.ignore_patterns(EXPORTS))
        if winner.engine != "torch":
            shutil.copytree(run.path / EXPORTS / winner.engine, copy / EXPORTS / winner.engine)
        shutil.copyfile(self.path / REPORT, copy / REPORT)
        self._note(kept=asdict(self.promise))
        copy.replace(out)
        say("\n" + plain_table(budget_table(table)))
        say(f"\nthe smallest that keeps the promise: {winner.shape} on {winner.engine}")
        say(f"on the {split} split it keeps {share:.1%} of its teacher")
        return Run(out)

    def forget(self) -> None:
        """Forget what was measured."""
        self._note(measured=None)

    def _note(self, **metadata: object) -> None:
        write_json(self.path / STATE, self.state | metadata)


def save_random(plan: DistillPlan, data: TextData, folder: Path) -> None:
    """Save a plan's student with random weights and its tokenizer."""
    source = plan.source
    arguments = label_arguments(plan.task, data.labels)
    if plan.start == "checkpoint":
        config = load_config(source)
    else:
        config = student_config(
            load_config(plan.source),
            plan.shape,
            same_family=plan.start == "slice",
            **arguments,  # pyright: ignore[reportArgumentType]
        )
    model = random_start(config, seed=0)
    model.save_pretrained(folder)
    tokenizer = load_tokenizer(source)
    tokenizer.model_max_length = plan.training.max_length
    tokenizer.save_pretrained(folder)


def _teacher_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe that fine-tunes the teacher as a run of its own."""
    train = recipe.train.model_copy(
        update={"num_epochs": recipe.teacher.num_epochs, "learning_rate": recipe.teacher.learning_rate}
    )
    return Recipe(
        stage="finetune",
        task=recipe.task,
        hard_loss=recipe.hard_loss,
        model=recipe.teacher.path,
        data=recipe.data,
        train=train,
    )


def _file_name(shape: str) -> str:
    """Return a shape's name, or a checkpoint's path, as the name of a folder."""
    return re.sub(r"[^\w-]+", "_", shape).strip("_") or "student"


def _labelled(rows: Dataset) -> Dataset:
    return rows.filter(lambda label: label is not None, input_columns="label")


def _latency_ms(predictor: Predictor, data: TextData) -> float:
    _, rows = labelled_evaluation_split(data)
    chosen = rows.select(np.linspace(0, len(rows) - 1, min(len(rows), LATENCY_ROWS)).astype(int))
    (seconds,) = latencies_s([predictor], given_rows(chosen))
    return round(1000 * statistics.median(seconds), 3)


def _size_mb(predictor: Predictor) -> float:
    return round(model_bytes(predictor) / 1e6, 2)
