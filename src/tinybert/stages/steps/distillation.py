"""What all steps of one distillation share, and how it is made ready."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset
from transformers import PreTrainedModel

from tinybert.config import Recipe
from tinybert.data import LabelScheme, TextData
from tinybert.errors import RecipeError
from tinybert.models import load_config, load_tokenizer, random_start, student_config
from tinybert.models.tokenizers import same_tokenizer
from tinybert.runs import RunInProgress
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.steps.fit import precision_of
from tinybert.stages.steps.prepare import Encoded, encode_rows, label_arguments, labelled_only, load_rows
from tinybert.teachers import read_soft_labels


@dataclass(frozen=True)
class Distillation:
    """What all steps of one distillation share."""

    run: RunInProgress
    plan: DistillPlan
    data: TextData
    encoded: Encoded
    bf16: bool
    teacher_prefix: str

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return self.plan.recipe


def prepare(plan: DistillPlan, run: RunInProgress, source: object) -> Distillation:
    """Read and encode the rows of a run."""
    data, encoded, prefix = prepare_rows(plan, source, run.work)
    return Distillation(run, plan, data, encoded, precision_of(run) == "bf16", prefix)


def prepare_rows(plan: DistillPlan, source: object, folder: Path) -> tuple[TextData, Encoded, str]:
    """Read and encode the rows, with the teacher's own tokens beside where its tokenizer differs.

    Returns:
        The rows, their encoding, and the prefix of the columns that the teacher reads.

    Raises:
        DataError: See :func:`tinybert.data.load`.
    """
    recipe = plan.recipe
    data = load_rows(source, recipe, plan.task, work_dir=folder / "rows", allow_unlabelled=True)
    if plan.teacher.kind == "file":
        rows, reader = data.splits["train"], plan.task.soft_labels
        read_soft_labels(plan.teacher.path, rows, data.labels, reader=reader)  # what is wrong is reported now
    return (data, *encode_for(plan, data, folder))


def encode_for(plan: DistillPlan, data: TextData, folder: Path) -> tuple[Encoded, str]:
    """Encode rows for a distillation; return them and the prefix of the columns that the teacher reads."""
    tokenizer = load_tokenizer(plan.source)
    teacher_tokenizer = None
    if plan.teacher.kind != "file" and plan.source != plan.teacher.path:
        other = load_tokenizer(plan.teacher.path)
        teacher_tokenizer = None if same_tokenizer(tokenizer, other) else other
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
    config = student_config(
        load_config(plan.source),
        plan.shape,
        family=plan.family,
        **label_arguments(plan.task, labels),  # pyright: ignore[reportArgumentType]
    )
    return random_start(config, seed=0)


def need_labels(work: Distillation) -> Dataset:
    """Return the labelled training rows.

    Raises:
        RecipeError: There are none.
    """
    rows = labelled_only(work.encoded.train, work.plan.task)
    if len(rows) == 0:
        raise RecipeError(
            work.data.source,
            "no training row has a label, and the teacher must be fine-tuned first; "
            "label some rows, or give a teacher that knows the task",
        )
    return rows
