"""The windows of a text → one row of logits. Legend: W windows of B rows, in order, C outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Pooling = Literal["mean", "max"]
NUM_WINDOWS = "num_windows"
"""Key of a batch of whole rows: how many windows each has, (B,)."""


def pool_windows(logits: Tensor, num_windows: Tensor, *, pooling: Pooling) -> Tensor:
    """Return one row of logits (B, C) a text, in fp32 at least.

    Args:
        logits: (W, C), of each window.
        num_windows: (B,), windows of each row; they add up to W.
        pooling: ``mean`` or ``max``, of each output on its own.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[1.0, 4.0], [3.0, 0.0], [7.0, 7.0]])
        >>> pool_windows(logits, torch.tensor([2, 1]), pooling="mean").tolist()
        [[2.0, 2.0], [7.0, 7.0]]
    """
    import torch

    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    rows = torch.arange(len(num_windows), device=logits.device)
    row_of_window = rows.repeat_interleave(num_windows, output_size=len(logits))
    pooled = logits.new_zeros(len(rows), logits.shape[1])
    how = "mean" if pooling == "mean" else "amax"
    return pooled.scatter_reduce(0, row_of_window[:, None].expand_as(logits), logits, how, include_self=False)


def pool_scores(
    scores: Sequence[np.ndarray], examples: Sequence[int], *, pooling: Pooling
) -> list[np.ndarray]:
    """Do the same without torch.

    Args:
        scores: (C,) of each window.
        examples: The row of each window.
        pooling: ``mean`` or ``max``.
    """
    if not len(scores):
        return []
    starts = np.flatnonzero(np.diff(np.asarray(examples), prepend=-1))
    if pooling == "max":
        return list(np.maximum.reduceat(np.stack(scores), starts))
    sums = np.add.reduceat(np.stack(scores), starts)
    return list(sums / np.diff(starts, append=len(scores))[:, None].astype(sums.dtype))
