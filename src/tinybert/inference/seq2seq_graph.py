"""An encoder–decoder as an exporter sees it: the encoder, and the decoder with its cache as plain tensors.

Shapes: R rows, S tokens of a padded text, T tokens that the decoder reads, P that it has read before, D width
of the decoder, V pieces of its vocabulary, H heads, d width of a head.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn
from transformers import (
    DynamicCache,
    EncoderDecoderCache,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    PreTrainedConfig,
    PreTrainedModel,
)

from tinybert.errors import ModelError
from tinybert.inference.graph import FAR_BELOW, check_family, plain_layers

DECODER = "bert"
"""The family of decoders that are exported."""

NUM_ROWS, NUM_TOKENS, NUM_READ = 2, 9, 3
"""Of the batch that is traced; all are free in the graph."""


class EncoderGraph(nn.Module):
    """The encoder; where the decoder is of another width, with the projection to it."""

    def __init__(self, model: EncoderDecoderModel) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(cast(PreTrainedModel, model.encoder))
        plain_layers(self.encoder, first_only=False)
        self.projection = getattr(model, "enc_to_dec_proj", None)
        self.eval()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the last hidden states, (R, S, D); inputs (R, S)."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=_hidden_keys(attention_mask))[0]
        return hidden if self.projection is None else self.projection(hidden)

    def example(self) -> tuple[Tensor, ...]:
        """Return a small batch to trace: two texts, one of them padded."""
        return _example_ids(NUM_TOKENS, self.encoder.config.vocab_size), _example_mask()


class CrossGraph(nn.Module):
    """What each decoder layer reads of a text, computed once: the encoder's output → its keys and values."""

    def __init__(self, model: EncoderDecoderModel) -> None:
        super().__init__()
        decoder = cast(PreTrainedModel, model.decoder)
        layers = decoder.base_model.get_submodule("encoder.layer").children()
        parts = [layer.get_submodule("crossattention.self") for layer in layers]
        self.projections = nn.ModuleList(
            part.get_submodule(name) for part in parts for name in ("key", "value")
        )
        self.num_heads = decoder.config.num_attention_heads

    def forward(self, encoder_hidden_states: Tensor) -> tuple[Tensor, ...]:
        """Return ``encoder.key`` and ``encoder.value`` of each layer, (R, H, S, d); input (R, S, D)."""
        return tuple(
            projection(encoder_hidden_states).unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for projection in self.projections
        )

    def example(self) -> tuple[Tensor]:
        """Return a small batch to trace."""
        return (torch.zeros(NUM_ROWS, NUM_TOKENS, cast(nn.Linear, self.projections[0]).in_features),)


class DecoderGraph(nn.Module):
    """The decoder: tokens and caches in, logits and longer caches out.

    The cache of each layer's self-attention is ``decoder.key`` and ``decoder.value``, (R, H, P, d).
    """

    def __init__(self, model: EncoderDecoderModel) -> None:
        super().__init__()
        self.decoder = copy.deepcopy(cast(PreTrainedModel, model.decoder))
        self.decoder.set_attn_implementation("eager")
        _store_once(self.decoder)
        self.config = self.decoder.config
        self.eval()

    def forward(self, input_ids: Tensor, encoder_attention_mask: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """Return the logits, (R, T, V), and each layer's ``decoder.key`` and ``decoder.value``, T longer.

        Args:
            input_ids: (R, T).
            encoder_attention_mask: (R, S).
            past: Of each layer ``decoder.key``, ``decoder.value``, ``encoder.key``, ``encoder.value``.
        """
        own, cross = DynamicCache(), DynamicCache()
        for layer in range(self.config.num_hidden_layers):
            own.update(past[4 * layer], past[4 * layer + 1], layer)
            cross.update(past[4 * layer + 2], past[4 * layer + 3], layer)
        read = past[0].shape[2]
        places = torch.arange(read + input_ids.shape[1])
        output = self.decoder(
            input_ids,
            position_ids=places[None, read:],
            token_type_ids=torch.zeros_like(input_ids),
            attention_mask=(places > places[read:, None])[None, None].float() * FAR_BELOW,
            encoder_hidden_states=past[2],  # not read: its keys and values are in the cache
            encoder_attention_mask=_hidden_keys(encoder_attention_mask),
            past_key_values=EncoderDecoderCache(own, cross),
            use_cache=True,
        )
        caches = [cache for layer in own.layers for cache in (layer.keys, layer.values)]  # pyright: ignore[reportAttributeAccessIssue]
        return output.logits, *cast("list[Tensor]", caches)

    def example(self) -> tuple[Tensor, ...]:
        """Return a small batch to trace."""
        heads = self.config.num_attention_heads
        lengths = (NUM_READ, NUM_READ, NUM_TOKENS, NUM_TOKENS) * self.config.num_hidden_layers
        return (
            _example_ids(NUM_READ + 1, self.config.vocab_size),
            _example_mask(),
            *(torch.zeros(NUM_ROWS, heads, length, self.config.hidden_size // heads) for length in lengths),
        )


def check_seq2seq(config: PreTrainedConfig) -> None:
    """Refuse a model whose encoder or decoder is not known.

    Raises:
        ModelError: All that is not supported.
    """
    fix = "predict with the checkpoint itself: --backend torch or torch-bf16"
    if not isinstance(config, EncoderDecoderConfig):
        kind = EncoderDecoderConfig.model_type
        problem = f"cannot be exported (supported encoder–decoders: {kind}); {fix}"
        raise ModelError(f"model_type {config.model_type}", problem)
    check_family(cast(PreTrainedConfig, config.encoder))
    kind = cast(PreTrainedConfig, config.decoder).model_type
    if kind != DECODER:
        raise ModelError(f"decoder of model_type {kind}", f"cannot be exported (supported: {DECODER}); {fix}")


class _Table(nn.Module):
    """Word embeddings that are the head's weights too, stored once, as the head multiplies: (D, V)."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.columns = nn.Parameter(weight.detach().t().contiguous())

    def forward(self, ids: Tensor) -> Tensor:
        return self.columns.index_select(1, ids.flatten()).t().unflatten(0, ids.shape)


class _Head(nn.Module):
    def __init__(self, table: _Table, bias: Tensor) -> None:
        super().__init__()
        self.table, self.bias = table, bias

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden @ self.table.columns + self.bias


def _store_once(decoder: PreTrainedModel) -> None:
    """Let the word embeddings and the head read one table, where their weights are tied."""
    words, head = decoder.get_input_embeddings(), cast(nn.Linear, decoder.get_output_embeddings())
    if words.weight is head.weight:
        table = _Table(head.weight)
        decoder.set_input_embeddings(table)
        decoder.set_output_embeddings(_Head(table, head.bias))


def _hidden_keys(mask: Tensor) -> Tensor:
    return (1.0 - mask[:, None, None, :].float()) * FAR_BELOW


def _example_ids(num_tokens: int, vocab_size: int) -> Tensor:
    return torch.arange(NUM_ROWS * num_tokens).view(NUM_ROWS, num_tokens) % vocab_size


def _example_mask() -> Tensor:
    mask = torch.ones(NUM_ROWS, NUM_TOKENS, dtype=torch.int64)
    mask[1, NUM_TOKENS // 2 :] = 0
    return mask
