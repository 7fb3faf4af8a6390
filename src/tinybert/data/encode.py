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

from tinybert.checksums import is_kept, record_file
from tinybert.data.row_format import RowFormat
from tinybert.data.windows import NOWHERE, OFFSETS, encode_same_windows, encode_whole
from tinybert.errors import DataError
from tinybert.sources.arrow import temporary_folder, write_rows

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

ROWS_AT_ONCE = 2000
IGNORED_CLASS = -100
TARGET_LENGTH = "target_length"
"""Column of the number of tokens of a target that is a text of its own."""


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
        rows: Each with ``input_ids`` (L_row,) and perhaps other columns of one value a token.
        pad_token_id: What fills the empty positions of ``input_ids``.

    Returns:
        int64 tensors (B, L): ``attention_mask`` (1 where a token is real), and each column, -1 at padding;
        0 in ``token_type_ids``, false in ``continues`` (bool).

    Example:
        >>> pad([{"input_ids": [5, 6]}, {"input_ids": [7]}], pad_token_id=0)["attention_mask"].tolist()
        [[1, 1], [1, 0]]
    """
    import torch

    longest = max(len(row["input_ids"]) for row in rows)
    fills = {"input_ids": pad_token_id, "token_type_ids": 0, "continues": False}
    batch = {
        key: torch.tensor(
            [[*row[key], *[fills.get(key, NOWHERE)] * (longest - len(row[key]))] for row in rows]
        )
        for key in rows[0]
    }
    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    batch["attention_mask"] = (torch.arange(longest) < lengths[:, None]).long()
    return batch


def encode_split(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    format: RowFormat | None = None,
    offsets: bool = False,
    prefix: str = "",
    like: Dataset | None = None,
    cache_dir: str | Path | None = None,
) -> Dataset:
    """Encode a whole split into a memory-mapped data set.

    Args:
        dataset: As :func:`tinybert.data.load` has it.
        tokenizer: A fast tokenizer.
        max_length: Longest row in tokens.
        format: What a row is; a whole text or pair when None.
        offsets: Keep the offsets of every piece in the text; windows always have them.
        prefix: ``"teacher_"`` for the columns of a teacher with another tokenizer; then only the token
            columns and their offsets are written, to be laid beside the student's.
        like: The student's windows, which the teacher is to read.
        cache_dir: Keep the result here, named by its content, and find it again; else in a temporary folder
            that disappears when Python exits.

    Returns:
        ``input_ids``, ``token_type_ids`` when the tokenizer gives them, with offsets ``piece_starts`` and
        ``piece_ends`` (see :mod:`tinybert.data.windows`), and without a prefix ``length`` (tokens), ``row``
        (index of the encoded row), for windows ``example`` (index within the split) and the format's own
        columns, and ``labels``; all windows of a text have its label. An unlabelled row has -100 (whole
        numbers), NaN (a number) or a row of NaN (a list of numbers); a split of lists without a label has no
        ``labels``.
    """
    from datasets import Dataset

    folder = temporary_folder() if cache_dir is None else Path(cache_dir)
    encoding = _Encoding(tokenizer, max_length, format, offsets=offsets, prefix=prefix, like=like)
    key = _key(dataset, encoding)
    file = folder / f"encoded-{key}.arrow"
    if not is_kept(file):
        schema = _schema(dataset, encoding)
        write_rows(file, schema, _encoded_batches(dataset, encoding, schema))
        record_file(file)
    return Dataset.from_file(str(file))


@dataclass(frozen=True)
class _Encoding:
    """How a split is encoded; see :func:`encode_split`."""

    tokenizer: PreTrainedTokenizerBase
    max_length: int
    format: RowFormat | None
    offsets: bool
    prefix: str
    like: Dataset | None

    @property
    def windowed(self) -> bool:
        return self.format is not None and self.format.windowed

    @property
    def in_windows(self) -> bool:
        return self.format is not None and self.format.in_windows

    @property
    def encodes_labels(self) -> bool:
        return self.format is not None and (self.format.windowed or self.format.encodes_labels)

    def encode(self, batch: dict[str, Any], start: int) -> dict[str, list[Any]]:
        """Encode some rows, the first of which is row ``start`` of the split."""
        if self.like is not None:
            windows = _windows_of(self.like, start)
            return encode_same_windows(self.tokenizer, batch, windows, max_length=self.max_length)
        encoder = encode_text if self.format is None else self.format.encode
        return encoder(self.tokenizer, batch, max_length=self.max_length, offsets=self.offsets)


def encode_text(
    tokenizer: PreTrainedTokenizerBase,
    batch: Mapping[str, Sequence[Any]],
    *,
    max_length: int,
    offsets: bool = False,
) -> dict[str, list[Any]]:
    """Encode the columns ``text`` and maybe ``text_pair``, one row each; what is too long is truncated."""
    encoder = encode_whole if offsets else encode
    return cast(
        "dict[str, list[Any]]",
        encoder(tokenizer, batch["text"], batch.get("text_pair"), max_length=max_length),
    )


def _windows_of(like: Dataset, start: int) -> dict[str, Any]:
    """Return the windows of the rows from ``start`` on, their examples counted from there."""
    first, last = np.searchsorted(np.asarray(like["example"]), [start, start + ROWS_AT_ONCE]).tolist()
    windows = like[first:last]
    windows["example"] = [example - start for example in windows["example"]]
    return windows


def _encoded_batches(
    dataset: Dataset, encoding: _Encoding, schema: pa.Schema
) -> Iterator[dict[str, Sequence[Any]]]:
    num_labels = None if encoding.encodes_labels else _num_labels(dataset)
    num_rows = 0
    for start in range(0, len(dataset), ROWS_AT_ONCE):
        batch = dataset[start : start + ROWS_AT_ONCE]
        found = encoding.encode(batch, start)
        columns: dict[str, Sequence[Any]] = {encoding.prefix + key: value for key, value in found.items()}
        if not encoding.prefix:
            columns["length"] = [len(ids) for ids in found["input_ids"]]
            columns["row"] = range(num_rows, num_rows + len(columns["length"]))
            num_rows += len(columns["length"])
        if "example" in columns:
            columns["example"] = [start + example for example in found["example"]]
        if TARGET_LENGTH in schema.names:
            columns[TARGET_LENGTH] = [len(ids) for ids in found["labels"]]
        if "labels" in schema.names and "labels" not in columns:
            empty = _empty_label(schema, num_labels)
            labels = [empty if label is None else label for label in batch["label"]]
            columns["labels"] = [labels[row] for row in found["example"]] if "example" in found else labels
        yield {name: columns[name] for name in schema.names}


def _schema(dataset: Dataset, encoding: _Encoding) -> pa.Schema:
    import pyarrow as pa

    prefix, pieces = encoding.prefix, pa.list_(pa.int32())
    tokens = list(encode(encoding.tokenizer, ["a"], max_length=8))
    tokens += list(OFFSETS) if encoding.offsets or encoding.windowed else []
    fields = [pa.field(prefix + name, pieces) for name in tokens]
    if prefix:
        return pa.schema(fields)
    fields += [pa.field("length", pa.int32()), pa.field("row", pa.int64())]
    if encoding.in_windows:
        fields.append(pa.field("example", pa.int64()))
    if encoding.format is not None:
        fields += [pa.field(name, pieces) for name in encoding.format.window_columns]
    if "label" in dataset.column_names:
        kind = dataset.features.arrow_schema.field("label").type
        if encoding.encodes_labels:
            fields.append(pa.field("labels", pa.list_(pa.int64())))
            fields += [] if encoding.windowed else [pa.field(TARGET_LENGTH, pa.int32())]
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


def _key(dataset: Dataset, encoding: _Encoding) -> str:
    """Name an encoded split by what went into it."""
    tokenizer = encoding.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise DataError("tokenizer", "only fast tokenizers are supported; load it with AutoTokenizer")
    encode(tokenizer, ["a"], max_length=encoding.max_length)  # sets truncation and padding: part of the hash
    how = f"{encoding.max_length} {encoding.format} {encoding.offsets} {encoding.prefix} {backend.to_str()}"
    digest = hashlib.blake2b(how.encode(), digest_size=12)
    windows = None if encoding.like is None else encoding.like.select_columns(["example", *OFFSETS])
    for rows in (each for each in (dataset, windows) if each is not None):
        for start in range(0, len(rows), ROWS_AT_ONCE):
            digest.update(repr(rows[start : start + ROWS_AT_ONCE]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
