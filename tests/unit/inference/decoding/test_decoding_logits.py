from __future__ import annotations

import numpy as np
import pytest
from tests.unit.inference.decoding import toy

from tinybert.errors import ModelError
from tinybert.inference.decoding import generate
from tinybert.inference.decoding.logits import BLOCK, allowed_logits, block_ngrams, log_sum_exp, top_k


@pytest.mark.parametrize("width", [1, 7, BLOCK, 5 * BLOCK - 1, 700, 64 * BLOCK + 3])
@pytest.mark.parametrize("k", [1, 2, 8])
@pytest.mark.parametrize("kind", ["random", "tied", "equal", "mostly forbidden", "rising"])
def test_the_largest_are_those_of_a_sort(width: int, k: int, kind: str) -> None:
    rng, k = np.random.default_rng(width), min(k, width)
    values = {
        "random": rng.normal(size=(5, width)),
        "tied": rng.integers(0, 3, (5, width)),
        "equal": np.zeros((5, width)),
        "mostly forbidden": np.where(rng.random((5, width)) < 0.99, -np.inf, rng.normal(size=(5, width))),
        "rising": np.arange(5 * width).reshape(5, width),
    }[kind].astype(np.float32)
    largest, columns = top_k(values, k)
    np.testing.assert_array_equal(largest, -np.sort(-values, axis=1)[:, :k])
    np.testing.assert_array_equal(np.take_along_axis(values, columns, axis=1), largest)
    assert all(len(set(row)) == k for row in columns.tolist())


def test_log_sum_exp_does_not_overflow() -> None:
    logits = np.array([[1000, 1000], [-1000, -1000], [0, -np.inf]], dtype=np.float32)
    np.testing.assert_allclose(log_sum_exp(logits), [1000 + np.log(2), -1000 + np.log(2), 0])


def test_a_run_that_would_come_twice_is_forbidden() -> None:
    logits = np.zeros((3, 6), dtype=np.float32)
    history = np.array([[0, 3, 4, 5, 3, 4], [0, 3, 4, 3, 5, 3], [0, 1, 2, 3, 4, 5]])
    for size, forbidden in ((1, [{0, 3, 4, 5}, {0, 3, 4, 5}, {0, 1, 2, 3, 4, 5}]), (2, [{5}, {4, 5}, set()])):
        blocked = logits.copy()
        block_ngrams(blocked, history, size)
        assert [set(np.flatnonzero(np.isneginf(row))) for row in blocked] == forbidden
    block_ngrams(logits, history, 3)
    assert np.argwhere(np.isneginf(logits)).tolist() == [[0, 5]]
    short = np.zeros((3, 6), dtype=np.float32)
    block_ngrams(short, history[:, :2], 3)
    assert not short.any()


def test_a_run_that_begins_with_the_start_token_comes_once() -> None:
    logits, history = np.zeros((1, 6), dtype=np.float32), np.array([[0, 3, 0]])
    allowed, _ = allowed_logits(logits, history, toy.settings(no_repeat_ngram_size=2))
    assert np.flatnonzero(np.isneginf(allowed[0])).tolist() == [3]


def test_where_the_start_is_the_end_too_a_text_without_any_token_twice_ends() -> None:
    settings = toy.settings(decoder_start_token_id=toy.END, no_repeat_ngram_size=1)
    ((text,),) = generate(toy.TableEngine(toy.fixed_table([0, 1, 2, 3])), toy.rows(1), settings)
    assert text.token_ids == [3, 2]
    assert text.is_finished


def test_the_logits_of_the_engine_are_not_changed() -> None:
    logits = np.zeros((2, 6), dtype=np.float32)
    settings = toy.settings(suppressed_token_ids=(3,), no_repeat_ngram_size=1)
    allowed, log_sum = allowed_logits(logits, np.array([[0, 4], [0, 5]]), settings)
    assert not logits.any()
    np.testing.assert_allclose(log_sum, np.log(6), rtol=1e-6)
    assert np.argwhere(np.isneginf(allowed)).tolist() == [[0, 3], [0, 4], [1, 3], [1, 5]]


@pytest.mark.parametrize("changes", [{}, {"num_beams": 3}, {"do_sample": True}])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_logits_that_are_not_finite_numbers_are_refused(changes, wrong: float) -> None:
    def table(source: int, read: tuple[int, ...]) -> np.ndarray:
        return np.array([0, -9, 1, wrong if len(read) == 3 else 0], dtype=np.float32)

    with pytest.raises(ModelError, match=r"not finite numbers \(NaN or infinite\) at token 3; .*fp32"):
        generate(toy.TableEngine(table), toy.rows(2), toy.settings(**changes))


@pytest.mark.parametrize("changes", [{}, {"num_beams": 3}, {"do_sample": True}])
def test_settings_that_forbid_every_token_are_refused(changes) -> None:
    settings = toy.settings(suppressed_token_ids=(0, 1, 2, 3), **changes)
    with pytest.raises(ModelError, match="no token is left to write"):
        generate(toy.TableEngine(toy.random_table(4)), toy.rows(2), settings)
