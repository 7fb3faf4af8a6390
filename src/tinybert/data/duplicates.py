"""Documents that stand there twice, exactly or nearly, found in the memory of a few numbers a document.

Near duplicates by MinHash (Broder, 1997, "On the resemblance and containment of documents"): a document is
its set of runs of words, a signature of 128 numbers stands for the set, and two sets agree in about as many
numbers as they share of their runs. Signatures lie on disk; candidates are those that agree in a whole band
of numbers, found by sorting one band at a time, and each is then verified by all numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinybert.words import Language

NUM_HASHES = 128
RUN_WORDS, RUN_CHARS = 5, 5
SEED = 42
RECALL = 0.99
"""Share of the documents right at the threshold that become candidates."""
ROWS_AT_ONCE = 100_000

Hashes = NDArray[np.uint64]
Signatures = NDArray[np.uint32]
Flags = NDArray[np.bool_]


def text_hash(text: str) -> int:
    """Return 64 bits of a text, the same for texts that differ in case and spaces only."""
    folded = " ".join(text.casefold().split())
    return int.from_bytes(hashlib.blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def exact_duplicates(hashes: Hashes) -> Flags:
    """Return which documents equal an earlier one.

    Example:
        >>> exact_duplicates(np.array([3, 5, 3], dtype=np.uint64)).tolist()
        [False, False, True]
    """
    later = np.ones(len(hashes), dtype=np.bool_)
    later[np.unique(hashes, return_index=True)[1]] = False
    return later


def signatures_of(texts: Sequence[str], language: Language) -> Signatures:
    """Return (N, 128) numbers that stand for the texts' sets of runs."""
    import rensa

    runs = [_runs(text, language) for text in texts]
    found = rensa.RMinHash.digests_from_token_sets(runs, NUM_HASHES, SEED)  # pyright: ignore[reportAttributeAccessIssue]
    return np.asarray(found, dtype=np.uint32).reshape(len(texts), NUM_HASHES)


def _runs(text: str, language: Language) -> list[str]:
    """Return the runs of five words, or of five characters where words are not spaced."""
    if language == "zh":
        joined = "".join(text.split())
        return [joined[i : i + RUN_CHARS] for i in range(max(1, len(joined) - RUN_CHARS + 1))]
    words = text.casefold().split()
    return [" ".join(words[i : i + RUN_WORDS]) for i in range(max(1, len(words) - RUN_WORDS + 1))]


def near_duplicates(file: Path, *, threshold: float, skip: Flags) -> Flags:
    """Return which documents are nearly an earlier one.

    Args:
        file: Signatures, uint32 (N, 128), row by row.
        threshold: Share of equal numbers from which on two documents count as one.
        skip: Documents that are gone already.
    """
    num_rows = len(skip)
    later = np.zeros(num_rows, dtype=np.bool_)
    if num_rows == 0:
        return later
    signatures: Signatures = np.memmap(file, dtype=np.uint32, mode="r", shape=(num_rows, NUM_HASHES))
    width = band_width(threshold)
    rows = np.flatnonzero(~skip)
    for start in range(0, NUM_HASHES - width + 1, width):
        keys = _band_keys(signatures, rows, start, width)
        order = np.argsort(keys, kind="stable")  # within a key the earlier document comes first
        same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
        if not len(same):
            continue
        begins = np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1]])
        first = begins[np.searchsorted(begins, same + 1, side="right") - 1]
        for others in (first, same):  # against the first of its group, and against the one before
            _flag(signatures, rows[order[others]], rows[order[same + 1]], threshold, later)
    return later


def band_width(threshold: float) -> int:
    """Return how many numbers a band may have so that pairs at the threshold nearly all meet in one.

    Example:
        >>> band_width(0.8), band_width(0.5)
        (6, 3)
    """
    widths = [
        width
        for width in range(1, NUM_HASHES + 1)
        if 1 - (1 - threshold**width) ** (NUM_HASHES // width) >= RECALL
    ]
    return max(widths, default=1)


def _band_keys(signatures: Signatures, rows: NDArray[np.int64], start: int, width: int) -> Hashes:
    """Return one number for each document's band, a stretch of documents at a time."""
    keys = np.empty(len(rows), dtype=np.uint64)
    factors = np.random.default_rng(SEED).integers(1, 2**63, size=width, dtype=np.uint64) | np.uint64(1)
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[begin : begin + ROWS_AT_ONCE]
        band = signatures[part, start : start + width].astype(np.uint64)
        mixed = (band + np.uint64(1)) * factors
        keys[begin : begin + ROWS_AT_ONCE] = (mixed ^ (mixed >> np.uint64(29))).sum(1, dtype=np.uint64)
    return keys


def _flag(
    signatures: Signatures,
    earlier: NDArray[np.int64],
    later: NDArray[np.int64],
    threshold: float,
    flags: Flags,
) -> None:
    for begin in range(0, len(later), ROWS_AT_ONCE):
        ours, theirs = earlier[begin : begin + ROWS_AT_ONCE], later[begin : begin + ROWS_AT_ONCE]
        alike = (signatures[ours] == signatures[theirs]).mean(1) >= threshold
        flags[theirs[alike]] = True
