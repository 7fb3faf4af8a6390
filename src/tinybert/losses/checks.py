"""Shapes are compared before anything is computed, and the message names both and the fix."""

from __future__ import annotations

import math

from torch import Tensor

from tinybert.errors import ModelError, RecipeError

_AXES: dict[str, tuple[str, str]] = {
    "B": ("batch sizes", "give student and teacher the same rows"),
    "N": ("numbers of rows", "give student and teacher the same rows"),
    "H": (
        "head counts",
        "use relation_kl, which splits both into the same number of relation heads,"
        " or a student with the teacher's head count",
    ),
    "L": (
        "lengths",
        "both must read the same tokens; with two tokenizers only the losses on logits apply",
    ),
    "T": ("target lengths", "both must write the same tokens"),
    "D": ("widths", "project the student's hidden states to the teacher's width first"),
    "C": ("class counts", "student and teacher must predict the same labels, in the same order"),
}


def require_same_shape(loss: str, student: Tensor, teacher: Tensor, *, axes: str, free: str = "") -> None:
    """Refuse tensors that do not agree on every axis.

    Args:
        loss: The loss's name, the subject of the message.
        student: The student's tensor.
        teacher: The teacher's tensor.
        axes: One letter an axis, such as ``"BHLL"``.
        free: The letters of axes that may differ.

    Raises:
        ModelError: The number of axes is wrong, or the sizes of one differ; all that differ are listed.
    """
    given = f"student {tuple(student.shape)}, teacher {tuple(teacher.shape)}"
    if student.dim() != len(axes) or teacher.dim() != len(axes):
        raise ModelError(loss, f"{given}: both need the {len(axes)} axes ({', '.join(axes)})")
    problems: list[str] = []
    for axis, own, other in zip(axes, student.shape, teacher.shape, strict=True):
        what, fix = _AXES[axis]
        problem = f"{given}: the {what} {own} and {other} differ; {fix}"
        if own != other and axis not in free and problem not in problems:
            problems.append(problem)
    if problems:
        raise ModelError(loss, problems)


def require_same_logits(loss: str, student: Tensor, teacher: Tensor, mask: Tensor | None) -> None:
    """Refuse logits (…, C) that do not agree, and a mask that does not fit their rows.

    Raises:
        ModelError: Shapes differ, there is no class axis, or ``mask`` is not of the leading shape.
    """
    if student.dim() < 2 or student.dim() != teacher.dim():
        given = f"student {tuple(student.shape)}, teacher {tuple(teacher.shape)}"
        raise ModelError(loss, f"{given}: both need logits of shape (N, C) or (B, L, C)")
    leading = {2: "N", 3: "BL"}.get(student.dim(), "N" * (student.dim() - 1))
    require_same_shape(loss, student, teacher, axes=f"{leading}C")
    if mask is not None and mask.shape != student.shape[:-1]:
        raise ModelError(
            loss,
            f"mask {tuple(mask.shape)}, logits {tuple(student.shape)}: the mask needs one entry a row,"
            f" shape {tuple(student.shape[:-1])}",
        )


def real_tokens(loss: str, mask_BL: Tensor, *, like: tuple[int, int]) -> Tensor:
    """Return the attention mask as booleans, true where a token is real.

    Args:
        loss: The loss's name, the subject of the message.
        mask_BL: (B, L), bool or 0/1.
        like: The (B, L) of the tensors it belongs to.

    Raises:
        ModelError: The mask has another shape.
    """
    if tuple(mask_BL.shape) != like:
        raise ModelError(
            loss,
            f"mask {tuple(mask_BL.shape)}: one entry a token is needed, shape {like}: the attention_mask",
        )
    return mask_BL.bool()


def require_temperature(temperature: float) -> None:
    """Refuse a temperature that is not a positive finite number.

    Raises:
        RecipeError: It is zero, negative, infinite or NaN.
    """
    if not (temperature > 0 and math.isfinite(temperature)):
        raise RecipeError(
            "temperature", f"{temperature} was given; allowed is any number above 0 (1 changes nothing)"
        )
