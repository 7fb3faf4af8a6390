"""How long the whole will take."""

from __future__ import annotations

import math

import torch

from tinybert.data import sorted_by_length
from tinybert.data.collate import TEACHER
from tinybert.metrics.timing import median_seconds
from tinybert.models import load_encoder
from tinybert.models.inputs import model_inputs
from tinybert.objectives import HardObjective
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.plan.training import Training, rows_a_step
from tinybert.stages.steps.baselines.fine_tune_only import RATES
from tinybert.stages.steps.distillation import untrained_student
from tinybert.training import Batch

TIMED_STEPS = 3


def check_time(context: Context) -> list[Finding]:
    """Time a few steps of the student and a few batches of the teacher, and say what the whole will take."""
    plan, batch_size = context.plan, context.plan.recipe.train.batch_size
    batch = _middle_batch(context, batch_size)
    num_rows = len(context.encoded.batched())
    windows_a_row = len(context.encoded.train) / num_rows
    student_s = windows_a_row * _step_seconds(context, batch)
    teacher_s = windows_a_row * _teacher_seconds(context, batch)
    student, teacher = planned_batches(plan, num_rows)
    trainings = 1 + len(RATES) if "fine_tune_only" in plan.baselines else 1
    seconds = student_s * student * trainings + teacher_s * math.ceil(num_rows / batch_size)
    seconds += 3 * teacher_s * teacher
    may_extend = plan.training.is_auto or "fine_tune_only" in plan.baselines
    may_extend = may_extend or (teacher > 0 and plan.teacher_training.is_auto)
    more = ", and more where a score still rises at its end" if may_extend else ""
    text = (
        f"about {seconds / 60:.0f} min in fp32 on this machine, now{more} "
        f"({student:,} student batches of {student_s:.2f} s, "
        + (f"{teacher:,} of the teacher's fine-tuning, " if teacher else "")
        + f"{teacher_s:.2f} s a teacher batch of {batch_size} rows)"
    )
    return [Finding("ok", "time", text)]


def planned_batches(plan: DistillPlan, num_rows: int) -> tuple[int, int]:
    """Return the batches that are planned for the student, and for fine-tuning the teacher."""
    accumulation = plan.recipe.train.gradient_accumulation_steps

    def batches(training: Training) -> int:
        return accumulation * training.steps(num_rows, rows_a_step(plan.recipe))[0]

    student = batches(plan.training)
    if plan.recipe.distill.phases == "two":
        student += batches(plan.training.with_epochs(plan.recipe.distill.intermediate_num_epochs))
    return student, batches(plan.teacher_training) if plan.teacher.kind == "encoder" else 0


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
        if "labels" in batch:
            loss = torch.stack(list(objective(student, batch).values())).sum()
        else:  # no row has a label
            loss = student(**model_inputs(student, batch)).logits.square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return median_seconds(step, repeats=TIMED_STEPS)


def _teacher_seconds(context: Context, batch: Batch) -> float:
    if context.plan.teacher.kind == "file":
        return 0.0
    encoder = load_encoder(context.plan.teacher.path)
    prefix = TEACHER if f"{TEACHER}input_ids" in batch else ""
    inputs = model_inputs(encoder, batch, prefix=prefix)
    with torch.inference_mode():
        return median_seconds(lambda: encoder(**inputs), repeats=TIMED_STEPS)
