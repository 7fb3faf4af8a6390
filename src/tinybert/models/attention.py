"""One attention function for all models here: it picks the kernel and lets the raw scores be recorded.

Shapes: B rows, H heads, L tokens, d width of a head.

``transformers`` finds it under the name :data:`NAME`. Inference uses the fused kernel. Training in bf16 on a
CPU does not: there PyTorch 2.13's fused kernel takes 4 to 6 times as long, forward and backward, as the same
products written out (``benchmarks/attention.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "tinybert_attention"

Recorder = Callable[[Tensor, Tensor, Tensor, Callable[[], Tensor]], None]
"""``(queries, keys, values, what gives the raw scores)``; these are computed where they are asked for."""

recorders: WeakKeyDictionary[nn.Module, Recorder] = WeakKeyDictionary()


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    *,
    position_bias: Tensor | None = None,
    **kwargs: object,
) -> tuple[Tensor, None]:
    """Attend, and hand queries, keys, values and raw scores to whoever asked for this layer.

    Args:
        module: The attention module that calls.
        query: (B, H, L, d); ``key`` and ``value`` likewise.
        key: See ``query``.
        value: See ``query``.
        attention_mask: (B, 1, L, L), true where attention may go, or a number that is added to the scores;
            None when nothing is padded.
        dropout: Of the probabilities.
        scaling: 1/√d when not given.
        position_bias: (B, H, L, L), added to the scores by relative position: a part of the raw scores. The
            mask is then of numbers.
        **kwargs: For the fused kernel.

    Returns:
        (B, L, H, d), and no probabilities.
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling

    def raw_scores() -> Tensor:
        scores = (query @ key.transpose(2, 3)) * scale
        return scores if position_bias is None else scores + position_bias.to(scores.dtype)

    record = recorders.get(module)
    if torch.is_grad_enabled() and query.dtype == torch.bfloat16 and query.device.type == "cpu":
        scores = raw_scores()
        if record is not None:
            record(query, key, value, lambda: scores)
        mask = _causal(module, scores) if attention_mask is None else attention_mask
        probabilities = nn.functional.dropout(_masked(scores, mask).softmax(-1), dropout)
        return (probabilities.to(value.dtype) @ value).transpose(1, 2).contiguous(), None
    if record is not None:
        record(query, key, value, raw_scores)
    if position_bias is not None:
        added = position_bias if attention_mask is None else position_bias + attention_mask
        attention_mask = added.to(query.dtype)
    return sdpa_attention_forward(
        module,
        query,
        key,
        value,
        attention_mask,
        dropout=dropout,
        scaling=scaling,
        **kwargs,  # type: ignore[arg-type]
    )


def _causal(module: nn.Module, scores: Tensor) -> Tensor | None:
    """Return the mask of a decoder where nothing is padded: the fused kernel knows it from a flag."""
    if not getattr(module, "is_causal", False) or scores.shape[2] == 1:
        return None
    return torch.ones(scores.shape[2:], dtype=torch.bool, device=scores.device).tril()


def _masked(scores: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return scores
    if mask.dtype == torch.bool:
        return scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores + mask.to(scores.dtype)


AttentionInterface.register(NAME, attention)
# without a mask function of the same name transformers hands over no mask, and padding is attended to
AttentionMaskInterface.register(NAME, sdpa_mask)
