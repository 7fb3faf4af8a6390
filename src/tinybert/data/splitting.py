"""One table → train, validation and test, by a hash of the text or of the group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

HELD_OUT_SHARE = 0.1
LEAST_SHARE, LARGEST_SHARE = 0.05, 0.2
"""Share of the rows that a held-out split of groups should have at least and at most."""


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


def split_groups(keys: NDArray[np.uint64], names: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Give whole groups to train or to one of the held-out splits.

    Groups are split by their hash, as rows are, where that gives each held-out split about a tenth of the
    rows. Else, with few or very unequal groups, each takes such that come near a tenth together, or near its
    part of what the largest group leaves, in the order of their hashes; one is left for each later split and
    for train.

    Args:
        keys: uint64 (N,), hash of each row's group.
        names: The held-out splits.

    Returns:
        As :func:`split_by_hash`. With fewer groups than splits some splits are empty.

    Example:
        >>> parts = split_groups(np.repeat(np.array([1, 2, 3], dtype=np.uint64), [4, 1, 5]), ["test"])
        >>> parts["train"].tolist(), parts["test"].tolist()
        ([0, 1, 2, 3, 5, 6, 7, 8, 9], [4])
    """
    parts = split_by_hash(keys, names)
    if not uneven({name: len(rows) for name, rows in parts.items()}):
        return parts
    groups, group_of_row, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    outside_largest = len(keys) - int(sizes.max())
    target = min(HELD_OUT_SHARE * len(keys), outside_largest / len(names))
    owners = np.full(len(groups), len(names))
    for index in range(len(names)):
        free = np.flatnonzero(owners == len(names))
        most = max(0, len(free) - (len(names) - index))
        owners[free[_about(sizes[free], target, most)]] = index
    indices = owners[group_of_row]
    rows = {"train": np.flatnonzero(indices == len(names))}
    return rows | {name: np.flatnonzero(indices == index) for index, name in enumerate(names)}


def uneven(sizes: Mapping[str, int]) -> bool:
    """Return whether a held-out split has far from a tenth of the rows."""
    total = sum(sizes.values())
    held_out = (size for name, size in sizes.items() if name != "train")
    return not all(LEAST_SHARE * total <= size <= LARGEST_SHARE * total for size in held_out)


def _about(sizes: NDArray[np.int64], target: float, most: int) -> list[int]:
    """Choose groups, in their order, whose rows come near a number together; else the smallest one."""
    chosen: list[int] = []
    missing = target
    for index, size in enumerate(sizes.tolist()):
        if len(chosen) < most and size < 2 * missing:
            chosen.append(index)
            missing -= size
    return chosen or np.argsort(sizes, kind="stable")[: min(most, 1)].tolist()


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
    """Move held-out rows to train when train has no row with their label, with their equal texts or group.

    Args:
        rows: As from :func:`split_by_hash`.
        hashes: uint64 (N,), of the text or of the group.
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
