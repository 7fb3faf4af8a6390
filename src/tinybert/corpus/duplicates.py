"""Documents that occur twice, exactly or nearly, found in the memory of a few numbers a document.

Near duplicates by MinHash (Broder, 1997, "On the resemblance and containment of documents"): a document is
its set of runs of words, a signature of 128 numbers replaces the set, and two sets agree in about as many
numbers as they share of their runs (Jaccard). Signatures lie on disk; candidates are those that agree in a
whole band of numbers, found by sorting one band at a time, and each is then verified by all numbers.

Differs: of a number only 16 bits are kept, so that unlike ones agree once in 65,536 times.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Literal, cast
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tinybert.language import folded

NUM_HASHES = 128
RUN = 5
SEED = 42
RECALL = 0.99
"""Share of the pairs right at the threshold that become candidates."""
MAX_ROUNDS = 32
"""Documents of one group that its others are compared with; a group of more unlike ones is left at that."""
PAIRS_AT_ONCE = 16_384
# ASCII marks and spaces part words; other scripts' letters are bytes above them
WORD = re.compile(rb"[^\x00-/:-@\[-`{-\x7f]+")

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]
Unit = Literal["words", "characters"]
Alike = Callable[[Rows, Rows], Flags]


def text_hashes(texts: Sequence[str]) -> Hashes:
    """Return uint64 (N,), the same for texts that differ in case and spaces only."""
    digests = (hashlib.blake2b(folded(text).encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def exact_duplicates(hashes: Hashes) -> Flags:
    """Return which documents equal an earlier one.

    Example:
        >>> exact_duplicates(np.array([3, 5, 3], dtype=np.uint64)).tolist()
        [False, False, True]
    """
    later = np.zeros(len(hashes), dtype=np.bool_)
    rows, groups = _groups(hashes, np.arange(len(hashes)))
    later[rows[1:][groups[1:] == groups[:-1]]] = True
    return later


def signatures_of(texts: Sequence[str], unit: Unit) -> NDArray[np.uint32]:
    """Return uint32 (N, 128): the signature of each text's set of runs of five words, or characters.

    A text of fewer is one run.
    """
    import rensa

    if not texts:
        return np.empty((0, NUM_HASHES), dtype=np.uint32)
    codes, lengths = _characters(texts) if unit == "characters" else _words(texts)
    runs, ends = _runs(codes, lengths)
    digests = rensa.RMinHash.digest_matrix_from_flat_token_hashes(  # pyright: ignore[reportAttributeAccessIssue]
        runs, np.r_[np.uint64(0), ends], NUM_HASHES, SEED
    )
    numbers = chain.from_iterable(cast("list[list[int]]", digests.to_rows()))
    return np.fromiter(numbers, np.uint32, len(texts) * NUM_HASHES).reshape(len(texts), NUM_HASHES)


def _words(texts: Sequence[str]) -> tuple[Hashes, Rows]:
    """Return one number a word, all texts in a row, and how many each text has."""
    words = [WORD.findall(text.casefold().encode()) or [text.encode()] for text in texts]
    lengths = np.array([len(each) for each in words], dtype=np.int64)
    codes = np.fromiter(map(crc32, chain.from_iterable(words)), np.uint64, int(lengths.sum()))
    return codes, lengths


def _characters(texts: Sequence[str]) -> tuple[Hashes, Rows]:
    joined = ["".join(text.casefold().split()) or "\0" for text in texts]
    codes = np.frombuffer("".join(joined).encode("utf-32-le"), dtype="<u4").astype(np.uint64)
    return codes, np.array([len(each) for each in joined], dtype=np.int64)


def _runs(codes: Hashes, lengths: Rows) -> tuple[Hashes, Hashes]:
    """Return one number a run, all texts in a row, and where each text's runs end."""
    padded = np.maximum(lengths, RUN)
    ends = padded.cumsum()
    line = np.zeros(int(ends[-1]), dtype=np.uint64)
    shift = np.repeat((ends - padded) - (lengths.cumsum() - lengths), lengths)
    line[np.arange(len(codes)) + shift] = codes + np.uint64(1)
    num_starts = len(line) - RUN + 1
    factors = _factors(RUN)
    sums = np.zeros(num_starts, dtype=np.uint64)
    for index, factor in enumerate(factors):
        sums += line[index : index + num_starts] * factor
    is_run = np.ones(len(line), dtype=np.bool_)
    is_run[(ends[:, None] - np.arange(1, RUN)).ravel()] = False  # these would reach into the next text
    return _mixed(sums[is_run[:num_starts]]), (padded - RUN + 1).cumsum().astype(np.uint64)


