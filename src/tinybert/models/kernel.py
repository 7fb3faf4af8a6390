"""Which attention code a model runs: switched on for a while, or for good on one model, never for a class."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from torch import nn
from transformers import PreTrainedModel

from tinybert.models.attention import NAME
from tinybert.models.families import decoders, encoder
from tinybert.models.mpnet import has_position_bias, switch_kernel


@contextmanager
def training_attention(model: PreTrainedModel) -> Generator[None]:
    """Let a model train with the kernel that is fastest for its device and precision."""
    before = switch_attention(model, NAME)
    try:
        yield
    finally:
        switch_attention(model, before)


def switch_attention(model: nn.Module, name: str | None) -> str | None:
    """Let a model attend with other code, and return the name of what it used before.

    Args:
        model: With or without a head; all layers of these families read one config.
        name: :data:`~tinybert.models.attention.NAME`, or a name that ``transformers`` knows. A family with
            attention of its own has only these two: our kernel and its own code.
    """
    base = encoder(model)
    for decoder in decoders(model):
        decoder.config._attn_implementation = name  # pyright: ignore[reportPrivateUsage]
    if has_position_bias(base):
        return NAME if switch_kernel(base, on=name == NAME) else "eager"
    before = base.config._attn_implementation  # pyright: ignore[reportPrivateUsage]
    base.config._attn_implementation = name  # pyright: ignore[reportPrivateUsage]
    return before
