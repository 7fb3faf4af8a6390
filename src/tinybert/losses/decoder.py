"""The same on a decoder's layers. Legend: B rows, H heads, T target tokens, L source tokens, D width."""

from __future__ import annotations

from torch import Tensor

from tinybert.losses.checks import real_tokens, require_same_shape
from tinybert.losses.squared_error import mean_squared_error


def decoder_hidden_state_mse(
    student_decoder_hidden_BTD: Tensor, teacher_decoder_hidden_BTD: Tensor, *, mask_BT: Tensor
) -> Tensor:
    """Mean squared error between the hidden states of one pair of mapped decoder layers.

    As :func:`~tinybert.losses.hidden.hidden_state_mse`, over the real tokens of the targets.

    Minimum: 0, where the states are equal. All masked: 0.0 with zero gradients.
    Gradient: 2·(student − teacher)/(D·N) an entry, N the number of real target tokens in the batch. To join
    parts of a batch, weigh each by its N.

    Args:
        student_decoder_hidden_BTD: The student's hidden states, in the teacher's width.
        teacher_decoder_hidden_BTD: The teacher's; a constant.
        mask_BT: True, or 1, at the real tokens of the targets.

    Returns:
        Shape (), float32 (float64 for float64 states).

    Raises:
        ModelError: Shapes differ.

    Source: TinyBERT, arXiv:1909.10351, equation 8.
    Differs: of a decoder; the paper has none.

    Example:
        >>> import torch
        >>> teacher = torch.zeros(1, 2, 4)
        >>> decoder_hidden_state_mse(teacher + 2, teacher, mask_BT=torch.tensor([[1, 0]])).item()
        4.0
    """
    name = "decoder_hidden_state_mse"
    require_same_shape(name, student_decoder_hidden_BTD, teacher_decoder_hidden_BTD, axes="BTD")
    num_rows, num_tokens, _ = student_decoder_hidden_BTD.shape
    real_BT = real_tokens(name, mask_BT, like=(num_rows, num_tokens))
    return mean_squared_error(
        student_decoder_hidden_BTD, teacher_decoder_hidden_BTD, real=real_BT.unsqueeze(-1)
    )


def cross_attention_score_mse(
    student_cross_scores_BHTL: Tensor, teacher_cross_scores_BHTL: Tensor, *, mask_BT: Tensor, mask_BL: Tensor
) -> Tensor:
    """Mean squared error between the pre-softmax cross-attention scores of one pair of mapped decoder layers.

    Which token of the source each token of the target looks at. The mean runs over heads and over the pairs
    of a real target token and a real source token, of the whole batch.

    Minimum: 0, where the scores are equal. All masked: 0.0 with zero gradients.
    Gradient: 2·(student − teacher)/(H·P) an entry, P the number of real pairs in the batch. To join parts
    of a batch, weigh each by its P.

    Args:
        student_cross_scores_BHTL: The student's scores of one layer.
        teacher_cross_scores_BHTL: The teacher's, with the same head count; a constant.
        mask_BT: True, or 1, at the real tokens of the targets.
        mask_BL: The sources' attention mask.

    Returns:
        Shape (), float32 (float64 for float64 scores).

    Raises:
        ModelError: Shapes differ.

    Source: TinyBERT, arXiv:1909.10351, equation 7.
    Differs: of a decoder that looks at its encoder; the paper has self-attention only.

    Example:
        >>> import torch
        >>> teacher = torch.zeros(1, 1, 1, 2)
        >>> masks = {"mask_BT": torch.tensor([[1]]), "mask_BL": torch.tensor([[1, 0]])}
        >>> cross_attention_score_mse(teacher + 3, teacher, **masks).item()
        9.0
    """
    name = "cross_attention_score_mse"
    require_same_shape(name, student_cross_scores_BHTL, teacher_cross_scores_BHTL, axes="BHTL")
    num_rows, _, num_targets, num_tokens = student_cross_scores_BHTL.shape
    real_BT = real_tokens(name, mask_BT, like=(num_rows, num_targets))
    real_BL = real_tokens(name, mask_BL, like=(num_rows, num_tokens))
    pairs_B1TL = (real_BT[:, :, None] & real_BL[:, None, :]).unsqueeze(1)
    return mean_squared_error(student_cross_scores_BHTL, teacher_cross_scores_BHTL, real=pairs_B1TL)
