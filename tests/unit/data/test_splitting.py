from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybert.data.splitting import keep_rare_labels_in_train, split_by_hash, split_groups

HASHES = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=60)


@given(HASHES, st.sampled_from([["validation"], ["test", "validation"]]))
def test_every_row_goes_to_one_split_and_equal_hashes_stay_together(
    values: list[int], names: list[str]
) -> None:
    hashes = np.array(values, dtype=np.uint64)
    parts = split_by_hash(hashes, names)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(values)))
    owners = [{int(each) for each in hashes[rows]} for rows in parts.values()]
    assert sum(map(len, owners)) == len(set(values))
    if len(set(values)) > len(names):
        assert all(owners)


def test_the_shares_are_a_tenth_each_and_a_row_never_moves() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, size=20_000, dtype=np.uint64)
    parts = split_by_hash(hashes, ["test", "validation"])
    assert all(1800 < len(parts[name]) < 2200 for name in ("test", "validation"))
    fewer = split_by_hash(hashes[:10_000], ["test", "validation"])
    np.testing.assert_array_equal(fewer["test"], parts["test"][parts["test"] < 10_000])


@given(HASHES, st.lists(st.integers(1, 40), min_size=60, max_size=60))
def test_groups_stay_whole_and_no_split_is_empty_where_there_are_three(
    values: list[int], sizes: list[int]
) -> None:
    groups = np.unique(np.array(values, dtype=np.uint64))
    keys = np.repeat(groups, sizes[: len(groups)])
    parts = split_groups(keys, ["test", "validation"])
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(keys)))
    assert sum(len(np.unique(keys[rows])) for rows in parts.values()) == len(groups)
    assert len(groups) < 3 or all(len(rows) for rows in parts.values())


def test_groups_are_split_by_their_hash_alone_where_that_gives_about_a_tenth() -> None:
    groups = np.random.default_rng(0).integers(0, 2**64, size=2_000, dtype=np.uint64)
    keys = np.repeat(groups, 3)
    by_hash, parts = (split(keys, ["test", "validation"]) for split in (split_by_hash, split_groups))
    for name, rows in by_hash.items():
        np.testing.assert_array_equal(parts[name], rows)


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        ([100, 5, 5], (100, 5, 5)),  # the first by its hash would be the test
        ([30, 30, 30], (30, 30, 30)),
        ([50, 10, 10, 10, 20], (80, 10, 10)),
        ([900, *[1] * 100], (900, 50, 50)),
        ([7, 3], (7, 3, 0)),
        ([9], (9, 0, 0)),
    ],
)
def test_large_groups_go_to_train_and_the_held_out_splits_come_near_a_tenth(
    sizes: list[int], wanted: tuple[int, int, int]
) -> None:
    keys = np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes)
    parts = split_groups(keys, ["test", "validation"])
    assert tuple(len(parts[name]) for name in ("train", "validation", "test")) == wanted


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-1, 4)), min_size=1, max_size=60))
def test_no_held_out_label_is_missing_from_train(rows: list[tuple[int, int]]) -> None:
    hashes = np.array([text * 2**60 for text, _ in rows], dtype=np.uint64)
    codes = np.array([code for _, code in rows])
    names = [frozenset(), frozenset("a"), frozenset("b"), frozenset("ab"), frozenset("c")]
    parts, _ = keep_rare_labels_in_train(split_by_hash(hashes, ["test", "validation"]), hashes, codes, names)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(rows)))
    seen = {name for code in codes[parts["train"]] if code >= 0 for name in names[code]}
    held_out = {
        name
        for key in ("test", "validation")
        for code in codes[parts[key]]
        if code >= 0
        for name in names[code]
    }
    assert held_out <= seen
    owners = [set(hashes[part].tolist()) for part in parts.values()]
    assert sum(map(len, owners)) == len(set(hashes.tolist()))
