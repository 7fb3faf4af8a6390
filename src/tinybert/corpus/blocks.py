"""Documents → blocks: the rows of masked language modelling and of general distillation.

A block is a stretch of one document, as long as a model may read, with the special tokens around it. The
last block of a document is as short as it falls; batches of like length waste little on it. With
``cross_documents`` all blocks but the last are full: documents follow each other, a separator between them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinybert.checksums import is_kept, record_file
from tinybert.corpus.batches import batches_of, stored_texts
from tinybert.errors import DataError
from tinybert.language import Language, detect_language, word_spans
from tinybert.sources.arrow import temporary_folder, write_rows

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase

BLOCKS_AT_ONCE = 500

Pieces = tuple[NDArray[np.int32], NDArray[np.bool_]]
"""Piece numbers of a stretch of text, and where a piece continues the word of the one before it."""


def encode_blocks(
    documents: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    language: Language | Literal["auto"],
    cross_documents: bool = False,
    cache_dir: Path | None = None,
) -> Dataset:
    """Cut documents into blocks, on disk.

    Args:
        documents: Column ``text``, one document a row.
        tokenizer: A fast tokenizer with a token before and one behind a text, as BERT's.
        max_length: Tokens a block, special tokens included.
        language: Says what a word is: in Chinese several pieces are one; auto: each document's own.
        cross_documents: Fill each block with the beginning of the next document.
        cache_dir: Keep the result here, named by its content, and find it again.

    Returns:
        ``input_ids`` (int32), ``continues`` (bool: this piece is part of the word before it), ``length`` and
        ``row``; memory-mapped.

    Raises:
        DataError: The tokenizer is not a fast one, or puts no special tokens around a text.
    """
    from datasets import Dataset

    edges = _edges(tokenizer)
    folder = temporary_folder() if cache_dir is None else cache_dir
    key = f"{documents._fingerprint} {max_length} {language} {cross_documents} {_rules(tokenizer)}"  # pyright: ignore[reportPrivateUsage]
    file = folder / f"blocks-{hashlib.blake2b(key.encode(), digest_size=12).hexdigest()}.arrow"
    if not is_kept(file):
        pieces = _pieces(documents, tokenizer, language)
        body = max_length - len(edges)
        cuts = _joined(pieces, body, separator=edges[-1]) if cross_documents else _apart(pieces, body)
        write_rows(file, _schema(), _batches(cuts, edges))
        record_file(file)
    return Dataset.from_file(str(file))


def _rules(tokenizer: PreTrainedTokenizerBase) -> str:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise DataError("tokenizer", "only fast tokenizers are supported; load it with AutoTokenizer")
    return str(backend.to_str())


def _edges(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    if not isinstance(first, int) or not isinstance(last, int):
        raise DataError("tokenizer", "has no [CLS] and [SEP]; take that of a BERT-like encoder")
    return first, last


def _pieces(
    documents: Dataset, tokenizer: PreTrainedTokenizerBase, language: Language | Literal["auto"]
) -> Iterator[Pieces]:
    """Yield the pieces of each document."""
    for texts in batches_of(stored_texts(documents)):
        found = tokenizer(
            texts,
            add_special_tokens=False,
            truncation=False,
            padding=False,
            return_attention_mask=False,
            verbose=False,
        )
        for index, text in enumerate(texts):
            encoding: Encoding = found[index]  # pyright: ignore[reportAssignmentType, reportArgumentType]
            own = detect_language([text]) if language == "auto" else language
            yield np.asarray(encoding.ids, dtype=np.int32), _continues(encoding, text, own)


def _continues(encoding: Encoding, text: str, language: Language) -> NDArray[np.bool_]:
    """Return where a piece belongs to the same word as the one before it."""
    if language == "zh":  # the tokenizer parts all characters: ask the segmenter
        starts = np.asarray([start for start, _ in word_spans(text, language)] or [0])
        offsets = np.asarray([start for start, _ in encoding.offsets], dtype=np.int64)
        words = np.searchsorted(starts, offsets, side="right")
    else:
        words = np.asarray(encoding.word_ids, dtype=np.float64)
    return np.r_[False, words[1:] == words[:-1]][: len(words)]


def _apart(pieces: Iterator[Pieces], body: int) -> Iterator[Pieces]:
    for ids, continues in pieces:
        for start in range(0, len(ids), body):
            yield ids[start : start + body], continues[start : start + body]


def _joined(pieces: Iterator[Pieces], body: int, *, separator: int) -> Iterator[Pieces]:
    """Yield full blocks of documents laid end to end, a separator between two."""
    held: Pieces = (np.empty(0, np.int32), np.empty(0, np.bool_))
    for ids, continues in pieces:
        between = [separator] if len(held[0]) else []
        held = (
            np.r_[held[0], between, ids].astype(np.int32),
            np.r_[held[1], [False] * len(between), continues],
        )
        held = (held[0], held[1].astype(np.bool_))
        full = len(held[0]) // body * body
        for start in range(0, full, body):
            yield held[0][start : start + body], held[1][start : start + body]
        held = (held[0][full:], held[1][full:])
    if len(held[0]):
        yield held


def _batches(cuts: Iterator[Pieces], edges: tuple[int, int]) -> Iterator[dict[str, Sequence[Any]]]:
    first, last = edges
    batch: dict[str, list[Any]] = {"input_ids": [], "continues": []}
    num_rows = 0
    for ids, continues in cuts:
        batch["input_ids"].append(np.r_[first, ids, last].astype(np.int32))
        batch["continues"].append(np.r_[False, False, continues[1:], False])
        if len(batch["input_ids"]) == BLOCKS_AT_ONCE:
            yield _counted(batch, num_rows)
            num_rows += BLOCKS_AT_ONCE
            batch = {"input_ids": [], "continues": []}
    if batch["input_ids"]:
        yield _counted(batch, num_rows)


def _counted(batch: dict[str, list[Any]], before: int) -> dict[str, Sequence[Any]]:
    lengths = [len(ids) for ids in batch["input_ids"]]
    return {**batch, "length": lengths, "row": range(before, before + len(lengths))}


def _schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        {
            "input_ids": pa.list_(pa.int32()),
            "continues": pa.list_(pa.bool_()),
            "length": pa.int32(),
            "row": pa.int64(),
        }
    )
