"""Losses on the two models' logits. Legend: N rows, C classes; (B, L, C) counts as B·L rows."""

from __future__ import annotations

from torch import Tensor

from tinybert.losses.checks import require_same_logits, require_temperature
from tinybert.losses.divergence import row_divergence
from tinybert.losses.precision import raised


def soft_cross_entropy(
    student_logits: Tensor, teacher_logits: Tensor, *, temperature: float = 1.0, mask: Tensor | None = None
) -> Tensor:
    """T² times the cross-entropy between the teacher's and the student's softened predictions.

    −T²·Σ_c p_teacher(c)·log p_student(c), p = softmax(logits/T), averaged over real rows.

    Minimum: T² times the teacher's own entropy, where the logits are equal up to a constant a row.
    All masked: 0.0 with zero gradients.
    Gradient: T·(p_student − p_teacher)/N an entry; for large T about (student − teacher)/(N·C) whatever T is.
    To join parts of a batch, weigh each by its real rows. The same gradient as ``kl_divergence``, whose
    value is easier to read.

    Args:
        student_logits: (N, C) or (B, L, C).
        teacher_logits: The same shape; a constant.
        temperature: T, above 0; 1 leaves the logits unchanged.
        mask: (N) or (B, L), true at the rows that count; None counts them all.

    Returns:
        Shape (), float32 (float64 for float64 logits).

    Raises:
        ModelError: Shapes differ.
        RecipeError: The temperature is not above 0.

    Source: TinyBERT, arXiv:1909.10351, equation 10; T² from arXiv:1503.02531.
    Differs: the authors average over classes too, which shrinks the loss as 1/C, and omit T².

    Example:
        >>> import torch
        >>> teacher = torch.zeros(1, 2)  # undecided: an entropy of log 2
        >>> round(soft_cross_entropy(teacher, teacher).item(), 4)
        0.6931
    """
    require_same_logits("soft_cross_entropy", student_logits, teacher_logits, mask)
    require_temperature(temperature)
    student_NC, teacher_NC = _real_rows(student_logits, teacher_logits, mask)
    p_teacher_NC = (teacher_NC / temperature).softmax(-1)
    log_student_NC = (student_NC / temperature).log_softmax(-1)
    return -(p_teacher_NC * log_student_NC).sum() * temperature**2 / max(len(student_NC), 1)


def kl_divergence(
    student_logits: Tensor, teacher_logits: Tensor, *, temperature: float = 1.0, mask: Tensor | None = None
) -> Tensor:
    """T² times the divergence KL(teacher ‖ student) of the softened predictions.

    T²·Σ_c p_teacher(c)·log(p_teacher(c)/p_student(c)), p = softmax(logits/T), averaged over real rows.

    Minimum: 0, where the logits are equal up to a constant a row. All masked: 0.0 with zero gradients.
    Gradient: T·(p_student − p_teacher)/N an entry; for large T about (student − teacher)/(N·C) whatever T is.
    To join parts of a batch, weigh each by its real rows.

    Args:
        student_logits: (N, C) or (B, L, C).
        teacher_logits: The same shape; a constant. −inf is a probability of exactly 0.
        temperature: T, above 0; 1 leaves the logits unchanged.
        mask: (N) or (B, L), true at the rows that count; None counts them all.

    Returns:
        Shape (), float32 (float64 for float64 logits).

    Raises:
        ModelError: Shapes differ.
        RecipeError: The temperature is not above 0.

    Source: knowledge distillation, arXiv:1503.02531; DistilBERT, arXiv:1910.01108, trains with this one.
    Differs: the first minimises the cross-entropy, which has the same gradient; DistilBERT adds a cosine loss
        between hidden states, which we omit.

    Example:
        >>> import torch
        >>> student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[2.0, 0.0]])
        >>> round(kl_divergence(student, teacher).item(), 4)
        0.3278
        >>> kl_divergence(teacher + 5, teacher, temperature=2.0).item()
        0.0
    """
    require_same_logits("kl_divergence", student_logits, teacher_logits, mask)
    require_temperature(temperature)
    student_NC, teacher_NC = _real_rows(student_logits, teacher_logits, mask)
    divergence_N = row_divergence(student_NC / temperature, teacher_NC / temperature)
    return divergence_N.sum() * temperature**2 / max(len(student_NC), 1)


def mse_logits(student_logits: Tensor, teacher_logits: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Squared distance between the two models' raw logits, averaged over real rows.

    Summed over classes, not averaged. It has no temperature: it is what ``kl_divergence`` tends to, times
    2·C and up to a constant a row, as T grows. It suits outputs that are not one distribution over the
    classes: several labels a row, a value.

    Minimum: 0, where the logits are equal. All masked: 0.0 with zero gradients.
    Gradient: 2·(student − teacher)/N an entry. To join parts of a batch, weigh each by its real rows.

    Args:
        student_logits: (N, C) or (B, L, C).
        teacher_logits: The same shape; a constant.
        mask: (N) or (B, L), true at the rows that count; None counts them all.

    Returns:
        Shape (), float32 (float64 for float64 logits).

    Raises:
        ModelError: Shapes differ.

    Source: TextBrewer, arXiv:2002.12620 (``kd_mse_loss``); matching logits as the limit of a high temperature
        is section 2.1 of arXiv:1503.02531.
    Differs: TextBrewer averages over classes and divides the logits by T first.

    Example:
        >>> import torch
        >>> mse_logits(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]])).item()
        5.0
    """
    require_same_logits("mse_logits", student_logits, teacher_logits, mask)
    student_NC, teacher_NC = _real_rows(student_logits, teacher_logits, mask)
    return (student_NC - teacher_NC).square().sum() / max(len(student_NC), 1)


def _real_rows(student: Tensor, teacher: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the rows that count, (N, C) each. Taken out, not multiplied by 0: 0·NaN is NaN."""
    teacher = teacher.detach()
    if mask is None:
        return raised(student.flatten(0, -2)), raised(teacher.flatten(0, -2))
    real = mask.bool()
    return raised(student[real]), raised(teacher[real])
