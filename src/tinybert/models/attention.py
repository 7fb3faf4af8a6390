"""One attention function for all models here: it picks the kernel and lets the raw scores be recorded.

Shapes: B rows, H heads, L tokens, d width of a head.

``transformers`` finds it under the name :data:`NAME`. Inference uses the fused kernel. Training in bf16 on a
CPU does not: there PyTorch 2.13's fused kernel takes 4 to 6 times as long, forward and backward, as the same
products written out (``benchmarks/attention.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from tinybert.models.families import encoder

NAME = "tinybert_attention"

Recorder = Callable[[Tensor, Tensor, Tensor, float, "Tensor | None"], None]
"""``(queries, keys, values, scaling, raw scores or None)``; the scores are given where they exist anyway."""

recorders: WeakKeyDictionary[nn.Module, Recorder] = WeakKeyDictionary()


@contextmanager
def training_attention(model: PreTrainedModel) -> Generator[None]:
    """Let a model train with the kernel that is fastest for its device and precision."""
    config = encoder(model).config
    before = config._attn_implementation  # pyright: ignore[reportPrivateUsage]
    config._attn_implementation = NAME  # pyright: ignore[reportPrivateUsage]
    try:
        yield
    finally:
        config._attn_implementation = before  # pyright: ignore[reportPrivateUsage]


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: object,
) -> tuple[Tensor, None]:
    """Attend, and hand queries, keys, values and raw scores to whoever asked for this layer.

    Args:
        module: The attention module that calls.
        query: (B, H, L, d); ``key`` and ``value`` likewise.
        key: See ``query``.
        value: See ``query``.
        attention_mask: (B, 1, L, L), true where attention may go; None when nothing is padded.
        dropout: Of the probabilities.
        scaling: 1/√d when not given.
        **kwargs: For the fused kernel.

    Returns:
        (B, L, H, d), and no probabilities.
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    record = recorders.get(module)
    if torch.is_grad_enabled() and query.dtype == torch.bfloat16 and query.device.type == "cpu":
        scores = (query @ key.transpose(2, 3)) * scale
        if record is not None:
            record(query, key, value, scale, scores)
        if attention_mask is not None:
            scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
        probabilities = nn.functional.dropout(scores.softmax(-1), dropout, training=dropout > 0)
        return (probabilities.to(value.dtype) @ value).transpose(1, 2).contiguous(), None
    if record is not None:
        record(query, key, value, scale, None)
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


AttentionInterface.register(NAME, attention)
# without a mask function of the same name transformers hands over no mask, and padding is attended to
AttentionMaskInterface.register(NAME, sdpa_mask)
