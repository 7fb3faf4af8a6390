"""MiniLMv2's relation loss. Legend: B rows, H heads, L tokens, D width of a head, R relation heads."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tinybert.errors import ModelError
from tinybert.losses.checks import real_tokens, require_same_shape
from tinybert.losses.divergence import row_divergence
from tinybert.losses.precision import raised, without_autocast

_NAME = "relation_kl"


def relation_kl(
    student_vectors_BHLD: Tensor, teacher_vectors_BHLD: Tensor, *, mask_BL: Tensor, num_relation_heads: int
) -> Tensor:
    """Divergence between how the teacher's and the student's tokens relate to one another.

    The vectors are one layer's queries, keys *or* values, one kind a call. Both models' heads are joined and
    split again into ``num_relation_heads``, so that neither head counts nor widths need to agree. A relation
    is softmax(V·Vᵀ/√d_r) over real keys, d_r each model's own width of a relation head; the loss is
    KL(teacher ‖ student) averaged over relation heads and over the real query tokens of the whole batch.

    Minimum: 0, where the relations are equal (so for equal vectors). All masked: 0.0 with zero
    gradients.
    Gradient: (p_student − p_teacher)/(R·T) for a relation's score, T the number of real tokens in the batch.
    To join parts of a batch, weigh each by its T.

    Args:
        student_vectors_BHLD: (B, H, L, D) of the student.
        teacher_vectors_BHLD: (B, H', L, D') of the teacher; a constant.
        mask_BL: The batch's attention mask, bool or 0/1.
        num_relation_heads: R; it divides H·D and H'·D'.

    Returns:
        Shape (), float32 (float64 for float64 vectors).

    Raises:
        ModelError: Rows or lengths differ, or R does not divide both widths; the numbers that do are listed.

    Source: MiniLMv2, arXiv:2012.15828, section 3; the value relation from MiniLM, arXiv:2002.10957.
    Differs: the mean runs over the real tokens of the batch; MiniLMv2 averages within each row first, so that
        a token of a short row weighs more there.

    Example:
        A student of 2 heads of 3 and a teacher of 4 heads of 6 meet in 3 relation heads.

        >>> import torch
        >>> student, teacher = torch.ones(1, 2, 5, 3), torch.ones(1, 4, 5, 6)
        >>> mask = torch.ones(1, 5)
        >>> relation_kl(student, teacher, mask_BL=mask, num_relation_heads=3).item()
        0.0
    """
    _check(student_vectors_BHLD, teacher_vectors_BHLD, num_relation_heads)
    num_rows, _, num_tokens, _ = student_vectors_BHLD.shape
    real_BL = real_tokens(_NAME, mask_BL, like=(num_rows, num_tokens))
    with without_autocast(student_vectors_BHLD):
        student_BRLL = _relation_scores(student_vectors_BHLD, real_BL, num_relation_heads)
        teacher_BRLL = _relation_scores(teacher_vectors_BHLD, real_BL, num_relation_heads)
        # padded queries are even on both sides: they add exactly 0
        divergence_BRL = row_divergence(student_BRLL, teacher_BRLL)
    return divergence_BRL.sum() / (real_BL.sum() * num_relation_heads).clamp(min=1)


def _relation_scores(vectors_BHLD: Tensor, real_BL: Tensor, num_relation_heads: int) -> Tensor:
    """Return V·Vᵀ/√d_r of the re-split heads, (B, R, L, L); padded keys at the type's lowest number."""
    joined_BLW = raised(vectors_BHLD).transpose(1, 2).flatten(2)
    joined_BLW = joined_BLW.masked_fill(~real_BL[:, :, None], 0)  # or a NaN there meets a zero gradient: NaN
    split_BRLd = joined_BLW.unflatten(2, (num_relation_heads, -1)).transpose(1, 2)
    scaled_BRLd = split_BRLd / math.sqrt(split_BRLd.shape[-1])
    scores_BRLL = scaled_BRLd @ split_BRLd.transpose(2, 3)
    # not −inf: a row with no real key must stay free of NaN
    return scores_BRLL.masked_fill_(~real_BL[:, None, None, :], torch.finfo(scores_BRLL.dtype).min)


def _check(student_BHLD: Tensor, teacher_BHLD: Tensor, num_relation_heads: int) -> None:
    require_same_shape(_NAME, student_BHLD, teacher_BHLD, axes="BHLD", free="HD")
    widths = [vectors.shape[1] * vectors.shape[3] for vectors in (student_BHLD, teacher_BHLD)]
    if num_relation_heads >= 1 and all(width % num_relation_heads == 0 for width in widths):
        return
    shared = math.gcd(*widths)
    allowed = ", ".join(str(number) for number in range(1, shared + 1) if shared % number == 0)
    raise ModelError(
        _NAME,
        f"student {tuple(student_BHLD.shape)}, teacher {tuple(teacher_BHLD.shape)}: num_relation_heads ="
        f" {num_relation_heads} does not divide both widths {widths[0]} and {widths[1]}; allowed: {allowed}",
    )
