"""Whether a training step fits into memory."""

from __future__ import annotations

import psutil
import torch

from tinybert.data import LabelScheme
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.steps.distillation import untrained_student

BYTES_A_TRAINED_PARAMETER = 16  # weight, gradient and two Adam moments in fp32


def check_memory(context: Context) -> list[Finding]:
    """Compare the memory a step needs, roughly, with what is free."""
    plan, data = context.plan, context.data
    parameters = num_parameters(plan, data.labels)
    info = plan.teacher.info
    teacher = (
        0
        if info is None
        else 12 * info.num_hidden_layers * info.hidden_size**2 + (info.vocab_size * info.hidden_size)
    )
    layers, width = plan.shape.num_hidden_layers, plan.shape.hidden_size
    batch_size = min(plan.recipe.train.batch_size, len(data.splits["train"]))
    activations = batch_size * plan.training.max_length * width * layers * 34 * 2
    needed = (parameters * BYTES_A_TRAINED_PARAMETER + teacher * 4 + activations) / 1e9
    free = psutil.virtual_memory().available / 1e9
    text = f"about {needed:.1f} GB at the longest batch, {free:.1f} GB free"
    if needed > free:
        return [
            Finding(
                "stop",
                "memory",
                f"{text}; lower train.batch_size or data.max_length, or take a smaller shape",
            )
        ]
    return [Finding("ok", "memory", text)]


def num_parameters(plan: DistillPlan, labels: LabelScheme) -> int:
    """Count the student's parameters without making them."""
    with torch.device("meta"):
        model = untrained_student(plan, labels)
    return sum(parameter.numel() for parameter in model.parameters())
