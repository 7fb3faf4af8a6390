"""Hashes of the texts of stored rows: by them a row is recognised, without its text being kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinybert.data.fields import hash_texts
from tinybert.language import folded

if TYPE_CHECKING:
    from datasets import Dataset

ROWS_AT_ONCE = 10_000


def row_hashes(rows: Dataset) -> NDArray[np.uint64]:
    """Return uint64 (N,), a hash of each row's text, or of both, without case and how much white space.

    Args:
        rows: A split, as :func:`tinybert.data.load` has it.
    """
    names = [name for name in ("text", "text_pair") if name in rows.column_names]
    return np.frombuffer(b"".join(_digests(rows.select_columns(names), names)), dtype="<u8")


def _digests(rows: Dataset, names: list[str]) -> Iterator[bytes]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        batch = rows[start : start + ROWS_AT_ONCE]
        texts = (map(folded, batch[name]) for name in names)
        yield from map(hash_texts, zip(*texts, strict=True))
