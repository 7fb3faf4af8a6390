"""Texts a batch at a time, few enough of them that long ones need no more memory than short ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

TEXTS_AT_ONCE = 1000
CHARS_AT_ONCE = 1_000_000


def batches_of(texts: Iterable[str], *, size: int = TEXTS_AT_ONCE) -> Iterator[list[str]]:
    """Yield texts by the thousand, or fewer where they are long: none is added to a million characters.

    Example:
        >>> list(batches_of("abc", size=2))
        [['a', 'b'], ['c']]
    """
    batch: list[str] = []
    num_chars = 0
    for text in texts:
        batch.append(text)
        num_chars += len(text)
        if len(batch) == size or num_chars >= CHARS_AT_ONCE:
            yield batch
            batch, num_chars = [], 0
    if batch:
        yield batch


def stored_texts(documents: Dataset) -> Iterator[str]:
    """Yield the column ``text`` one by one; of a file on disk only mapped pages are held."""
    for table in documents.select_columns("text").with_format("arrow").iter(TEXTS_AT_ONCE):
        for text in cast("pa.Table", table)["text"]:
            yield cast(str, text.as_py())
