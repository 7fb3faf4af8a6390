"""TinyBERT's attention loss. Legend: B rows, H heads, L tokens."""

from __future__ import annotations

from torch import Tensor

from tinybert.losses.checks import real_tokens, require_same_shape
from tinybert.losses.squared_error import mean_squared_error

_NAME = "attention_score_mse"


def attention_score_mse(
    student_scores_BHLL: Tensor, teacher_scores_BHLL: Tensor, *, mask_BL: Tensor
) -> Tensor:
    """Mean squared error between the pre-softmax attention scores of one pair of mapped layers.

    Scores are QKᵀ/√d_head, before any mask is added. The mean runs over heads and over the query–key
    pairs whose two tokens are both real, of the whole batch.

    Minimum: 0, where the scores are equal. All masked: 0.0 with zero gradients.
    Gradient: 2·(student − teacher)/(H·P) an entry, P the number of real pairs in the batch. To join parts
    of a batch, weigh each by its P.

    Args:
        student_scores_BHLL: The student's scores of one layer.
        teacher_scores_BHLL: The teacher's, with the same head count; a constant.
        mask_BL: The batch's attention mask, bool or 0/1.

    Returns:
        Shape (), float32 (float64 for float64 scores).

    Raises:
        ModelError: Shapes differ; where only the head counts do, ``relation_kl`` is the loss to take.

    Source: TinyBERT, arXiv:1909.10351, equation 7.
    Differs: the authors' code reads the scores after the mask was added, sets those at or below −100 to 0,
        keeps padded queries and divides by all pairs: its value moves with the padding; ours does not.

    Example:
        One row of two tokens and one padding; the four real pairs each differ by 3.

        >>> import torch
        >>> teacher = torch.zeros(1, 1, 3, 3)
        >>> attention_score_mse(teacher + 3, teacher, mask_BL=torch.tensor([[1, 1, 0]])).item()
        9.0
    """
    require_same_shape(_NAME, student_scores_BHLL, teacher_scores_BHLL, axes="BHLL")
    num_rows, _, num_tokens, _ = student_scores_BHLL.shape
    real_BL = real_tokens(_NAME, mask_BL, like=(num_rows, num_tokens))
    pairs_B1LL = (real_BL[:, :, None] & real_BL[:, None, :]).unsqueeze(1)
    return mean_squared_error(student_scores_BHLL, teacher_scores_BHLL, real=pairs_B1LL)
