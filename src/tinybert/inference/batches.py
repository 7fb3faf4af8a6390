"""Encoded rows in batches of like length, padded to the longest of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinybert.inference.backends import Tokens

TOKENS_A_ROW = 128
"""A batch holds no more tokens than ``batch_size`` rows of this length; attention maps grow faster still."""

Columns = Mapping[str, Sequence[Any]]


def batches_of(lengths: NDArray[np.int64], *, batch_size: int) -> Iterator[list[int]]:
    """Yield rows of like length together, the longest first: what they free serves the others.

    Args:
        lengths: Of the rows, in tokens.
        batch_size: Most rows of a batch; fewer where they are longer than 128 tokens.

    Example:
        >>> list(batches_of(np.array([3, 9, 4]), batch_size=2))
        [[1, 2], [0]]
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        rows = max(1, min(batch_size, batch_size * TOKENS_A_ROW // max(longest, 1)))
        yield order[start : start + rows].tolist()
        start += rows


def padded(features: Columns, rows: Sequence[int], *, pad_token_id: int) -> Tokens:
    """Return some encoded rows as tensors of one length, that of the longest, which comes first.

    Args:
        features: ``input_ids`` and maybe ``token_type_ids``.
        rows: Which.
        pad_token_id: What fills the empty positions of ``input_ids``.
    """
    shape = (len(rows), max(2, len(features["input_ids"][rows[0]])))
    ids = np.full(shape, pad_token_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    kinds = np.zeros(shape, dtype=np.int64)
    of_rows = features.get("token_type_ids")
    for index, row in enumerate(rows):
        given = features["input_ids"][row]
        ids[index, : len(given)] = given
        mask[index, : len(given)] = 1
        if of_rows is not None:
            kinds[index, : len(given)] = of_rows[row]
    batch = {"input_ids": ids, "attention_mask": mask}
    return batch if of_rows is None else {**batch, "token_type_ids": kinds}
