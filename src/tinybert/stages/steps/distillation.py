"""What all steps of one distillation share, and how it is made ready."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from transformers import PreTrainedModel

from tinybert.config import Recipe
from tinybert.console import say
from tinybert.data import LabelScheme, TextData
from tinybert.errors import RecipeError
from tinybert.models import load_config, load_tokenizer, random_start, student_config
from tinybert.models.tokenizers import same_tokenizer
from tinybert.runs import RunInProgress
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.plan.vocabulary import trims
from tinybert.stages.steps.copies import augmented_data
from tinybert.stages.steps.fit import precision_of
from tinybert.stages.steps.pair_start import untrained_pair
from tinybert.stages.steps.prepare import Encoded, encode_rows, label_arguments, labelled_only, load_rows
from tinybert.stages.steps.trimming import Trimmed, trim_checkpoints, with_trimmed
from tinybert.teachers import read_soft_labels


@dataclass(frozen=True)
class Distillation:
    """What all steps of one distillation share.

    Attributes:
        run: The run being made.
        plan: Of the distillation; where the vocabulary is trimmed, with the trimmed models.
        data: The rows.
        encoded: The same as the student reads them.
        bf16: What ``precision`` came out as.
        teacher_prefix: Of the columns that the teacher reads.
        trimmed: What was trimmed, if anything.
        whole_teacher: The teacher that is scored and kept, once it is fine-tuned: with its whole vocabulary.
    """

    run: RunInProgress
    plan: DistillPlan
    data: TextData
    encoded: Encoded
    bf16: bool
    teacher_prefix: str
    trimmed: Trimmed | None = None
    whole_teacher: str = ""

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return self.plan.recipe


def prepare(plan: DistillPlan, run: RunInProgress, source: object) -> Distillation:
    """Read and encode the rows of a run, after their vocabulary is trimmed where it shall be."""
    bf16 = precision_of(run) == "bf16"
    data, trimmed = read_rows(plan, source, run.work), None
    if said := labelled_note(data):
        say(said)
    if trims(plan.recipe):
        every = with_copies(plan, data, run.work, bf16=bf16) if plan.recipe.augment.copies else data
        folder, summary = run.step("vocabulary", partial(trim_checkpoints, plan, every))
        trimmed, plan = Trimmed(plan, summary), with_trimmed(plan, folder, summary)
    encoded, prefix = encode_for(plan, data, run.work)
    return Distillation(run, plan, data, encoded, bf16, prefix, trimmed)


def labelled_note(data: TextData) -> str | None:
    """Return the sentence on training rows without a label; None where all have one."""
    rows = data.splits["train"]
    without = rows.select_columns("label").with_format("arrow")[:]["label"].null_count
    if without == 0:
        return None
    return (
        f"{len(rows) - without:,} of {len(rows):,} training rows have a label; the teacher labels the others"
    )


def with_copies(plan: DistillPlan, data: TextData, folder: Path, *, bf16: bool) -> TextData:
    """Return the rows with changed copies behind the training rows; made once."""
    teacher = plan.teacher.path
    return augmented_data(
        data, plan.recipe, folder / "augmentation", embeddings_of=teacher, teacher=teacher, bf16=bf16
    )


def read_rows(plan: DistillPlan, source: object, folder: Path) -> TextData:
    """Read the rows of a distillation, and check that a file of soft labels has scores for them.

    Raises:
        DataError: See :func:`tinybert.data.load`.
    """
    recipe = plan.recipe
    data = load_rows(source, recipe, plan.task, work_dir=folder / "rows", allow_unlabelled=True)
    if plan.teacher.kind == "file":
        rows, reader = data.splits["train"], plan.task.soft_labels
        read_soft_labels(plan.teacher.path, rows, data.labels, reader=reader)  # what is wrong is reported now
    return data


def encode_for(plan: DistillPlan, data: TextData, folder: Path) -> tuple[Encoded, str]:
    """Encode rows for a distillation; return them and the prefix of the columns that the teacher reads."""
    tokenizer = load_tokenizer(plan.source)
    teacher_tokenizer = None
    if plan.teacher.kind != "file" and plan.source != plan.teacher.path:
        other = load_tokenizer(plan.teacher.path)
        teacher_tokenizer = None if plan.task.writes or same_tokenizer(tokenizer, other) else other
    encoded = encode_rows(
        data,
        tokenizer,
        recipe=plan.recipe,
        task=plan.task,
        max_length=plan.training.max_length,
        folder=folder / "encoded",
        teacher_tokenizer=teacher_tokenizer,
    )
    return encoded, "teacher_" if teacher_tokenizer is not None else ""


def untrained_student(plan: DistillPlan, labels: LabelScheme) -> PreTrainedModel:
    """Return a student of the plan's shape with random weights, to measure what it costs."""
    if plan.task.writes:
        return untrained_pair(load_config(plan.source), plan.shape, family=plan.family)
    config = student_config(
        load_config(plan.source),
        plan.shape,
        family=plan.family,
        **label_arguments(plan.task, labels),  # pyright: ignore[reportArgumentType]
    )
    return random_start(config, seed=0)


def rows_of_teacher(work: Distillation) -> Encoded:
    """Return the labelled rows as the teacher reads them, with its own tokenizer where that is another.

    Raises:
        RecipeError: No training row has a label.
    """
    plan, encoded = work.plan, work.encoded
    if work.teacher_prefix:
        encoded = encode_rows(
            work.data,
            load_tokenizer(plan.teacher.path),
            recipe=plan.recipe,
            task=plan.task,
            max_length=plan.training.max_length,
            folder=work.run.work / "encoded",
        )
    rows = labelled_only(encoded.train, plan.task)
    if len(rows) == 0:
        raise RecipeError(
            work.data.source,
            "no training row has a label, and the teacher must be fine-tuned first; "
            "label some rows, or give a teacher that knows the task",
        )
    return replace(encoded, train=rows)
