"""Encoded windows as rows again: all windows of a row come into one batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

from tinybert.data.encode import TARGET_LENGTH
from tinybert.data.sampler import lengths_of


class WholeRows(TorchDataset[list[dict[str, Any]]]):
    """Rows, each the list of its windows, as :class:`tinybert.data.Collator` takes them.

    Args:
        windows: As :func:`tinybert.data.encode_split` has them: ``example`` says whose each is; those of a
            row are adjacent.

    Attributes:
        firsts: The first window of each row.
        lengths: Tokens of each row, all its windows together.
    """

    def __init__(self, windows: Dataset) -> None:
        self.windows = windows
        self.firsts: NDArray[np.int64] = np.flatnonzero(np.diff(np.asarray(windows["example"]), prepend=-1))
        self.lengths: NDArray[np.int64] = np.add.reduceat(lengths_of(windows), self.firsts)

    def __len__(self) -> int:
        return len(self.firsts)

    def __getitem__(self, index: int) -> list[dict[str, Any]]:
        behind = self.firsts[index + 1] if index + 1 < len(self) else len(self.windows)
        columns = self.windows[int(self.firsts[index]) : int(behind)]
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def tokens_with_targets(rows: Dataset | WholeRows) -> NDArray[np.int64]:
    """Return the tokens of all rows, and those of their targets where these are texts of their own."""
    lengths = num_tokens_of(rows)
    if isinstance(rows, WholeRows) or TARGET_LENGTH not in rows.column_names:
        return lengths
    targets = rows.select_columns(TARGET_LENGTH).with_format("numpy")[:][TARGET_LENGTH]
    return lengths + np.asarray(targets, dtype=np.int64)


def num_tokens_of(rows: Dataset | WholeRows) -> NDArray[np.int64]:
    """Return the tokens of all rows, those of a row's windows together."""
    return rows.lengths if isinstance(rows, WholeRows) else lengths_of(rows)
