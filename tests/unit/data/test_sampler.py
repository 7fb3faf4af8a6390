from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinybert.data import LengthGroupedSampler, TokenBatches

LENGTHS = st.lists(st.integers(1, 50), min_size=0, max_size=300)


@given(LENGTHS, st.integers(1, 9), st.integers(0, 3))
def test_every_row_comes_once_and_the_longest_first(lengths: list[int], batch_size: int, seed: int) -> None:
    order = list(LengthGroupedSampler(lengths, batch_size=batch_size, seed=seed))
    assert sorted(order) == list(range(len(lengths)))
    if lengths:
        assert max(lengths[index] for index in order[:batch_size]) == max(lengths)


def test_the_longest_row_is_first_even_when_it_is_drawn_last() -> None:
    lengths = [9, *[5] * 100]
    for seed in range(300):
        assert 0 in list(LengthGroupedSampler(lengths, batch_size=2, seed=seed))[:2]


@given(LENGTHS, st.integers(0, 3))
def test_the_order_follows_from_seed_and_epoch_alone(lengths: list[int], epoch: int) -> None:
    sampler = LengthGroupedSampler(lengths, batch_size=4, seed=1)
    list(sampler)
    sampler.set_epoch(epoch)
    assert list(sampler) == list(LengthGroupedSampler(lengths, batch_size=4, seed=1, epoch=epoch))
    assert len(sampler) == len(lengths)


def test_orders_differ_by_epoch_and_seed_and_batches_change_company() -> None:
    lengths = np.random.default_rng(0).integers(5, 60, size=4000)

    def order(seed: int, epoch: int) -> list[int]:
        return list(LengthGroupedSampler(lengths, batch_size=32, seed=seed, epoch=epoch))

    assert order(0, 0) != order(0, 1) != order(1, 1)
    first = {frozenset(order(0, 0)[i : i + 32]) for i in range(0, 4000, 32)}
    second = {frozenset(order(0, 1)[i : i + 32]) for i in range(0, 4000, 32)}
    assert not first & second


def test_little_of_a_batch_is_padding_and_lengths_come_in_no_order() -> None:
    lengths = np.random.default_rng(0).integers(5, 60, size=4000)
    order = np.array(list(LengthGroupedSampler(lengths, batch_size=32, seed=0)))
    batches = lengths[order].reshape(125, 32)
    padded = batches.max(axis=1).sum() * 32
    assert lengths.sum() / padded > 0.95
    assert abs(np.corrcoef(np.arange(125), batches.mean(axis=1))[0, 1]) < 0.3


LENGTHS = [5, 3, 3, 9, 1, 7, 3, 2, 8, 3, 3, 5]


def test_batches_by_tokens_hold_all_rows_once_and_no_more_tokens_than_allowed():
    batches = TokenBatches(LENGTHS, max_tokens=10, seed=1)
    found = list(batches)
    assert sorted(row for batch in found for row in batch) == list(range(len(LENGTHS)))
    assert all(len(batch) * max(LENGTHS[row] for row in batch) <= 10 for batch in found)
    lengths = sorted(sorted(LENGTHS[row] for row in batch) for batch in found)
    assert lengths == [[1], [2, 3, 3], [3, 3, 3], [5, 5], [7], [8], [9]]  # cut by hand, from the longest on
    assert len(batches) == 7
    assert found[0] == [3]  # the longest row comes first
    assert max(map(len, found)) == batches.batch_size


def test_each_pass_has_another_order_and_as_many_batches():
    batches = TokenBatches(LENGTHS, max_tokens=10, seed=1)
    first, again = list(batches), list(batches)
    batches.set_epoch(1)
    assert first == again
    assert list(batches) != first
    assert len(list(batches)) == len(first)


def test_a_row_longer_than_a_batch_may_be_is_alone():
    assert sorted(map(len, TokenBatches([50, 60, 1], max_tokens=10, seed=0))) == [1, 1, 1]
    assert list(TokenBatches([4], max_tokens=10, seed=0)) == [[0]]
