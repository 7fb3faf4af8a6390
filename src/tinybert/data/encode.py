"""From text to tensors in four steps, one function each.

1. :func:`tokenise` cuts a text into word pieces: ``"unhappily"`` → ``["un", "##ha", "##pp", "##ily"]``.
2. :func:`encode` turns pieces into the numbers of the vocabulary, puts the special tokens around them and
   cuts what is too long.
3. :func:`pad` makes the rows of one batch equally long and says which positions are real.
4. :meth:`tinybert.data.LabelScheme.convert` turns the label into a number.

:func:`encode_split` does step 2 for a whole split and keeps the result on disk, so that two million rows need
no more memory than two thousand; step 3 happens batch by batch, in :mod:`tinybert.data.collate`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tinybert.data.labels import LabelKind
from tinybert.data.windows import (
    PLACES,
    Columns,
    answer_pieces,
    encode_same_windows,
    encode_whole,
    encode_windows,
    tags_of_pieces,
    words_of_pieces,
)
from tinybert.errors import DataError
from tinybert.sources.arrow import temporary_folder, write_rows

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

ROWS_AT_ONCE = 2000
MAX_ROWS_SAMPLED = 10_000
IGNORED_CLASS = -100
WINDOWED: tuple[LabelKind, ...] = ("tags", "span")
"""Kinds of label that belong to places in the text: a long row is read in windows, nothing is cut."""


@dataclass(frozen=True)
class Form:
    """What an encoded row is.

    Attributes:
        kind: Of the label: it says whether a row is a whole text or a window.
        every_piece: For tags, teach every piece of a word, not only the first.
        places: Keep the place of every piece in the text; windows always have them.
    """

    kind: LabelKind = "single"
    every_piece: bool = False
    places: bool = False


WHOLE = Form()


@dataclass(frozen=True)
class Truncation:
    """What a maximum length cuts off.

    Attributes:
        rows: How many of the sampled rows are cut.
        tokens_cut: How many tokens they lose together.
        longest: The longest sampled row in tokens, special tokens included.
        sampled: How many rows were looked at.
    """

    rows: int
    tokens_cut: int
    longest: int
    sampled: int


def gold_labels(rows: Dataset, kind: LabelKind) -> np.ndarray | list[object]:
    """Return a split's labels: an array where a text has one, a list where labels belong to places in it."""
    labels = list(rows["label"])
    return labels if kind in WINDOWED else np.asarray(labels)


