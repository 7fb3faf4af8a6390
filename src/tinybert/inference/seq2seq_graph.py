"""An encoder–decoder as an exporter sees it: the encoder, and the decoder with its cache as plain tensors.

Shapes: R rows, S tokens of a padded text, T tokens that the decoder reads, P that it has read before, D width of
the decoder, V pieces of its vocabulary, H heads, d width of a head.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache, EncoderDecoderModel, PreTrainedModel

from tinybert.inference.graph import FAR_BELOW, check_family, plain_layers

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


class DecoderGraph(nn.Module):
    """The decoder: tokens and caches in, logits and longer caches out.

    Its self-attention's cache is ``decoder.key`` and ``decoder.value`` of each layer, (R, H, P, d); the keys and
    values that it reads the encoder's output through are ``encoder.key`` and ``encoder.value``, (R, H, S, d).
    """

    def __init__(self, model: EncoderDecoderModel) -> None:
        super().__init__()
        self.decoder = copy.deepcopy(cast(PreTrainedModel, model.decoder))
        self.decoder.set_attn_implementation("eager")
        _store_once(self.decoder)
        self.config = self.decoder.config
        self.eval()

    def forward(
        self, input_ids: Tensor, encoder_attention_mask: Tensor, encoder_hidden_states: Tensor, *past: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the logits, (R, T, V), and the caches in the order of ``past``.

        Args:
            input_ids: (R, T).
            encoder_attention_mask: (R, S).
            encoder_hidden_states: (R, S, D); only read where there is no past.
            past: Of each layer ``decoder.key``, ``decoder.value``, ``encoder.key``, ``encoder.value``; none: the
                first step. Of the last two nothing is returned then (length 0): they stay what they are.
        """
        cache = _cache(past)
        read = past[0].shape[2] if past else 0
        places = torch.arange(read + input_ids.shape[1])
        output = self.decoder(
            input_ids,
            attention_mask=(places > places[read:, None])[None, None].float() * FAR_BELOW,
            encoder_hidden_states=encoder_hidden_states,
            encoder_attention_mask=_hidden_keys(encoder_attention_mask),
            past_key_values=cache,
            use_cache=True,
        )
        present = [output.logits]
        for own, cross in zip(cache.self_attention_cache.layers, cache.cross_attention_cache.layers, strict=True):
            fresh = [states[:, :, :0] if past else states for states in (cross.keys, cross.values)]
            present += [own.keys, own.values, *fresh]
        return tuple(present)

    def example(self, *, past: bool) -> tuple[Tensor, ...]:
        """Return a small batch to trace, of a first step or of a later one."""
        config = self.config
        heads, width = config.num_attention_heads, config.hidden_size
        lengths = (NUM_READ + 1, NUM_READ + 1, NUM_TOKENS, NUM_TOKENS) * config.num_hidden_layers
        return (
            _example_ids(NUM_READ, config.vocab_size),
            _example_mask(),
            torch.zeros(NUM_ROWS, NUM_TOKENS, width),
            *(torch.zeros(NUM_ROWS, heads, length, width // heads) for length in lengths if past),
        )


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


def _cache(past: tuple[Tensor, ...]) -> EncoderDecoderCache:
    own, cross = DynamicCache(), DynamicCache()
    for layer in range(len(past) // 4):
        own_key, own_value, cross_key, cross_value = past[4 * layer : 4 * layer + 4]
        own.update(own_key, own_value, layer)
        cross.update(cross_key, cross_value, layer)
    return EncoderDecoderCache(own, cross)


def _hidden_keys(mask: Tensor) -> Tensor:
    return (1.0 - mask[:, None, None, :].float()) * FAR_BELOW


def _example_ids(num_tokens: int, vocab_size: int) -> Tensor:
    return torch.arange(NUM_ROWS * num_tokens).view(NUM_ROWS, num_tokens) % vocab_size


def _example_mask() -> Tensor:
    mask = torch.ones(NUM_ROWS, NUM_TOKENS, dtype=torch.int64)
    mask[1, NUM_TOKENS // 2 :] = 0
    return mask
