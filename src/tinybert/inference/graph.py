"""A model as an exporter sees it: plain matrix steps, and of the last layer only what the logits need.

Shapes: B rows, L tokens, D width, H heads, d width of a head.

Where a text has one output, the head reads the first token alone. The last layer then needs keys and
values of all tokens but queries, and its feed-forward part, of that one only: the same output for about a
fifth less work in a model of four layers.
"""

from __future__ import annotations

import copy
import math
from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

from tinybert.errors import ModelError
from tinybert.models import num_positions
from tinybert.models.families import FAMILIES, Block, blocks, encoder, family_of
from tinybert.models.head import SEQUENCE, head_of
from tinybert.models.inputs import model_inputs
from tinybert.models.mpnet import DistanceTable

FAR_BELOW = -1e4
"""Added to the score of a padded key: no probability is left of it, and every number format holds it."""

NUM_ROWS, NUM_TOKENS = 2, 9
"""Of the batch that is traced; both are free in the graph."""

LAYERS = "layers"


class PlainLayer(nn.Module):
    """One post-LayerNorm encoder layer; 1/√d is folded into the query's weights."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.num_heads = block.num_heads
        self.head_width = block.q.out_features // block.num_heads
        self.q = copy.deepcopy(block.q)
        with torch.no_grad():
            for parameter in self.q.parameters():
                parameter.div_(math.sqrt(self.head_width))
        self.k, self.v, self.o = block.k, block.v, block.o
        self.norm1, self.norm2 = block.norm1, block.norm2
        self.ffn_in, self.ffn_out, self.activation = block.ffn_in, block.ffn_out, block.activation

    def forward(self, hidden: Tensor, bias: Tensor, *, first_only: bool) -> Tensor:
        """Return (B, L, D), or (B, 1, D) of the first token only.

        Args:
            hidden: (B, L, D).
            bias: (B, 1, 1, L) or (B, H, L, L), added to the attention scores.
            first_only: Only the first token's output is wanted.
        """
        asking = hidden[:, :1] if first_only else hidden
        q, k, v = self._heads(self.q(asking)), self._heads(self.k(hidden)), self._heads(self.v(hidden))
        bias = bias[:, :, :1] if first_only else bias
        probabilities = (q @ k.transpose(2, 3) + bias).softmax(-1)
        context = (probabilities @ v).transpose(1, 2).flatten(2)
        attended = self.norm1(asking + self.o(context))
        return self.norm2(attended + self.ffn_out(self.activation(self.ffn_in(attended))))

    def _heads(self, states: Tensor) -> Tensor:
        return states.unflatten(2, (self.num_heads, self.head_width)).transpose(1, 2)


class PlainEncoder(nn.Module):
    """Stands where a model's own stack of layers stood."""

    def __init__(self, model: PreTrainedModel, *, first_only: bool) -> None:
        super().__init__()
        parts = blocks(model)
        self.layers = nn.ModuleList(PlainLayer(block) for block in parts)
        self.first_only = first_only
        bias, positions = parts[0].position_bias, num_positions(model.config)
        self.distances = DistanceTable(bias(positions)) if bias and positions else None

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor, **_: object
    ) -> BaseModelOutputWithPastAndCrossAttentions:
        """Return the last hidden states."""
        last = len(self.layers) - 1
        if self.distances is not None:
            attention_mask = attention_mask + self.distances(hidden_states.shape[1])
        for index, layer in enumerate(self.layers):
            hidden_states = layer(hidden_states, attention_mask, first_only=self.first_only and index == last)
        return BaseModelOutputWithPastAndCrossAttentions(
            last_hidden_state=cast("torch.FloatTensor", hidden_states)
        )


class Graph(nn.Module):
    """A classifier with a plain encoder: tokens in, scores out, nothing else.

    Args:
        model: A classifier of a supported family; its own stack of layers is replaced.
        tokenizer: Its tokenizer: it says which inputs there are.

    Attributes:
        input_names: Of ``forward``, in order.
        output_names: ``logits``, or for questions ``start_logits`` and ``end_logits``.

    Raises:
        ModelError: The family is not supported.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__()
        check_family(model.config)
        head = head_of(model.config) or SEQUENCE
        plain_layers(model, first_only=head.is_pooled)
        self.model = model.eval()
        known = model_inputs(model, dict.fromkeys(tokenizer.model_input_names, torch.empty(0)))
        self.input_names = tuple(known)
        self.output_names = head.outputs

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the scores, one tensor for each of ``output_names``; inputs (B, L) int64."""
        given = dict(zip(self.input_names, inputs, strict=True))
        given["attention_mask"] = (1.0 - given["attention_mask"][:, None, None, :].float()) * FAR_BELOW
        output = self.model(**given)
        return tuple(cast(Tensor, output[name]) for name in self.output_names)

    def example(self) -> tuple[Tensor, ...]:
        """Return a small batch to trace: two rows, one of them padded."""
        ids = torch.arange(NUM_ROWS * NUM_TOKENS).view(NUM_ROWS, NUM_TOKENS) % self.model.config.vocab_size
        mask = torch.ones_like(ids)
        mask[1, NUM_TOKENS // 2 :] = 0
        parts = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
        return tuple(parts[name] for name in self.input_names)


def plain_layers(model: PreTrainedModel, *, first_only: bool) -> None:
    """Replace the stack of layers of a model by one that is made of plain matrix steps."""
    stack = family_of(model.config).layers.partition(".")[0]
    setattr(encoder(model), stack, PlainEncoder(model, first_only=first_only))


def check_family(config: PreTrainedConfig) -> None:
    """Refuse a model whose layers are not known.

    Raises:
        ModelError: Its family is none of those.
    """
    kind = config.model_type
    if kind not in FAMILIES:
        raise ModelError(
            f"model_type {kind}",
            f"cannot be exported (supported: {', '.join(FAMILIES)}); predict with the checkpoint itself: "
            "--backend torch or torch-bf16",
        )