def tokenise(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[list[str]]:
    """Step 1: cut each text into word pieces, whole, without special tokens."""
    if not texts:
        return []
    found = tokenizer(list(texts), add_special_tokens=False, truncation=False, padding=False, verbose=False)
    return [found.tokens(index) for index in range(len(texts))]


def encode(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    text_pairs: Sequence[str] | None = None,
    *,
    max_length: int,
) -> dict[str, list[list[int]]]:
    """Step 2: turn texts into rows of token numbers, special tokens included, not padded.

    A pair loses tokens from whichever text is longer. Truncation and padding that the tokenizer's own file
    fixes are overridden.

    Args:
        tokenizer: A fast tokenizer.
        texts: One text a row.
        text_pairs: The second text of each row, or None.
        max_length: Longest row in tokens, special tokens included.

    Returns:
        ``input_ids``, and ``token_type_ids`` when the tokenizer gives them; lists as long as ``texts``.
    """
    if not texts:
        return {"input_ids": []}
    pairs = None if text_pairs is None else list(text_pairs)
    found = tokenizer(
        list(texts),
        pairs,
        truncation="longest_first",
        max_length=max_length,
        padding=False,
        return_attention_mask=False,
    )
    wanted = ("input_ids", "token_type_ids")
    return {key: cast(list[list[int]], found[key]) for key in wanted if key in found}


def pad(
    rows: Sequence[Mapping[str, Sequence[int]]],
    *,
    pad_token_id: int,
) -> dict[str, Tensor]:
    """Step 3: make the rows of one batch as long as its longest.

    Args:
        rows: Each with ``input_ids`` (L_row,) and perhaps ``token_type_ids`` (L_row,).
        pad_token_id: What fills the empty positions of ``input_ids``.

    Returns:
        int64 tensors (B, L): ``input_ids``, ``attention_mask`` (1 where a token is real), and
        ``token_type_ids``, ``continues`` (bool), ``words``, ``piece_starts`` and ``piece_ends`` when the rows
        have them.

    Example:
        >>> pad([{"input_ids": [5, 6]}, {"input_ids": [7]}], pad_token_id=0)["attention_mask"].tolist()
        [[1, 1], [1, 0]]
    """
    import torch

    longest = max(len(row["input_ids"]) for row in rows)
    fills = {"input_ids": pad_token_id, "token_type_ids": 0, "continues": False}
    fills |= {"words": -1, **dict.fromkeys(PLACES, -1)}
    batch = {
        key: torch.tensor([[*row[key], *[fill] * (longest - len(row[key]))] for row in rows])
        for key, fill in fills.items()
        if key in rows[0]
    }
    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    batch["attention_mask"] = (torch.arange(longest) < lengths[:, None]).long()
    return batch


def encode_split(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    form: Form = WHOLE,
    prefix: str = "",
    like: Dataset | None = None,
    cache_dir: str | Path | None = None,
) -> Dataset:
    """Encode a whole split into a memory-mapped data set.

    Args:
        dataset: As :func:`tinybert.data.load` has it.
        tokenizer: A fast tokenizer.
        max_length: Longest row in tokens.
        form: What an encoded row is: a whole text, or a window of one.
        prefix: ``"teacher_"`` for the columns of a teacher with another tokenizer; then only the token
            columns and their places are written, to be laid beside the student's.
        like: The student's windows, which the teacher is to read.
        cache_dir: Keep the result here, named by its content, and find it again; else in a temporary folder
            that disappears when Python exits.

    Returns:
        ``input_ids``, ``token_type_ids`` when the tokenizer gives them, with places ``piece_starts`` and
        ``piece_ends`` (see :mod:`tinybert.data.windows`), and without a prefix ``length`` (tokens), ``row``
        (index of the encoded row), for windows ``example`` (index within the split), for tags ``words``, and
        ``labels``. An unlabelled row has -100 (a class, a tag, a place), NaN (a number) or a row of NaN
        (several classes); a multi-label split without any label has no ``labels``.
    """
    from datasets import Dataset

    folder = temporary_folder() if cache_dir is None else Path(cache_dir)
    key = _key(dataset, tokenizer, max_length=max_length, form=form, prefix=prefix, like=like)
    file = folder / f"encoded-{key}.arrow"
    if not file.is_file():
        schema = _schema(dataset, tokenizer, form, prefix)
        batches = _encoded_batches(
            dataset, tokenizer, max_length=max_length, form=form, schema=schema, prefix=prefix, like=like
        )
        write_rows(file, schema, batches)
    return Dataset.from_file(str(file))


def count_truncated(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, *, max_length: int) -> Truncation:
    """Count what ``max_length`` cuts off, on at most 10,000 rows spread evenly over the split."""
    step = max(1, math.ceil(len(dataset) / MAX_ROWS_SAMPLED))
    rows = cut = longest = sampled = 0
    for start in range(0, len(dataset), step * ROWS_AT_ONCE):
        batch = dataset[list(range(start, min(start + step * ROWS_AT_ONCE, len(dataset)), step))]
        found = tokenizer(
            batch["text"], batch.get("text_pair"), truncation=False, padding=False, verbose=False
        )
        lengths = [len(ids) for ids in cast(list[list[int]], found["input_ids"])]
        over = [length - max_length for length in lengths if length > max_length]
        rows, cut, sampled = rows + len(over), cut + sum(over), sampled + len(lengths)
        longest = max(longest, *lengths)
    return Truncation(rows, cut, longest, sampled)


def _encoded_batches(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    form: Form,
    schema: pa.Schema,
    prefix: str,
    like: Dataset | None,
) -> Iterator[dict[str, Sequence[Any]]]:
    num_labels = _num_labels(dataset) if form.kind not in WINDOWED else None
    examples = None if like is None else np.asarray(like["example"])
    num_rows = 0
    for start in range(0, len(dataset), ROWS_AT_ONCE):
        batch = dataset[start : start + ROWS_AT_ONCE]
        if like is not None and examples is not None:
            first, last = np.searchsorted(examples, [start, start + ROWS_AT_ONCE]).tolist()
            windows = like[first:last]
            windows["example"] = [example - start for example in windows["example"]]
            found = encode_same_windows(tokenizer, batch, windows, max_length=max_length)
        else:
            found = encode_columns(tokenizer, batch, form, max_length=max_length)
        columns: dict[str, Sequence[Any]] = {prefix + key: value for key, value in found.items()}
        if not prefix:
            columns["length"] = [len(ids) for ids in found["input_ids"]]
            columns["row"] = range(num_rows, num_rows + len(columns["length"]))
            num_rows += len(columns["length"])
        if "example" in columns:
            columns["example"] = [start + example for example in found["example"]]
        if "labels" in schema.names and "labels" not in columns:
            empty = _empty_label(schema, num_labels)
            columns["labels"] = [empty if label is None else label for label in batch["label"]]
        yield {name: columns[name] for name in schema.names}


def encode_columns(
    tokenizer: PreTrainedTokenizerBase, batch: Mapping[str, Sequence[Any]], form: Form, *, max_length: int
) -> Columns:
    """Encode some rows: step 2 for a whole text, or for the windows of a long one.

    Args:
        tokenizer: A fast tokenizer.
        batch: ``text``, ``text_pair``, ``word_starts``, ``word_ends``, ``label``: those there are.
        form: What an encoded row is.
        max_length: Longest row in tokens.

    Returns:
        The token columns, and for windows ``example``, ``words`` (tags) and ``labels`` (where there are any).
    """
    texts, pairs = batch["text"], batch.get("text_pair")
    if form.kind not in WINDOWED:
        encoder = encode_whole if form.places else encode
        return cast(Columns, encoder(tokenizer, texts, pairs, max_length=max_length))
    found = encode_windows(tokenizer, texts, pairs, max_length=max_length)
    labels = batch.get("label")
    if form.kind == "tags":
        firsts = words_of_pieces(found, batch)
        found["words"] = words_of_pieces(found, batch, every_piece=True) if form.every_piece else firsts
        if labels is not None:
            tags = [labels[row] or [] for row in found["example"]]
            found["labels"] = tags_of_pieces(found["words"], tags, firsts)
    elif labels is not None:
        found["labels"] = answer_pieces(found, batch, labels)
    return found


def _schema(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, form: Form, prefix: str) -> pa.Schema:
    import pyarrow as pa

    tokens = list(encode(tokenizer, ["a"], max_length=8))
    tokens += list(PLACES) if form.places or form.kind in WINDOWED else []
    fields = [pa.field(prefix + name, pa.list_(pa.int32())) for name in tokens]
    if prefix:
        return pa.schema(fields)
    fields += [pa.field("length", pa.int32()), pa.field("row", pa.int64())]
    if form.kind in WINDOWED:
        fields.append(pa.field("example", pa.int64()))
    if form.kind == "tags":
        fields.append(pa.field("words", pa.list_(pa.int32())))
    if "label" in dataset.column_names:
        kind = dataset.features.arrow_schema.field("label").type
        if form.kind in WINDOWED:
            fields.append(pa.field("labels", pa.list_(pa.int64())))
        elif not pa.types.is_list(kind) or _num_labels(dataset) is not None:
            fields.append(pa.field("labels", kind))
    return pa.schema(fields)


def _empty_label(schema: pa.Schema, num_labels: int | None) -> int | float | list[float]:
    import pyarrow as pa

    kind = schema.field("labels").type
    if pa.types.is_list(kind):
        return [math.nan] * (num_labels or 0)
    return math.nan if pa.types.is_floating(kind) else IGNORED_CLASS


def _num_labels(dataset: Dataset) -> int | None:
    """Width of a multi-label row: that of the first labelled one."""
    if "label" not in dataset.column_names:
        return None
    for start in range(0, len(dataset), ROWS_AT_ONCE):
        for label in dataset[start : start + ROWS_AT_ONCE]["label"]:
            if isinstance(label, list):
                return len(cast(list[float], label))
            if label is not None:
                return None
    return None


def _key(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    form: Form,
    prefix: str,
    like: Dataset | None,
) -> str:
    """Name an encoded split by what went into it."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise DataError("tokenizer", "only fast tokenizers are supported; load it with AutoTokenizer")
    encode(tokenizer, ["a"], max_length=max_length)  # sets truncation and padding: part of what is hashed
    digest = hashlib.blake2b(f"{max_length} {form} {prefix} {backend.to_str()}".encode(), digest_size=12)
    places = None if like is None else like.select_columns(["example", *PLACES])
    for rows in (dataset, places):
        for start in range(0, 0 if rows is None else len(rows), ROWS_AT_ONCE):
            assert rows is not None
            digest.update(repr(rows[start : start + ROWS_AT_ONCE]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
