"""The Kullback–Leibler divergence behind ``kl_divergence`` and ``relation_kl``, lean in memory."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from tinybert.losses.precision import without_autocast


class _Divergence(torch.autograd.Function):
    """KL(teacher ‖ student) of each row; only the gradient, p_student − p_teacher, is kept."""

    @staticmethod
    def forward(ctx: FunctionCtx, student: Tensor, teacher: Tensor) -> Tensor:
        log_student = student.log_softmax(-1)
        log_ratio = teacher.log_softmax(-1)
        p_teacher = log_ratio.exp()
        log_ratio.sub_(log_student).masked_fill_(p_teacher == 0, 0)  # 0·log 0 is 0, not NaN
        with without_autocast(student):
            divergence = torch.linalg.vecdot(p_teacher, log_ratio)
        ctx.save_for_backward(log_student.exp_().sub_(p_teacher))
        return divergence

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (difference,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return difference * grad.unsqueeze(-1), None


def row_divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(softmax(teacher) ‖ softmax(student)) along the last axis, in nats.

    Args:
        student: (…, C) float32 or float64 logits.
        teacher: The same shape and type; a constant. −inf is a probability of exactly 0.

    Returns:
        Shape (…).
    """
    divergence = _Divergence.apply(student, teacher)
    assert isinstance(divergence, Tensor)
    return divergence