def _factors(count: int) -> Hashes:
    return np.random.default_rng(SEED).integers(1, 2**63, size=count, dtype=np.uint64) | np.uint64(1)


def _mixed(values: Hashes) -> Hashes:
    """Spread every bit over the number (the finaliser of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


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


@dataclass(frozen=True)
class Signatures:
    """Signatures on disk, for one threshold: 256 bytes a document, and 8 for each band in a file of its own.

    Attributes:
        folder: Where the files lie.
        threshold: Share of equal numbers from which on two documents count as one.
    """

    folder: Path
    threshold: float

    @property
    def bands(self) -> list[slice]:
        """The numbers of each band."""
        width = band_width(self.threshold)
        return [slice(start, start + width) for start in range(0, NUM_HASHES - width + 1, width)]

    @contextmanager
    def writing(self) -> Generator[Callable[[NDArray[np.uint32]], None]]:
        """Open the files; yield what adds the signatures of some documents."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:

            def opened(file: Path) -> BinaryIO:
                return stack.enter_context(file.open("wb"))

            whole = opened(self._whole())
            bands = [(opened(self._band(number)), band) for number, band in enumerate(self.bands)]

            def add(signatures: NDArray[np.uint32]) -> None:
                whole.write(signatures.astype(np.uint16).tobytes())
                for file, band in bands:
                    file.write(_band_keys(signatures[:, band]).tobytes())

            yield add

    def near_duplicates(self, skip: Flags) -> Flags:
        """Return which documents are nearly an earlier one.

        The bands are compared one after the other, so the earlier one may itself go for a still earlier one
        in a later band. Of those that stay, no two that met in a band are nearly the same, unless more than
        `MAX_ROUNDS` different documents share it.

        Args:
            skip: Documents that are gone already.
        """
        gone = skip.copy()
        if not len(skip):
            return gone
        numbers = np.memmap(self._whole(), dtype=np.uint16, mode="r", shape=(len(skip), NUM_HASHES))

        def alike(ours: Rows, theirs: Rows) -> Flags:
            return (numbers[ours] == numbers[theirs]).mean(1) >= self.threshold

        for band in range(len(self.bands)):
            rows = np.flatnonzero(~gone)
            keys = np.memmap(self._band(band), dtype=np.uint64, mode="r", shape=(len(skip),))[rows]
            _drop_later(*_groups(keys, rows), gone, alike)
        return gone & ~skip

    def _whole(self) -> Path:
        return self.folder / "signatures.u16"

    def _band(self, number: int) -> Path:
        return self.folder / f"band-{number}.u64"


def _band_keys(numbers: NDArray[np.uint32]) -> Hashes:
    sums = np.zeros(len(numbers), dtype=np.uint64)
    for index, factor in enumerate(_factors(numbers.shape[1])):
        sums += _mixed((numbers[:, index].astype(np.uint64) + np.uint64(1)) * factor)
    return sums


def _groups(keys: Hashes, rows: Rows) -> tuple[Rows, Rows]:
    """Return the rows that share their key with another, group by group, rising in each; and their groups."""
    order = np.argsort(keys)
    ordered = keys[order]
    equals_next = ordered[1:] == ordered[:-1]
    is_member = np.zeros(len(keys), dtype=np.bool_)
    is_member[1:] = equals_next
    is_member[:-1] |= equals_next
    begins = is_member.copy()
    begins[1:] &= ~equals_next
    groups = begins.cumsum()[is_member]
    members = rows[order[is_member]]
    in_order = np.lexsort((members, groups))
    return members[in_order], groups[in_order]


def _drop_later(rows: Rows, groups: Rows, gone: Flags, alike: Alike) -> None:
    """Compare the first of each group with its others, then the first of those left with the rest."""
    for _ in range(MAX_ROUNDS):
        if len(rows) < 2:
            return
        is_first = np.r_[True, groups[1:] != groups[:-1]]
        firsts = rows[np.maximum.accumulate(np.where(is_first, np.arange(len(rows)), 0))][~is_first]
        rows, groups = rows[~is_first], groups[~is_first]
        near = np.zeros(len(rows), dtype=np.bool_)
        for start in range(0, len(rows), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            near[part] = alike(firsts[part], rows[part])
        gone[rows[near]] = True
        rows, groups = rows[~near], groups[~near]
