"""How long the whole will take."""

from __future__ import annotations

import torch

from tinybert.data import sorted_by_length
from tinybert.metrics.timing import median_seconds
from tinybert.models import load_encoder
from tinybert.models.inputs import model_inputs
from tinybert.objectives import HardObjective
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding
from tinybert.stages.steps.distillation import untrained_student
from tinybert.training import Batch

TIMED_STEPS = 3


def check_time(context: Context) -> list[Finding]:
    """Time a few steps of the student and a few batches of the teacher, and say what the whole will take."""
    plan, batch_size = context.plan, context.plan.recipe.train.batch_size
    batch = _middle_batch(context, batch_size)
    student_s, teacher_s = _step_seconds(context, batch), _teacher_seconds(context, batch)
    num_batches = -(-len(context.encoded.train) // batch_size)
    epochs = plan.training.num_epochs
    if plan.recipe.distill.phases == "two":
        epochs += plan.recipe.distill.intermediate_num_epochs
    seconds = num_batches * (student_s * epochs * (2 if plan.recipe.baseline else 1) + teacher_s)
    if plan.teacher.kind == "encoder":
        seconds += num_batches * 3 * teacher_s * plan.recipe.teacher.num_epochs
    text = (
        f"about {seconds / 60:.0f} min in fp32 on this machine, now ({student_s:.2f} s a student step, "
        f"{teacher_s:.2f} s a teacher batch of {batch_size} rows)"
    )
    return [Finding("ok", "time", text)]


def _middle_batch(context: Context, batch_size: int) -> Batch:
    rows = sorted_by_length(context.encoded.train)
    middle = max(0, len(rows) // 2 - batch_size // 2)
    chosen = range(middle, min(middle + batch_size, len(rows)))
    return context.encoded.collator([rows[i] for i in chosen])


def _step_seconds(context: Context, batch: Batch) -> float:
    plan = context.plan
    student = untrained_student(plan, context.data.labels).train()
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-5)
    objective = HardObjective(context.encoded.hard_loss)

    def step() -> None:
        torch.stack(list(objective(student, batch).values())).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    return median_seconds(step, repeats=TIMED_STEPS)


def _teacher_seconds(context: Context, batch: Batch) -> float:
    if context.plan.teacher.kind == "file":
        return 0.0
    encoder = load_encoder(context.plan.teacher.path)
    with torch.inference_mode():
        return median_seconds(lambda: encoder(**model_inputs(encoder, batch)), repeats=TIMED_STEPS)
