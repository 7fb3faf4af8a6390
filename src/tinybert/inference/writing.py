"""Encoded rows in, written texts out: an encoder–decoder over batches of rows of like length."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from tokenizers.decoders import WordPiece

from tinybert.inference.backends import Seq2SeqEngine, Tokens
from tinybert.inference.batches import Columns, batches_of, padded
from tinybert.inference.decoding import Generated, generate, stream
from tinybert.models.generation import GenerationSettings
from tinybert.tasks import WrittenText

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

INCOMPLETE = "\ufffd"
"""What stands for bytes that are no character, or not yet."""
BYTE = re.compile("<0x[0-9A-F]{2}>")
BETWEEN_CHINESE = re.compile(r"(?<=[{0}]) (?=[{0}])".format("\u3000-\u303f\u3400-\u9fff\uff01-\uff65"))
LAST_WORDS = re.compile(r"(^|\s+)(\S+\s+){0,2}\S*$")


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
        batch = padded(features, group, pad_token_id=settings.pad_token_id)
        for row, texts in zip(group, write_candidates(engine, batch, settings, tokenizer), strict=True):
            found[row] = texts[0]
    return cast("list[WrittenText]", found)


def write_candidates(
    engine: Seq2SeqEngine,
    batch: Tokens,
    settings: GenerationSettings,
    tokenizer: PreTrainedTokenizerBase,
    *,
    num_return: int = 1,
    seed: int = 0,
) -> list[list[WrittenText]]:
    """Return the best texts of each row of a batch, the likeliest first; ``seed`` is that of sampling."""
    rng = _generators(batch, seed=seed, num_return=num_return) if settings.do_sample else None
    found = generate(engine, batch, settings, num_return=num_return, rng=rng)
    return [[as_text(each, tokenizer) for each in candidates] for candidates in found]


def _generators(batch: Tokens, *, seed: int, num_return: int = 1) -> list[np.random.Generator]:
    """Return what each text of each row is drawn with: it depends on the row alone, not on its batch."""
    rows = zip(batch["input_ids"], batch["attention_mask"], strict=True)
    sources = [ids[mask == 1].tolist() for ids, mask in rows]
    return [np.random.default_rng([seed, copy, *ids]) for ids in sources for copy in range(num_return)]


def with_candidates(candidates: Sequence[WrittenText]) -> WrittenText:
    """Return the best of some texts, beside which the others stand where there are several to be returned."""
    return replace(candidates[0], candidates=tuple(candidates))


def stream_text(
    engine: Seq2SeqEngine,
    batch: Tokens,
    settings: GenerationSettings,
    tokenizer: PreTrainedTokenizerBase,
    *,
    seed: int = 0,
) -> Generator[str, None, WrittenText]:
    """Write the text of the only row of a batch, piece by piece; return all of it.

    A piece is what can no longer change, see :func:`settled`: the pieces joined are the text.
    """
    rng = _generators(batch, seed=seed) if settings.do_sample else None
    steps = stream(engine, batch, settings, rng=rng)
    shown = ""
    while True:
        try:
            ids = next(steps)
        except StopIteration as end:
            written = as_text(end.value, tokenizer)
            break
        text = settled(ids, tokenizer)
        if len(text) > len(shown):
            yield text[len(shown) :]
            shown = text
    if written.text[len(shown) :]:
        yield written.text[len(shown) :]
    return written


def settled(ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the text of the first tokens of a longer text, without what the next ones may change.

    These are spaces at the end and characters whose bytes are not all there. A tokenizer that writes bytes as
    tokens of their own (``<0xE4>``) may take back each of a run of them, and one that removes the spaces
    before punctuation afterwards up to three words.

    ``tokenizers.decoders.DecodeStream`` knows of neither, nor that spaces around a text are removed.
    """
    kept, unseen = list(ids), set(tokenizer.all_special_ids)
    while kept and (kept[-1] in unseen or BYTE.fullmatch(str(tokenizer.convert_ids_to_tokens(kept[-1])))):
        kept.pop()
    text = text_of(kept, tokenizer).rstrip(INCOMPLETE).rstrip()
    if getattr(tokenizer, "clean_up_tokenization_spaces", False):
        return LAST_WORDS.sub("", text)
    return text


def text_of(ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the text of some tokens; WordPiece's without its spaces between Chinese characters."""
    text = cast(str, tokenizer.decode(list(ids), skip_special_tokens=True)).strip()
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return BETWEEN_CHINESE.sub("", text) if isinstance(getattr(backend, "decoder", None), WordPiece) else text


def as_text(generated: Generated, tokenizer: PreTrainedTokenizerBase) -> WrittenText:
    """Return the text that was written, with its score."""
    num_tokens = len(generated.token_ids) + generated.is_finished
    text = text_of(generated.token_ids, tokenizer)
    return WrittenText(text, generated.score, num_tokens, generated.is_finished)


def greedy(settings: GenerationSettings) -> GenerationSettings:
    """Return settings that write the likeliest token at each step: quick, for validation in training."""
    return replace(settings, num_beams=1, do_sample=False)
