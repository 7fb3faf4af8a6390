from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinybert.augmentation import Example
from tinybert.augmentation.example import like

TEXTS = st.text(alphabet="ab Zé'’-.,()!1 \n\t好的京", max_size=40)


@settings(deadline=None)  # the first Chinese text loads a dictionary
@given(TEXTS, st.sampled_from(["en", "zh", "other"]))
def test_a_text_is_put_together_exactly(text, language):
    example = Example.of(text, language)
    assert example.text == text
    assert [text[start:end] for start, end in example.spans] == list(example.words)
    assert all(gap.isspace() or not gap for gap in example.gaps)


@given(TEXTS, st.data())
def test_kept_places_lie_in_locked_words(text, data):
    starts = st.integers(0, max(0, len(text) - 1))
    kept = [
        (start, min(len(text), start + length))
        for start, length in data.draw(st.lists(st.tuples(starts, st.integers(1, 9)), max_size=3))
        if start < len(text)
    ]
    example = Example.of(text, "other", kept=kept)
    locked = [span for span, is_locked in zip(example.spans, example.locked, strict=True) if is_locked]
    assert example.text == text
    assert all(any(a <= start and end <= b for a, b in locked) for start, end in kept)


def test_a_kept_place_widens_to_whole_words_and_is_one_word():
    text = "He paid 12 pounds, then left."
    example = Example.of(text, "en", kept=[(8, 13), (12, 17)])
    assert example.words == ("He", "paid", "12 pounds", ",", "then", "left", ".")
    assert example.locked == (False, False, True, False, False, False, False)


def test_tags_lock_their_words():
    example = Example.of_spans("Ada went to Rome", [(0, 3), (4, 8), (9, 11), (12, 16)], tags=[1, 0, 0, 3])
    assert example.locked == (True, False, False, True)
    assert example.free == [1, 2]


def test_marks_are_not_free():
    assert Example.of("No, 3 films!", "en").free == [0, 2, 3]


@pytest.mark.parametrize(
    ("text", "word", "left"),
    [
        ("It's fine.", "fine", "It's."),
        ("It's fine.", "It's", "fine."),
        ("a well-made film", "well", "a-made film"),
        ("a (nice) film", "nice", "a () film"),
        ("so good, film", "good", "so, film"),
        ("say film", "film", "say"),
        ("我很好", "很", "我好"),
    ],
)
def test_dropping_a_word_takes_one_gap(text, word, left):
    language = "zh" if word == "很" else "en"
    example = Example.of_spans(text, [(0, 1), (1, 2), (2, 3)]) if language == "zh" else Example.of(text, "en")
    assert example.without(example.words.index(word)).text == left


def test_words_do_not_grow_together_when_what_parts_them_goes():
    example = Example.of("well-made", "en")
    assert example.without(1).text == "well made"


@pytest.mark.parametrize(
    ("text", "index", "expected"),
    [
        ("It's fine.", 0, "so It's fine."),
        ("It's fine.", 1, "It's so fine."),
        ("It's fine.", 2, "It's fine so."),
        ("It's fine.", 3, "It's fine.so"),
        ("fine", 1, "fine so"),
        ("fine\n", 1, "fine so\n"),
        ("(fine)", 1, "(so fine)"),
        ("", 0, "so"),
    ],
)
def test_an_inserted_word_stands_apart(text, index, expected):
    example = Example.of(text, "en").with_inserted(index, "so")
    assert example.text == expected
    assert len(example.gaps) == len(example.words) + 1


def test_chinese_is_not_spaced():
    example = Example.of_spans("我好", [(0, 1), (1, 2)])
    assert example.with_inserted(1, "很").text == "我很好"
    assert example.with_inserted(2, "吗").text == "我好吗"
    assert example.with_inserted(0, "嗯").text == "嗯我好"


def test_tags_go_with_their_words():
    example = Example.of_spans("a b c d", [(0, 1), (2, 3), (4, 5), (6, 7)], tags=[0, 1, 2, 0])
    swapped = example.swapped(0, 3)
    assert (swapped.text, swapped.tags) == ("d b c a", (0, 1, 2, 0))
    assert example.without(0).tags == (1, 2, 0)
    assert example.with_inserted(1, "x").tags == (0, 0, 1, 2, 0)
    assert example.swapped(0, 1).tags == (1, 0, 2, 0)
    assert example.swapped(0, 1).locked == (True, False, True, False)


@pytest.mark.parametrize(
    ("word", "candidate", "expected"),
    [("film", "movie", "movie"), ("Film", "movie", "Movie"), ("FILM", "movie", "MOVIE"), ("A", "the", "The")],
)
def test_capitals_are_kept(word, candidate, expected):
    assert like(word, candidate) == expected
