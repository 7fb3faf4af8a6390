from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.augmenting import WordList, make_vectors

from tinybert.augmentation import BLOCK, BUILTIN, Augmenter, Tools, copies_in_blocks
from tinybert.augmentation.augmenter import blocks
from tinybert.errors import RecipeError
from tinybert.tasks import BUILTIN as TASKS
from tinybert.tasks.classification import CLASSIFICATION
from tinybert.tasks.ner import NER
from tinybert.tasks.qa import QA

PURE = ("swap", "drop", "insert", "neighbours", "masked_lm", "tinybert")
WORDS = st.sampled_from(["film", "Good", "ran", "the", "of", ",", "1999", "movie", "x", "fine", "on"])
GAPS = st.sampled_from([" ", "  ", "\n"])


def make_method(name: str, probability: float = 0.6):
    tools = Tools(probability, 3, "other", WordList(unknown=["good"]), make_vectors())
    return BUILTIN[name](tools)


def make_augmenter(name: str = "tinybert", *, num_copies: int = 4, probability: float = 0.6) -> Augmenter:
    return Augmenter(make_method(name, probability), num_copies=num_copies, language="other")


def joined(draw, words):
    """Return a text of these words, and where each stands."""
    text, spans = "", []
    for word in words:
        text += draw(GAPS)
        spans.append((len(text), len(text) + len(word)))
        text += word
    return text + draw(st.sampled_from(["", " "])), spans


@st.composite
def tagged_rows(draw):
    parts = draw(st.lists(st.tuples(st.booleans(), st.integers(1, 3)), min_size=1, max_size=5))
    words, tags = [], []
    for is_entity, length in parts:
        kind = draw(st.sampled_from([1, 3]))
        words += draw(st.lists(WORDS, min_size=length, max_size=length))
        tags += [kind, *[kind + 1] * (length - 1)] if is_entity else [0] * length
    text, spans = joined(draw, words)
    return {
        "text": text,
        "word_starts": [start for start, _ in spans],
        "word_ends": [end for _, end in spans],
        "label": tags,
    }


def entities(row):
    """Return the words and the kind of every entity, in order."""
    words = [row["text"][a:b] for a, b in zip(row["word_starts"], row["word_ends"], strict=True)]
    found = []
    for word, tag in zip(words, row["label"], strict=True):
        if tag % 2:
            found.append((tag, [word]))
        elif tag:
            found[-1][1].append(word)
    return found


@pytest.mark.parametrize("name", PURE)
@settings(max_examples=40, deadline=None)
@given(row=tagged_rows(), seed=st.integers(0, 9))
def test_entities_keep_their_words_and_tags(name, row, seed):
    [copies] = make_augmenter(name).copies_of([row], format=NER.format, seed=seed)
    for copy in copies:
        assert copy.keys() == row.keys()
        assert entities(copy) == entities(row)
        spans = list(zip(copy["word_starts"], copy["word_ends"], strict=True))
        assert all(a < b for a, b in spans) and all(b <= c for (_, b), (c, _) in itertools.pairwise(spans))
        assert spans[-1][1] <= len(copy["text"])
        outside = "".join(copy["text"].split())
        assert outside == "".join("".join(copy["text"][a:b].split()) for a, b in spans)
        if name not in ("drop", "insert"):
            assert copy["label"] == row["label"]


@st.composite
def question_rows(draw):
    words = draw(st.lists(WORDS, min_size=1, max_size=9))
    context, spans = joined(draw, words)
    answers = []
    for _ in range(draw(st.integers(0, 2))):
        first = draw(st.integers(0, len(words) - 1))
        last = draw(st.integers(first, min(first + 2, len(words) - 1)))
        cut = draw(st.integers(0, spans[first][1] - spans[first][0] - 1))  # an answer may begin inside a word
        answers.append([spans[first][0] + cut, spans[last][1]])
    return {
        "text": " ".join(draw(st.lists(WORDS, min_size=1, max_size=5))),
        "text_pair": context,
        "label": answers,
    }


@pytest.mark.parametrize("name", PURE)
@settings(max_examples=40, deadline=None)
@given(row=question_rows(), seed=st.integers(0, 9))
def test_answers_are_found_anew_and_stay_the_same(name, row, seed):
    [copies] = make_augmenter(name).copies_of([row], format=QA.format, seed=seed)
    for copy in copies:
        before = [row["text_pair"][start:end] for start, end in row["label"]]
        assert [copy["text_pair"][start:end] for start, end in copy["label"]] == before
        assert (copy["text"] == row["text"]) != (copy["text_pair"] == row["text_pair"])


def test_an_answer_moves_with_what_stands_before_it():
    row = {"text": "x?", "text_pair": "ran on Good 42 ran", "label": [[12, 14]]}
    [copies] = make_augmenter("drop", num_copies=300).copies_of([row], format=QA.format, seed=0)
    assert {tuple(copy["label"][0]) for copy in copies} >= {(12, 14), (8, 10), (0, 2)}
    assert all(copy["text_pair"][slice(*copy["label"][0])] == "42" for copy in copies)


