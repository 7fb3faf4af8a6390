"""Encoded rows in, written texts out: an encoder–decoder over batches of rows of like length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tinybert.inference.backends import Seq2SeqEngine, Tokens
from tinybert.inference.batches import Columns, batches_of, padded
from tinybert.inference.decoding import Generated, generate
from tinybert.models.generation import GenerationSettings
from tinybert.tasks import WrittenText

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def write_rows(
    engine: Seq2SeqEngine,
    features: Columns,
    settings: GenerationSettings,
    *,
    tokenizer: PreTrainedTokenizerBase,
    batch_size: int,
) -> list[WrittenText]:
    """Return the text that is written of each row, in the order of the rows.

    Args:
        engine: Runs the model.
        features: ``input_ids`` and maybe ``token_type_ids`` of the rows.
        settings: How texts are written.
        tokenizer: Turns tokens into text.
        batch_size: Most rows of a batch.
    """
    lengths = np.array([len(row) for row in features["input_ids"]])
    found: list[WrittenText | None] = [None] * len(lengths)
    for group in batches_of(lengths, batch_size=batch_size):
        for row, text in zip(group, write_batch(engine, features, group, settings, tokenizer), strict=True):
            found[row] = text
    return cast("list[WrittenText]", found)


def write_batch(
    engine: Seq2SeqEngine,
    features: Columns,
    rows: Sequence[int],
    settings: GenerationSettings,
    tokenizer: PreTrainedTokenizerBase,
) -> list[WrittenText]:
    """Return the text of some rows that are run together, the longest of which comes first."""
    batch = padded(features, rows, pad_token_id=settings.pad_token_id)
    return [candidates[0] for candidates in write_candidates(engine, batch, settings, tokenizer)]


def write_candidates(
    engine: Seq2SeqEngine,
    batch: Tokens,
    settings: GenerationSettings,
    tokenizer: PreTrainedTokenizerBase,
    *,
    num_return: int = 1,
) -> list[list[WrittenText]]:
    """Return the best texts of each row of a batch, the likeliest first."""
    found = generate(engine, batch, settings, num_return=num_return)
    return [[as_text(each, tokenizer) for each in candidates] for candidates in found]


def as_text(generated: Generated, tokenizer: PreTrainedTokenizerBase) -> WrittenText:
    """Return the text of some tokens."""
    ids: Any = generated.token_ids
    text = cast(str, tokenizer.decode(ids, skip_special_tokens=True)).strip()
    num_tokens = len(generated.token_ids) + generated.is_finished
    return WrittenText(text, generated.score, num_tokens, generated.is_finished)


def greedy(settings: GenerationSettings) -> GenerationSettings:
    """Return settings that write the likeliest token at each step: quick, for validation in training."""
    return replace(settings, num_beams=1, do_sample=False)
