"""Whether a training step fits into memory."""

from __future__ import annotations

import psutil
import torch

from tinybert.data import LabelScheme, num_tokens_of
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.steps.distillation import untrained_student

BYTES_A_TRAINED_PARAMETER = 16  # weight, gradient and two Adam moments in fp32
BYTES_A_UNIT = 34 * 2  # activations of a layer that wait for its gradients, a token and unit of its width


def check_memory(context: Context) -> list[Finding]:
    """Compare the memory that the larger training needs at its longest batch, roughly, with what is free."""
    student, teacher = student_gb(context), teacher_gb(context)
    needed, free = max(student, teacher), psutil.virtual_memory().available / 1e9
    text = f"about {needed:.1f} GB at the longest batch, {free:.1f} GB free"
    if needed <= free:
        return [Finding("ok", "memory", text)]
    fix = "lower train.batch_size or data.max_length"
    if teacher <= free:
        fix += ", or take a smaller shape"
    elif not context.plan.recipe.teacher.gradient_checkpointing:
        fix = f"set teacher.gradient_checkpointing=true, or {fix}"
    return [Finding("stop", "memory", f"{text}; {fix}")]


def student_gb(context: Context) -> float:
    """Return what a step of the student needs, beside its teacher's weights."""
    plan = context.plan
    weights = num_parameters(plan, context.data.labels) * BYTES_A_TRAINED_PARAMETER
    layers = plan.shape.num_hidden_layers * plan.shape.hidden_size * BYTES_A_UNIT
    return (weights + teacher_parameters(plan) * 4 + tokens_a_batch(context) * layers) / 1e9


def teacher_gb(context: Context) -> float:
    """Return what a step of a teacher that is fine-tuned first needs; 0 for another."""
    info, section = context.plan.teacher.info, context.plan.recipe.teacher
    if info is None or context.plan.teacher.kind != "encoder":
        return 0.0
    num_layers = info.num_hidden_layers - section.frozen_layers
    bytes_a_token = num_layers * info.hidden_size * BYTES_A_UNIT
    if section.gradient_checkpointing:
        bytes_a_token = info.hidden_size * (4 * num_layers + BYTES_A_UNIT)
    weights = teacher_parameters(context.plan) * BYTES_A_TRAINED_PARAMETER
    return (weights + tokens_a_batch(context) * bytes_a_token) / 1e9


def teacher_parameters(plan: DistillPlan) -> int:
    """Return about how many parameters the teacher has; 0 where its size is not known."""
    info = plan.teacher.info
    if info is None:
        return 0
    return 12 * info.num_hidden_layers * info.hidden_size**2 + info.vocab_size * info.hidden_size


def tokens_a_batch(context: Context) -> int:
    """Return how many tokens the longest batch has: all windows of a row are in one."""
    plan, rows = context.plan, context.data.splits["train"]
    longest = int(num_tokens_of(context.encoded.batched()).max())
    return min(plan.recipe.train.batch_size, len(rows)) * max(plan.training.max_length, longest)


def num_parameters(plan: DistillPlan, labels: LabelScheme) -> int:
    """Count the student's parameters without making them."""
    with torch.device("meta"):
        model = untrained_student(plan, labels)
    return sum(parameter.numel() for parameter in model.parameters())
