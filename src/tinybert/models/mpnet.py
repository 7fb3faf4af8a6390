"""What MPNet has and the other families have not: a relative position bias, and attention of its own.

Shapes: B rows, H heads, L tokens, d width of a head.

Besides absolute positions, which it embeds, MPNet adds to each attention score a number that depends on how
far apart the two tokens are: 32 learnt ones a head (exact distances up to 8, then ever wider ranges up to
128), the same in all layers.

Source: MPNet, arXiv:2004.09297; the bias as in T5, arXiv:1910.10683, section 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder, MPNetSelfAttention

from tinybert.models.attention import attention


class KernelSelfAttention(MPNetSelfAttention):
    """MPNet's attention through our kernel: the same weights, the same output, no probabilities.

    ``transformers`` has no choice of kernels for this family, so a module is switched by its class.
    """

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        position_bias: Tensor | None = None,
        output_attentions: bool = False,
        **kwargs: object,
    ) -> tuple[Tensor] | tuple[Tensor, Tensor]:
        """Return what the layer adds to its input, (B, L, D); with probabilities where they are asked for.

        Args:
            hidden_states: (B, L, D).
            attention_mask: (B, 1, L, L), added to the scores: 0, or so low that no probability is left.
            position_bias: (B, H, L, L), added to the scores.
            output_attentions: Return probabilities too, which only ``transformers``' own code computes.
            **kwargs: Not read.
        """
        if output_attentions:
            return super().forward(hidden_states, attention_mask, position_bias, output_attentions=True)
        query, key, value = (
            layer(hidden_states).unflatten(2, (self.num_attention_heads, -1)).transpose(1, 2)
            for layer in (self.q, self.k, self.v)
        )
        context, _ = attention(
            self,
            query,
            key,
            value,
            attention_mask,
            dropout=self.dropout.p if self.training else 0.0,
            position_bias=position_bias,
        )
        return (self.o(context.flatten(2)),)


def switch_kernel(encoder: nn.Module, *, on: bool) -> bool:
    """Let an MPNet attend with our kernel, or with its own code; return how it was before.

    Args:
        encoder: The bare encoder; nothing happens to another family's.
        on: Ours.
    """
    before = False
    for module in encoder.modules():
        if isinstance(module, MPNetSelfAttention):
            before = isinstance(module, KernelSelfAttention)
            module.__class__ = KernelSelfAttention if on else MPNetSelfAttention
    return before


def has_position_bias(encoder: nn.Module) -> bool:
    """Say whether an encoder's scores have a bias of relative positions added."""
    return isinstance(getattr(encoder, "encoder", None), MPNetEncoder)


def position_bias(encoder: nn.Module, num_tokens: int) -> Tensor:
    """Return what is added to the attention scores of a row of L tokens, (1, H, L, L).

    Args:
        encoder: A bare MPNet.
        num_tokens: L.
    """
    stack = cast(MPNetEncoder, encoder.get_submodule("encoder"))
    weight = stack.relative_attention_bias.weight
    return cast(Tensor, stack.compute_position_bias(torch.empty(1, num_tokens, device=weight.device)))


class DistanceTable(nn.Module):
    """A position bias as an exporter needs it: one number a head and distance, at any length.

    MPNet computes ranges of distances with a logarithm, which another runtime may round to another range.

    Args:
        bias_1HPP: The bias of a row of as many tokens as the model reads.
    """

    def __init__(self, bias_1HPP: Tensor) -> None:
        super().__init__()
        bias_HPP = bias_1HPP[0].detach()
        self.last = bias_HPP.shape[-1] - 1
        self.register_buffer("table", torch.cat([bias_HPP[:, 1:, 0].flip(1), bias_HPP[:, 0]], dim=1))

    def forward(self, num_tokens: int) -> Tensor:
        """Return what is added to the scores of a row of L tokens, (1, H, L, L)."""
        table_HD = cast(Tensor, self.table)
        positions_L = torch.arange(num_tokens, device=table_HD.device)
        distances_LL = positions_L[None, :] - positions_L[:, None]
        return table_HD[:, distances_LL + self.last].unsqueeze(0)


def copy_position_bias(source: nn.Module, target: nn.Module, heads: Sequence[int]) -> None:
    """Give an encoder the position bias of some heads of another.

    Args:
        source: A bare MPNet.
        target: Another, with as many heads as are given.
        heads: Of the source, from 0.
    """
    given, wanted = (
        cast(MPNetEncoder, encoder.get_submodule("encoder")).relative_attention_bias.weight
        for encoder in (source, target)
    )
    wanted.data.copy_(given.data[:, list(heads)])
