"""Batches of rows of like length, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray
from torch.utils.data import Sampler

BATCHES_SORTED_TOGETHER = 50


def lengths_of(rows: Dataset) -> NDArray[np.int64]:
    """Return the ``length`` of all rows: whole from Arrow, as one by one takes minutes for millions."""
    return np.asarray(rows.select_columns("length").with_format("numpy")[:]["length"], dtype=np.int64)


def sorted_by_length(rows: Dataset) -> Dataset:
    """Return encoded rows in the order of their ``length``, equal lengths in their own order."""
    # Dataset.sort calls pyarrow in a way that warns from version 25 on
    return rows.select(np.argsort(lengths_of(rows), kind="stable"))


class TokenBatches(Sampler[list[int]]):
    """Yields batches of rows of like length, each of at most so many tokens, padding included.

    Rows are sorted by length, equal lengths in another order at each pass, and cut from the longest on; the
    order of the batches is shuffled, but the one with the longest row comes first, so that too little memory
    shows at once. Every row comes once, and each pass has as many batches; a row that is longer than a batch
    may be is one of its own.

    Args:
        lengths: Tokens of each row.
        max_tokens: Of a batch: its rows times the longest of them.
        seed: Together with the epoch decides the order.
        epoch: See :meth:`set_epoch`.

    Example:
        >>> [sorted(batch) for batch in TokenBatches([4, 2, 2, 9], max_tokens=8, seed=0)][0]
        [3]
    """

    def __init__(
        self, lengths: Sequence[int] | NDArray[np.integer], *, max_tokens: int, seed: int, epoch: int = 0
    ) -> None:
        self.lengths = np.asarray(lengths)
        self.seed = seed
        self.epoch = epoch
        self.cuts = _cuts(-np.sort(-self.lengths, kind="stable"), max_tokens)
        ends = [*self.cuts, len(self.lengths)]
        self.batch_size, self.drop_last = max(np.diff([0, *ends]), default=0), False

    def set_epoch(self, epoch: int) -> None:
        """Give the next pass over the rows another order."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.cuts) + 1

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(len(self.lengths))
        batches = np.split(order[np.argsort(-self.lengths[order], kind="stable")], self.cuts)
        for index in (0, *(1 + rng.permutation(len(batches) - 1))):
            yield batches[index].tolist()


def _cuts(falling: NDArray[np.integer], max_tokens: int) -> list[int]:
    """Return where batches of rows of falling length end, but for the last."""
    cuts: list[int] = []
    start = 0
    while start < len(falling):
        start += max(1, int(max_tokens // max(int(falling[start]), 1)))
        cuts.append(start)
    return [cut for cut in cuts if cut < len(falling)]


class LengthGroupedSampler(Sampler[int]):
    """Yields row indices so that each run of ``batch_size`` of them has rows of like length.

    All rows are shuffled and cut into stretches of 50 batches; within a stretch rows are sorted by length and
    cut into batches; the order of the batches is shuffled. The batch with the longest row comes first of all,
    so that too little memory shows at once, and the partial batch comes last. Every row comes once.

    Args:
        lengths: Tokens of each row.
        batch_size: Rows a batch, on all devices together.
        seed: Together with the epoch decides the order.
        epoch: See :meth:`set_epoch`.
    """

    def __init__(
        self, lengths: Sequence[int] | NDArray[np.integer], *, batch_size: int, seed: int, epoch: int = 0
    ) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch

    def set_epoch(self, epoch: int) -> None:
        """Give the next pass over the rows another order."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        order = self._grouped(rng.permutation(len(self.lengths)))
        num_full = len(order) // self.batch_size
        full = order[: num_full * self.batch_size].reshape(num_full, self.batch_size)
        for batch in full[self._batch_order(full, rng)]:
            yield from batch.tolist()
        yield from order[num_full * self.batch_size :].tolist()

    def _grouped(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sort each stretch by falling length; the last takes the rest, its partial batch short rows."""
        stretch = self.batch_size * BATCHES_SORTED_TOGETHER
        num_stretches = max(1, len(order) // stretch)
        cuts = [stretch * index for index in range(1, num_stretches)]
        parts = [part[np.argsort(-self.lengths[part], kind="stable")] for part in np.split(order, cuts)]
        return np.concatenate(parts)

    def _batch_order(self, full: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        order = rng.permutation(len(full))
        if len(full):
            longest = int(self.lengths[full].max(axis=1).argmax())
            index = int(np.flatnonzero(order == longest)[0])
            order[[0, index]] = order[[index, 0]]
        return order
