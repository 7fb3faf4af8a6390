"""One table → train, validation and test, by a hash of the text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HELD_OUT_SHARE = 0.1


def split_by_hash(hashes: NDArray[np.uint64], names: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Give each row to train or to one of the held-out splits, a tenth to each.

    A row's split depends on its own hash alone: equal texts stay together, and rows that are added later move
    no other. Only where a split would stay empty, the texts are ranked by their hash instead.

    Args:
        hashes: uint64 (N,), evenly spread.
        names: The held-out splits.

    Returns:
        Split → row indices, rising; ``train`` first.

    Example:
        >>> parts = split_by_hash(np.arange(20, dtype=np.uint64), ["test"])
        >>> len(parts["train"]), len(parts["test"])
        (18, 2)
    """
    indices = np.minimum(hashes / 2.0**64 // HELD_OUT_SHARE, len(names)).astype(np.int64)
    if len(np.unique(indices)) <= len(names):
        indices = _ranked(hashes, len(names))
    rows = {"train": np.flatnonzero(indices == len(names))}
    return rows | {name: np.flatnonzero(indices == index) for index, name in enumerate(names)}


def _ranked(hashes: NDArray[np.uint64], num_held_out: int) -> NDArray[np.int64]:
    unique, inverse = np.unique(hashes, return_inverse=True)
    size = max(1, round(len(unique) * HELD_OUT_SHARE))
    return np.minimum(inverse // size, num_held_out).astype(np.int64)


def keep_rare_labels_in_train(
    rows: dict[str, NDArray[np.int64]],
    hashes: NDArray[np.uint64],
    codes: NDArray[np.int64],
    names_of_code: Sequence[frozenset[str]],
) -> tuple[dict[str, NDArray[np.int64]], dict[str, int]]:
    """Move held-out rows to train when train has no row with their label, together with equal texts.

    Args:
        rows: As from :func:`split_by_hash`.
        hashes: uint64 (N,).
        codes: int64 (N,), index of the row's label as written; -1 for none.
        names_of_code: The label names in each label as written.

    Returns:
        The new rows, and label name → number of held-out rows that had it.
    """
    seen = {name for code in np.unique(codes[rows["train"]]) if code >= 0 for name in names_of_code[code]}
    rare_codes = [code for code, names in enumerate(names_of_code) if names - seen]
    held_out = np.concatenate([part for name, part in rows.items() if name != "train"])
    rare = held_out[np.isin(codes[held_out], rare_codes)]
    if not len(rare):
        return rows, {}
    counts: dict[str, int] = {}
    for code in codes[rare].tolist():
        for name in names_of_code[code] - seen:
            counts[name] = counts.get(name, 0) + 1
    moved = held_out[np.isin(hashes[held_out], hashes[rare])]
    kept = {name: np.setdiff1d(part, moved) for name, part in rows.items() if name != "train"}
    return {"train": np.union1d(rows["train"], moved), **kept}, counts
