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

from tinybert.data.arrow import temporary_folder, write_rows
from tinybert.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

ROWS_AT_ONCE = 2000
MAX_ROWS_SAMPLED = 10_000
IGNORED_CLASS = -100


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
    pad_to_multiple_of: int | None = None,
) -> dict[str, Tensor]:
    """Step 3: make the rows of one batch as long as its longest.

    Args:
        rows: Each with ``input_ids`` (L_row,) and perhaps ``token_type_ids`` (L_row,).
        pad_token_id: What fills the empty positions of ``input_ids``.
        pad_to_multiple_of: Round the length up to a multiple, for kernels that like it.

    Returns:
        int64 tensors (B, L): ``input_ids``, ``attention_mask`` (1 where a token is real), and
        ``token_type_ids`` when the rows have them.

    Example:
        >>> pad([{"input_ids": [5, 6]}, {"input_ids": [7]}], pad_token_id=0)["attention_mask"].tolist()
        [[1, 1], [1, 0]]
    """
    import torch

    longest = max(len(row["input_ids"]) for row in rows)
    if pad_to_multiple_of:
        longest = math.ceil(longest / pad_to_multiple_of) * pad_to_multiple_of
    fills = {"input_ids": pad_token_id, "token_type_ids": 0}
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
    prefix: str = "",
    cache_dir: str | Path | None = None,
) -> Dataset:
    """Encode a whole split into a memory-mapped data set.

    Args:
        dataset: With ``text``, perhaps ``text_pair`` and ``label``, as :func:`tinybert.data.load` has.
        tokenizer: A fast tokenizer.
        max_length: Longest row in tokens.
        prefix: ``"teacher_"`` for the columns of a teacher with another tokenizer; then only the token
            columns are written, to be laid beside the student's.
        cache_dir: Keep the result here, named by its content, and find it again; else in a temporary folder
            that disappears when Python exits.

    Returns:
        ``input_ids``, ``token_type_ids`` when the tokenizer gives them, and without a prefix ``length``
        (tokens), ``row`` (index within the split) and ``labels``. An unlabelled row has -100 (a class), NaN
        (a number) or a row of NaN (several classes); a multi-label split without any label has no ``labels``.
    """
    from datasets import Dataset

    folder = temporary_folder() if cache_dir is None else Path(cache_dir)
    file = folder / f"encoded-{_key(dataset, tokenizer, max_length, prefix)}.arrow"
    if not file.is_file():
        schema = _schema(dataset, tokenizer, prefix)
        write_rows(file, schema, _encoded_batches(dataset, tokenizer, max_length, schema, prefix))
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
    dataset: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int, schema: pa.Schema, prefix: str
) -> Iterator[dict[str, Sequence[Any]]]:
    num_labels = _num_labels(dataset)
    for start in range(0, len(dataset), ROWS_AT_ONCE):
        batch = dataset[start : start + ROWS_AT_ONCE]
        found = encode(tokenizer, batch["text"], batch.get("text_pair"), max_length=max_length)
        columns: dict[str, Sequence[Any]] = {prefix + key: value for key, value in found.items()}
        if not prefix:
            columns["length"] = [len(ids) for ids in found["input_ids"]]
            columns["row"] = range(start, start + len(columns["length"]))
        if "labels" in schema.names:
            empty = _empty_label(schema, num_labels)
            columns["labels"] = [empty if label is None else label for label in batch["label"]]
        yield columns


def _schema(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, prefix: str) -> pa.Schema:
    import pyarrow as pa

    columns = list(encode(tokenizer, ["a"], max_length=8))
    fields = [pa.field(prefix + column, pa.list_(pa.int32())) for column in columns]
    if not prefix:
        fields += [pa.field("length", pa.int32()), pa.field("row", pa.int64())]
    if not prefix and "label" in dataset.column_names:
        kind = dataset.features.arrow_schema.field("label").type
        if not pa.types.is_list(kind) or _num_labels(dataset) is not None:
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


def _key(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int, prefix: str) -> str:
    """Name an encoded split by what went into it."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise DataError("tokenizer", "only fast tokenizers are supported; load it with AutoTokenizer")
    encode(tokenizer, ["a"], max_length=max_length)  # sets truncation and padding: part of what is hashed
    digest = hashlib.blake2b(f"{max_length} {prefix} {backend.to_str()}".encode(), digest_size=12)
    for start in range(0, len(dataset), ROWS_AT_ONCE):
        digest.update(repr(dataset[start : start + ROWS_AT_ONCE]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
