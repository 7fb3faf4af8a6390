"""One encoder layer over real tokens only, step by step, for teacher and student alike.

Shapes: B rows, L tokens of a padded row, N real tokens of all rows laid end to end, D width, H heads, d width
of a head, F feed-forward neurons. Only attention needs to know where a row ends; all else works on (N, D).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tinybert.models.families import Block, PositionBias


@dataclass(frozen=True)
class Steps:
    """What one layer computes on its way: (N, D), and (N, F) inside the feed-forward part."""

    q: Tensor
    k: Tensor
    v: Tensor
    context: Tensor
    before_norm1: Tensor
    attended: Tensor
    before_activation: Tensor
    neurons: Tensor
    before_norm2: Tensor
    hidden: Tensor


def run_block(block: Block, hidden_ND: Tensor, masks_BL: Sequence[Tensor]) -> Steps:
    """Compute one post-LayerNorm encoder layer, without dropout.

    Args:
        block: The layer.
        hidden_ND: The layer's input at the real tokens.
        masks_BL: Boolean, one per batch, true at real tokens.
    """
    q, k, v, context = run_attention(block, hidden_ND, masks_BL)
    before_norm1 = hidden_ND + block.o(context)
    attended = block.norm1(before_norm1)
    before_activation = block.ffn_in(attended)
    neurons = block.activation(before_activation)
    before_norm2 = attended + block.ffn_out(neurons)
    return Steps(
        q,
        k,
        v,
        context,
        before_norm1,
        attended,
        before_activation,
        neurons,
        before_norm2,
        block.norm2(before_norm2),
    )


def run_attention(
    block: Block, hidden_ND: Tensor, masks_BL: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return one layer's queries, keys, values and attention context at the real tokens, (N, D) each."""
    q, k, v = block.q(hidden_ND), block.k(hidden_ND), block.v(hidden_ND)
    return q, k, v, attend(q, k, v, masks_BL, num_heads=block.num_heads, position_bias=block.position_bias)


def attend(
    q_ND: Tensor,
    k_ND: Tensor,
    v_ND: Tensor,
    masks_BL: Sequence[Tensor],
    *,
    num_heads: int,
    position_bias: PositionBias | None = None,
) -> Tensor:
    """Return each token's attention context (N, D), row by row.

    Args:
        q_ND: Queries; ``k_ND`` and ``v_ND`` are keys and values.
        k_ND: See ``q_ND``.
        v_ND: See ``q_ND``.
        masks_BL: Boolean, one per batch, true at real tokens.
        num_heads: Attention heads.
        position_bias: What is added to the scores by relative position.
    """
    contexts: list[Tensor] = []
    sizes = [int(mask.sum()) for mask in masks_BL]
    parts = zip(q_ND.split(sizes), k_ND.split(sizes), v_ND.split(sizes), masks_BL, strict=True)
    for q, k, v, mask in parts:
        heads = [_heads(part, mask, num_heads) for part in (q, k, v)]
        added = mask[:, None, None, :]
        if position_bias is not None:
            added = position_bias(mask.shape[1]).masked_fill(~added, -torch.inf)
        context_BHLd = functional.scaled_dot_product_attention(*heads, attn_mask=added)
        contexts.append(context_BHLd.transpose(1, 2).flatten(2)[mask])
    return torch.cat(contexts)


def _heads(flat_ND: Tensor, mask_BL: Tensor, num_heads: int) -> Tensor:
    padded_BLD = flat_ND.new_zeros(*mask_BL.shape, flat_ND.shape[-1])
    padded_BLD[mask_BL] = flat_ND
    return padded_BLD.unflatten(2, (num_heads, -1)).transpose(1, 2)