@pytest.mark.parametrize("task", ["ner", "qa"])
def test_unlabelled_rows_stay_unlabelled(task):
    row = {"text": "film ran", "label": None}
    row |= {"word_starts": [0, 5], "word_ends": [4, 8]} if task == "ner" else {"text_pair": "Good"}
    [copies] = make_augmenter().copies_of([row], format=TASKS[task].format, seed=0)
    assert copies and all(copy["label"] is None and copy.keys() == row.keys() for copy in copies)


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_a_label_of_the_whole_text_is_left_to_the_teacher(task):
    row = {"text": "film ran", "label": 1, "id": "seven"}
    [copies] = make_augmenter().copies_of([row], format=TASKS[task].format, seed=0)
    assert copies and all(copy["label"] is None and copy["id"] == "seven" for copy in copies)
    assert row["label"] == 1


def test_rows_without_a_label_column_get_none():
    [copies] = make_augmenter().copies_of([{"text": "film"}], format=CLASSIFICATION.format, seed=0)
    assert copies and all(copy.keys() == {"text"} for copy in copies)


def test_of_two_texts_the_first_and_the_second_change_in_turn():
    row = {"text": "film " * 12, "text_pair": "ran " * 12, "label": 0}
    [copies] = make_augmenter(num_copies=5).copies_of([row], format=CLASSIFICATION.format, seed=0)
    assert [copy["text"] != row["text"] for copy in copies] == [True, False, True, False, True]
    assert [copy["text_pair"] != row["text_pair"] for copy in copies] == [False, True, False, True, False]


def test_copies_differ_from_the_row_and_from_each_other():
    rows = [{"text": "film"}, {"text": "the film"}, {"text": "1999 !"}, {"text": ""}]
    found = make_augmenter("masked_lm", num_copies=400).copies_of(rows, format=CLASSIFICATION.format, seed=0)
    for row, copies in zip(rows, found, strict=True):
        texts = [copy["text"] for copy in copies]
        assert len({*texts, row["text"]}) == len(texts) + 1
    assert [len(copies) for copies in found] == [3, 15, 0, 0]


ROWS = [{"text": f"film number{i} ran on the Good movie of {i}"} for i in range(BLOCK + 70)]


def test_a_rows_copies_do_not_depend_on_its_company():
    augmenter = make_augmenter()
    whole = augmenter.copies_of(ROWS, format=CLASSIFICATION.format, seed=3)
    for start, end in [(0, 5), (250, 300), (BLOCK, len(ROWS))]:
        part = augmenter.copies_of(ROWS[start:end], format=CLASSIFICATION.format, seed=3, first_row=start)
        assert part == whole[start:end]
    assert augmenter.copies_of(ROWS[:5], format=CLASSIFICATION.format, seed=4) != whole[:5]
    assert augmenter.copies_of(ROWS[:5], format=CLASSIFICATION.format, seed=3, first_row=5) != whole[:5]


def test_equal_texts_get_copies_of_their_own():
    one, other = make_augmenter().copies_of([ROWS[0]] * 2, format=CLASSIFICATION.format, seed=0)
    assert one != other


@pytest.mark.parametrize("num_processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_several_processes_make_the_same_copies(num_processes):
    make = partial(make_augmenter, "tinybert")
    found = list(
        copies_in_blocks(make, ROWS, format=CLASSIFICATION.format, seed=3, num_processes=num_processes)
    )
    assert [len(block) for block in found] == [BLOCK, 70]
    whole = make().copies_of(ROWS, format=CLASSIFICATION.format, seed=3)
    assert [copies for block in found for copies in block] == whole
    later = copies_in_blocks(make, ROWS[BLOCK:], format=CLASSIFICATION.format, seed=3, first_row=BLOCK)
    assert list(later) == found[1:]


def test_the_model_is_asked_about_a_block_at_once_and_about_equal_texts_once():
    asked = []

    class Noting(WordList):
        def candidates(self, sentences, places):
            asked.append(len(sentences))
            return super().candidates(sentences, places)

    method = BUILTIN["masked_lm"](Tools(0.5, 3, "other", Noting()))
    rows = [*ROWS[: BLOCK - 1], ROWS[0], *ROWS[:4]]
    Augmenter(method, num_copies=6, language="other").copies_of(rows, format=CLASSIFICATION.format, seed=0)
    assert asked == [BLOCK - 1, 4]


def loses_a_text(examples, *, rng):
    return list(examples)[1:]


def drops_the_first_word(examples, *, rng):
    return [example.without(0) for example in examples]


@pytest.mark.parametrize("method", [loses_a_text, drops_the_first_word])
def test_a_method_that_breaks_the_contract_is_stopped(method):
    row = {"text": "Ada ran", "word_starts": [0, 4], "word_ends": [3, 7], "label": [1, 0]}
    with pytest.raises(RecipeError, match="locked words"):
        Augmenter(method, num_copies=2, language="en").copies_of([row], format=NER.format, seed=0)


@given(st.integers(0, 3 * BLOCK), st.integers(0, 3 * BLOCK))
def test_blocks_cover_all_rows_and_begin_at_multiples(first, count):
    found = list(blocks(first, count))
    assert [row for start, end in found for row in range(start, end)] == [*range(first, first + count)]
    assert all(start % BLOCK == 0 for start, _ in found[1:])
    assert len(found) <= count // BLOCK + 2


def test_random_numbers_are_not_taken_from_anywhere_else():
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    make_augmenter("insert").copies_of(ROWS[:3], format=CLASSIFICATION.format, seed=0)
    assert (np.random.get_state()[1] == state).all()
