from __future__ import annotations

import numpy as np
import pytest
from tests.unit.inference.decoding import toy

from tinybert.inference.decoding import generate
from tinybert.inference.decoding.sampling import nucleus, softmax

DRAWS = 4000


def _draw(seed: int, count: int = 5, **changes):
    engine = toy.TableEngine(toy.random_table(12))
    settings = toy.settings(do_sample=True, max_new_tokens=12, **changes)
    rows = generate(engine, toy.rows(count), settings, rng=np.random.default_rng(seed))
    return [text.token_ids for (text,) in rows]


def test_a_seed_gives_a_text() -> None:
    assert _draw(1) == _draw(1)
    assert _draw(1) != _draw(2)


def test_how_rows_are_cut_into_batches_changes_no_text() -> None:
    rng, batch = np.random.default_rng(1), toy.rows(5)
    settings = toy.settings(do_sample=True, max_new_tokens=12)
    parts = [
        generate(
            toy.TableEngine(toy.random_table(12)),
            {name: array[part] for name, array in batch.items()},
            settings,
            rng=rng,
        )
        for part in (slice(0, 2), slice(2, 3), slice(3, 5))
    ]
    assert [text.token_ids for part in parts for (text,) in part] == _draw(1)


@pytest.mark.parametrize("changes", [{"top_p": 1e-9}, {"top_p": 0.0}, {"temperature": 1e-3}])
def test_the_narrowest_choice_is_greedy(changes) -> None:
    greedy = generate(toy.TableEngine(toy.random_table(12)), toy.rows(5), toy.settings(max_new_tokens=12))
    assert _draw(1, **changes) == [text.token_ids for (text,) in greedy]


@pytest.mark.parametrize(
    ("changes", "shares"),
    [
        ({}, [0, 0.1, 0.5, 0.25, 0.15]),
        ({"top_p": 0.6}, [0, 0, 2 / 3, 1 / 3, 0]),
        ({"top_p": 0.5}, [0, 0, 1, 0, 0]),
        ({"temperature": 0.5}, np.array([0, 0.01, 0.25, 0.0625, 0.0225]) / 0.345),
        ({"suppressed_token_ids": (2,)}, [0, 0.2, 0, 0.5, 0.3]),
    ],
)
def test_tokens_are_drawn_as_often_as_they_are_likely(changes, shares) -> None:
    table = toy.fixed_table([-np.inf, *np.log([0.1, 0.5, 0.25, 0.15])])
    settings = toy.settings(do_sample=True, max_new_tokens=1, **changes)
    (row,) = generate(
        toy.TableEngine(table), toy.rows(1), settings, num_return=DRAWS, rng=np.random.default_rng(0)
    )
    tokens = [text.token_ids[0] if text.token_ids else toy.END for text in row]
    counts = np.bincount(tokens, minlength=5)
    expected = DRAWS * np.asarray(shares, dtype=float)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    # above 18.5 once in a thousand, with four degrees of freedom
    assert ((counts - expected)[possible] ** 2 / expected[possible]).sum() < 18.5


def test_several_draws_of_a_row_come_best_first() -> None:
    settings = toy.settings(do_sample=True)
    rows = generate(toy.TableEngine(toy.random_table(12)), toy.rows(2), settings, num_return=6)
    for row in rows:
        assert len(row) == 6
        assert [text.score for text in row] == sorted((text.score for text in row), reverse=True)
        assert len({tuple(text.token_ids) for text in row}) > 1


def test_the_nucleus_is_the_fewest_tokens_that_reach_top_p() -> None:
    shares = np.array([[0.1, 0.5, 0.25, 0.15], [0.7, 0.1, 0.1, 0.1]], dtype=np.float32)
    np.testing.assert_array_equal(nucleus(shares, 0.7) > 0, [[0, 1, 1, 0], [1, 0, 0, 0]])
    np.testing.assert_array_equal(nucleus(shares, 0.8) > 0, [[0, 1, 1, 1], [1, 1, 0, 0]])


@pytest.mark.parametrize("top_p", [0.01, 0.3, 0.9, 0.999])
def test_a_wide_nucleus_is_that_of_a_sort(top_p: float) -> None:
    logits = np.random.default_rng(0).normal(0, [[1], [4]], (2, 3000)).astype(np.float32)
    shares = softmax(logits, 1)
    for row, kept in zip(shares, nucleus(shares, top_p), strict=True):
        ranked = np.sort(row)[::-1]
        assert (kept > 0).sum() == 1 + (np.cumsum(ranked)[:-1] < top_p).sum()
        assert row[kept == 0].max() <= row[kept > 0].min()
        np.testing.assert_array_equal(kept[kept > 0], row[kept > 0])
