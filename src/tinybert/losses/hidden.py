"""TinyBERT's hidden-state and embedding loss. Legend: B rows, L tokens, D the teacher's width."""

from __future__ import annotations

from torch import Tensor

from tinybert.losses.checks import real_tokens, require_same_shape
from tinybert.losses.squared_error import mean_squared_error

_NAME = "hidden_state_mse"


def hidden_state_mse(student_hidden_BLD: Tensor, teacher_hidden_BLD: Tensor, *, mask_BL: Tensor) -> Tensor:
    """Mean squared error between the hidden states of one pair of mapped layers.

    A narrower student's states come in already multiplied by the learnable W; index 0 of the hidden
    states (the embedding output) makes this the embedding loss. The mean runs over the width and over the
    real tokens of the whole batch.

    Minimum: 0, where the states are equal. All masked: 0.0 with zero gradients.
    Gradient: 2·(student − teacher)/(D·T) an entry, T the number of real tokens in the batch. To join parts
    of a batch, weigh each by its T.

    Args:
        student_hidden_BLD: The student's hidden states, in the teacher's width.
        teacher_hidden_BLD: The teacher's; a constant.
        mask_BL: The batch's attention mask, bool or 0/1.

    Returns:
        Shape (), float32 (float64 for float64 states).

    Raises:
        ModelError: Shapes differ; where only the widths do, the projection was forgotten.

    Source: TinyBERT, arXiv:1909.10351, equations 8 and 9.
    Differs: the authors' code averages over padding too; ours does not.

    Example:
        >>> import torch
        >>> teacher = torch.zeros(1, 2, 4)
        >>> student = torch.tensor([1.0, 100.0])[None, :, None].expand(1, 2, 4)
        >>> hidden_state_mse(student, teacher, mask_BL=torch.tensor([[1, 0]])).item()
        1.0
    """
    require_same_shape(_NAME, student_hidden_BLD, teacher_hidden_BLD, axes="BLD")
    num_rows, num_tokens, _ = student_hidden_BLD.shape
    real_BL = real_tokens(_NAME, mask_BL, like=(num_rows, num_tokens))
    return mean_squared_error(student_hidden_BLD, teacher_hidden_BLD, real=real_BL.unsqueeze(-1))
