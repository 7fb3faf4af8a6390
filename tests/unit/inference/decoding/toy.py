"""A decoder that is a table, settings for it, and all that it can write."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from tinybert.models.generation import GenerationSettings

START, END = 0, 1
Table = Callable[[int, tuple[int, ...]], np.ndarray]
"""The row's first token and what has been read → logits (V,)."""


class TableDecoder:
    """Looks its logits up; notes how many rows each step had."""

    def __init__(self, table: Table, batch) -> None:
        self.table = table
        self.sources = [int(row[0]) for row in batch["input_ids"]]
        self.read: list[tuple[int, ...]] = [()] * len(self.sources)
        self.num_rows: list[int] = []

    def step(self, tokens):
        self.num_rows.append(len(tokens))
        self.read = [(*read, int(token)) for read, token in zip(self.read, tokens, strict=True)]
        logits = [self.table(source, read) for source, read in zip(self.sources, self.read, strict=True)]
        return np.array(logits, dtype=np.float32)

    def select(self, rows) -> None:
        self.sources = [self.sources[row] for row in rows]
        self.read = [self.read[row] for row in rows]


class TableEngine:
    def __init__(self, table: Table) -> None:
        self.table = table
        self.decoder: TableDecoder | None = None

    def __call__(self, batch) -> TableDecoder:
        self.decoder = TableDecoder(self.table, batch)
        return self.decoder


def random_table(vocabulary: int, *, spread: float = 2.0) -> Table:
    """Logits that depend on the source and all that has been read."""

    def logits(source: int, read: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng((source, *read)).normal(0, spread, vocabulary).astype(np.float32)

    return logits


def fixed_table(logits) -> Table:
    return lambda source, read: np.array(logits, dtype=np.float32)


def rows(count: int) -> dict[str, np.ndarray]:
    ids = np.arange(2, 2 + count, dtype=np.int64)[:, None]
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def settings(**changes) -> GenerationSettings:
    values = {"decoder_start_token_id": START, "eos_token_ids": (END,), "pad_token_id": START}
    return GenerationSettings(**{**values, "max_new_tokens": 6, **changes})


def log_softmax(logits) -> np.ndarray:
    logits = np.asarray(logits, dtype=np.float64)
    return logits - np.log(np.exp(logits).sum())


def all_texts(vocabulary: int, length: int) -> list[tuple[int, ...]]:
    """All texts of up to so many tokens, their end included, and those that are cut there."""
    words = [token for token in range(vocabulary) if token != END]
    ended = [(*text, END) for size in range(length) for text in itertools.product(words, repeat=size)]
    return [*ended, *itertools.product(words, repeat=length)]


def table_log_prob(table: Table, source: int, text: tuple[int, ...]) -> float:
    read = (START, *text)
    return sum(log_softmax(table(source, read[: at + 1]))[token] for at, token in enumerate(text))
