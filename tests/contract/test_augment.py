"""What every augmentation keeps, whatever its idea."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.augmenting import make_tools

from tinybert.augmentation import BUILTIN, Example

EVERY = pytest.mark.parametrize("name", BUILTIN)
WORDS = ["film", "Good", "ran", "the", ",", "1999", "bank", "FUN", "fine", "x"]


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    return make_tools(tmp_path_factory.mktemp("tools"))


@st.composite
def examples(draw, *, tagged=True) -> Example:
    words = draw(st.lists(st.sampled_from(WORDS), max_size=9))
    count = len(words)
    gaps = [
        draw(st.sampled_from(["", " "])),
        *[" "] * (count - 1),
        *[draw(st.sampled_from(["", "\n"]))] * (count > 0),
    ]
    locked = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    tags = tuple(
        2 * is_locked - (i == 0 or not locked[i - 1]) * is_locked for i, is_locked in enumerate(locked)
    )
    return Example(tuple(words), tuple(gaps), tuple(locked), tags if tagged else None)


def locked_runs(example: Example) -> list[str]:
    """Return the text of each run of locked words, gaps included."""
    runs, before = [], False
    for (start, end), locked in zip(example.spans, example.locked, strict=True):
        if locked and before:
            runs[-1] = (runs[-1][0], end)
        elif locked:
            runs.append((start, end))
        before = locked
    return [example.text[start:end] for start, end in runs]


@EVERY
@settings(max_examples=60, deadline=None)
@given(example=examples(), seed=st.integers(0, 99))
def test_locked_words_keep_their_order_their_tags_and_their_neighbours(tools, name, example, seed):
    [changed] = BUILTIN[name](tools)([example], rng=np.random.default_rng(seed))
    kept = [
        (word, tag)
        for word, tag, locked in zip(changed.words, changed.tags, changed.locked, strict=True)
        if locked
    ]
    assert kept == [
        (word, tag)
        for word, tag, locked in zip(example.words, example.tags, example.locked, strict=True)
        if locked
    ]
    for run in locked_runs(example):
        assert run in changed.text
    assert all(tag == 0 for tag, locked in zip(changed.tags, changed.locked, strict=True) if not locked)


@EVERY
@settings(max_examples=60, deadline=None)
@given(example=examples(tagged=False), seed=st.integers(0, 99))
def test_words_stay_apart_and_none_is_empty(tools, name, example, seed):
    [changed] = BUILTIN[name](tools)([example], rng=np.random.default_rng(seed))
    again = Example.of(changed.text, "en")
    assert again.words == changed.words
    assert changed.tags is None


@EVERY
def test_one_text_comes_back_for_each_and_the_given_ones_stay(tools, name):
    given_ones = [Example.of(text, "en") for text in ("Good film, fun", "", "!", "film", "the bank")]
    before = [example.text for example in given_ones]
    found = BUILTIN[name](tools)(given_ones, rng=np.random.default_rng(0))
    assert len(found) == len(given_ones)
    assert [example.text for example in given_ones] == before
    assert [found[1].text, found[2].text] == ["", "!"]


@EVERY
def test_the_rng_decides(tools, name):
    texts = [Example.of("Good film and fine fun on the bank", "en")] * 8
    method = BUILTIN[name](tools)
    first, again, other = (
        [example.text for example in method(texts, rng=np.random.default_rng(seed))] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert len(set(first)) > 1


@EVERY
def test_a_method_changes_something(tools, name):
    example = Example.of("Good film and fine fun", "en")
    found = BUILTIN[name](tools)([example] * 20, rng=np.random.default_rng(0))
    assert any(each.text != example.text for each in found)


@EVERY
def test_preparing_changes_no_text_and_not_what_is_drawn(tools, name):
    method = BUILTIN[name](tools)
    if not hasattr(method, "prepare"):
        pytest.skip("nothing to prepare")
    bare = [Example.of(text, "en") for text in ("Good film", "the bank ran")]
    ready = method.prepare(bare)
    assert [example.text for example in ready] == [example.text for example in bare]
    one, other = (
        [example.text for example in method(given_ones, rng=np.random.default_rng(0))]
        for given_ones in (bare, ready)
    )
    assert one == other
