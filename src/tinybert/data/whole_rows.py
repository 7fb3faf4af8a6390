"""Encoded windows as rows again: all windows of a row come into one batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

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


def num_tokens_of(rows: Dataset | WholeRows) -> NDArray[np.int64]:
    """Return the tokens of all rows, those of a row's windows together."""
    return rows.lengths if isinstance(rows, WholeRows) else lengths_of(rows)
