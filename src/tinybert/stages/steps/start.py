"""A student's first weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from tinybert.data import Collator, LabelScheme, sorted_by_length
from tinybert.models import (
    Shape,
    load_classifier,
    load_config,
    load_encoder,
    project_start,
    random_start,
    slice_start,
    student_config,
)
from tinybert.models.load import checkpoint_path
from tinybert.models.seq2seq import whole_state
from tinybert.models.start.project import adapt_student
from tinybert.stages.plan.student import Start
from tinybert.stages.steps.pair_start import start_pair
from tinybert.stages.steps.prepare import label_arguments, load_for_labels, own_order
from tinybert.tasks import Task

CALIBRATION_ROWS = 400
CALIBRATION_BATCH = 32
PROJECTION_FILE = "projection.safetensors"


@dataclass(frozen=True)
class StartPlan:
    """How a student begins.

    Attributes:
        kind: random, slice, project or checkpoint.
        source: The model cut from, or the checkpoint itself; for a random start only its config is read.
        shape: The student's size.
        family: Its ``model_type``.
        layer_map: The source's layers kept, from 1; of a checkpoint, the teacher's that it was taught.
        keep_head: The source knows the task: its head comes along.
        origin: The teacher that a checkpoint was taught by.
        teacher: The same, fine-tuned: the checkpoint is adapted to it.
    """

    kind: Start
    source: str
    shape: Shape
    family: str
    layer_map: tuple[int, ...]
    keep_head: bool
    origin: str | None = None
    teacher: str | None = None


@dataclass(frozen=True)
class Started:
    """A student before its first step, and what takes its hidden states to the teacher's width, if known.

    The projection is (D_teacher, D_student), or one a hidden state, (N + 1, D_teacher, D_student).
    """

    model: PreTrainedModel
    projection: Tensor | None = None


def start_student(
    plan: StartPlan, task: Task, labels: LabelScheme, *, rows: Dataset, collator: Collator, seed: int
) -> Started:
    """Return a student with its first weights.

    Args:
        plan: How it begins.
        task: The task.
        labels: The data's labels: the outputs are in this order.
        rows: Encoded training rows; a projection looks at 400 of them.
        collator: Rows to batches.
        seed: Of everything drawn at random.
    """
    if plan.kind == "checkpoint":
        return _start_checkpoint(plan, task, labels, rows=rows, collator=collator, seed=seed)
    if task.writes:
        return Started(*start_pair(plan, task, batches=calibration(rows, collator), seed=seed))
    config = student_config(
        load_config(plan.source),
        plan.shape,
        family=plan.family,
        **label_arguments(task, labels),  # pyright: ignore[reportArgumentType]
    )
    if plan.kind == "random":
        return Started(random_start(config, seed=seed))
    if plan.keep_head:
        source = load_for_labels(plan.source, task, labels, seed=seed, new_head=False)
    else:
        source = load_encoder(plan.source, seed=seed)
    if plan.kind == "slice":
        return Started(slice_start(source, plan.layer_map, config, keep_head=plan.keep_head, seed=seed))
    projected = project_start(
        source,
        config,
        plan.layer_map,
        batches=calibration(rows, collator),
        keep_head=plan.keep_head,
        seed=seed,
    )
    return Started(projected.student, projected.projection)


def _start_checkpoint(
    plan: StartPlan, task: Task, labels: LabelScheme, *, rows: Dataset, collator: Collator, seed: int
) -> Started:
    model = load_for_labels(plan.source, task, labels, seed=seed, new_head=True)
    if not plan.layer_map:
        return Started(model)
    file = Path(checkpoint_path(plan.source)) / PROJECTION_FILE
    maps = load_file(file)["projection"] if file.exists() else None
    if plan.origin is not None and plan.teacher is not None:
        maps = adapt_student(
            load_encoder(plan.origin, seed=seed),
            load_for_labels(plan.teacher, task, labels, seed=seed, new_head=False),
            model,
            batches=calibration(rows, collator),
            layer_map=plan.layer_map,
            maps=maps,
        )
    return Started(model, maps)


def has_new_head(plan: StartPlan, task: Task, labels: LabelScheme) -> bool:
    """Return whether a student's head is drawn at random above an encoder that has learnt something."""
    is_adapted = plan.origin is not None and plan.teacher is not None
    if plan.kind == "random" or plan.keep_head or is_adapted:
        return False
    return plan.kind != "checkpoint" or own_order(load_config(plan.source), task, labels) is None


def calibration(rows: Dataset, collator: Collator) -> Iterable[dict[str, Tensor]]:
    """Return batches of 400 rows spread over the split, grouped by length."""
    step = max(1, len(rows) // CALIBRATION_ROWS)
    chosen = sorted_by_length(rows.select(range(0, min(step * CALIBRATION_ROWS, len(rows)), step)))
    return [
        collator([chosen[i] for i in range(start, min(start + CALIBRATION_BATCH, len(chosen)))])
        for start in range(0, len(chosen), CALIBRATION_BATCH)
    ]


def save_start(started: Started, folder: Path) -> None:
    """Keep a start on disk, so that a resumed run does not make it again."""
    started.model.save_pretrained(folder, state_dict=whole_state(started.model))
    if started.projection is not None:
        save_file({"projection": started.projection.contiguous()}, folder / PROJECTION_FILE)


def load_start(folder: Path) -> Started:
    """Read what :func:`save_start` wrote."""
    file = folder / PROJECTION_FILE
    projection = load_file(file)["projection"] if file.exists() else None
    return Started(load_classifier(folder, dtype=torch.float32), projection)
