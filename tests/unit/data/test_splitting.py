from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinybert.data.splitting import keep_rare_labels_in_train, split_by_hash

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
