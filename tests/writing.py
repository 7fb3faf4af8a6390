"""Easy tasks of writing, on a vocabulary of few words: a text is copied, or written backwards."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from tests import easy
from transformers import BertConfig, BertModel, EncoderDecoderModel

from tinybert.models.seq2seq import SpecialTokens, join_decoder, special_tokens, whole_state

WORDS = ["red", "blue", "fox", "owl", "rice", "soup", "hot", "cold"]
SIZE = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 16,
    "initializer_range": 0.1,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
SPECIAL = SpecialTokens(start=2, end=3, pad=0)

Row = dict[str, object]


def make_rows(count: int, *, seed: int = 0, backwards: bool = True, longest: int = 4) -> list[Row]:
    """Return different sources, each with its target."""
    rng = random.Random(seed)
    found: dict[str, Row] = {}
    while len(found) < count:
        words = rng.choices(WORDS, k=rng.randint(1, longest))
        source, target = " ".join(words), " ".join(reversed(words) if backwards else words)
        found[source] = {"source": source, "target": target}
    return list(found.values())


def write_splits(folder: Path, *, train: int, backwards: bool = True) -> Path:
    """Write three splits that share no source."""
    rows = make_rows(train + 60, backwards=backwards)
    splits = {"train": rows[:train], "validation": rows[train : train + 20], "test": rows[train + 20 :]}
    return easy.write_splits(folder, splits)


def save_encoder(folder: Path, **changes: object) -> Path:
    """Save a random encoder and its tokenizer."""
    return easy.save_encoder(folder, words=WORDS, **(SIZE | changes))


def make_pair(*, num_decoder_layers: int = 1, seed: int = 0, **changes: object) -> EncoderDecoderModel:
    """Return a random encoder and decoder."""
    torch.manual_seed(seed)
    sizes = SIZE | {"vocab_size": 5 + len(WORDS), "initializer_range": 0.3} | changes
    reader = BertModel(BertConfig(**sizes))
    return join_decoder(reader, SPECIAL, num_layers=num_decoder_layers, start="random", seed=seed)


def save_pair(folder: Path, **changes: object) -> Path:
    """Save a random encoder and decoder with their tokenizer."""
    model, tokenizer = make_pair(**changes), easy.make_tokenizer(WORDS)  # pyright: ignore[reportArgumentType]
    assert special_tokens(tokenizer) == SPECIAL
    model.save_pretrained(folder, state_dict=whole_state(model))
    tokenizer.save_pretrained(folder)
    return folder
