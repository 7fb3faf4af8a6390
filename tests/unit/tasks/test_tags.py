from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinybert.tasks.ner.tags import best_tags, entities_of, legal_steps, viterbi

NAMES = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
STEADY = settings(deadline=None, derandomize=True, max_examples=100, database=None)


def is_legal(tags):
    return all(
        not tag.startswith("I-") or (before != "O" and before[2:] == tag[2:])
        for before, tag in zip(["O", *tags], tags, strict=False)
    )


def legal_sequences(num_words, num_tags):
    for tags in product(range(num_tags), repeat=num_words):
        if is_legal([NAMES[tag] for tag in tags]):
            yield tags


def scores_of(*words):
    """Log probabilities; a word is given by its likeliest tags, best first."""
    scores = np.full((len(words), len(NAMES)), -9.0)
    for row, tags in enumerate(words):
        for rank, tag in enumerate(tags.split()):
            scores[row, NAMES.index(tag)] = -1.0 - rank
    return scores


def shapes(max_words):
    return st.tuples(st.integers(1, max_words), st.sampled_from([1, 3, 5]))


def tables(elements, max_words=5):
    return shapes(max_words).flatmap(lambda shape: arrays.arrays(np.float64, shape, elements=elements))


def best_of(scores):
    return viterbi(scores, legal_steps(NAMES[: scores.shape[1]]))


def test_which_tags_may_stand_where():
    steps = legal_steps(NAMES)
    first, follows = steps.first, steps.follows
    assert first.tolist() == [True, True, False, True, False]
    allowed = {
        NAMES[before]: [NAMES[tag] for tag in np.flatnonzero(row)] for before, row in enumerate(follows)
    }
    assert allowed == {
        "O": ["O", "B-LOC", "B-PER"],
        "B-LOC": ["O", "B-LOC", "I-LOC", "B-PER"],
        "I-LOC": ["O", "B-LOC", "I-LOC", "B-PER"],
        "B-PER": ["O", "B-LOC", "B-PER", "I-PER"],
        "I-PER": ["O", "B-LOC", "B-PER", "I-PER"],
    }


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["B-PER", "I-PER"], ["B-PER", "I-PER"]),
        (["I-PER", "I-PER"], ["B-PER", "I-PER"]),
        (["O B-PER", "I-PER"], ["B-PER", "I-PER"]),
        (["B-PER", "I-LOC I-PER"], ["B-PER", "I-PER"]),
        (["B-PER B-LOC", "I-LOC", "I-LOC"], ["B-LOC", "I-LOC", "I-LOC"]),
        (["I-LOC O"], ["O"]),
    ],
)
def test_by_hand(words, wanted):
    scores = scores_of(*words)
    if words[0] == "I-PER":
        scores[0, NAMES.index("B-PER")] = -2.0
    tags = best_tags(scores, np.array([0, len(words)]), NAMES)
    assert [NAMES[tag] for tag in tags] == wanted


@STEADY
@given(tables(st.floats(-20, 0)))
def test_viterbi_finds_the_best_of_all_legal_sequences(scores):
    words = np.arange(len(scores))
    best = max(scores[words, list(tags)].sum() for tags in legal_sequences(*scores.shape))
    found = best_of(scores)
    assert is_legal([NAMES[tag] for tag in found])
    assert scores[words, found].sum() == pytest.approx(best)


@STEADY
@given(tables(st.floats(-1e6, 0), max_words=60))
def test_no_scores_make_an_illegal_sequence(scores):
    assert is_legal([NAMES[tag] for tag in best_of(scores)])


@STEADY
@given(tables(st.sampled_from([0.0, -1.0, -1e8, -1e9, -1e12, -1e38]), max_words=6))
def test_not_even_scores_at_the_end_of_the_scale_do(scores):
    assert is_legal([NAMES[tag] for tag in best_of(scores)])


@st.composite
def several_rows(draw):
    lengths = draw(st.lists(st.integers(0, 5), max_size=6))
    shape = (sum(lengths), len(NAMES))
    elements = st.integers(-40, 0).map(lambda number: number / 4)
    scores = draw(arrays.arrays(np.float64, shape, elements=elements))
    noise = np.random.default_rng(draw(st.integers(0, 9))).random(shape)  # no ties
    return scores + 1e-3 * noise, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


@STEADY
@given(several_rows())
def test_several_rows_are_each_row_by_itself(rows):
    scores, offsets = rows
    found = best_tags(scores.copy(), offsets, NAMES)
    assert found.shape == (len(scores),)
    for first, last in pairwise(offsets):
        own = found[first:last]
        assert is_legal([NAMES[tag] for tag in own])
        if last > first:
            assert own.tolist() == best_of(scores[first:last]).tolist()


def test_an_entity_does_not_go_on_into_the_next_row():
    scores = scores_of("B-PER", "I-PER B-PER", "I-PER O")
    assert [NAMES[tag] for tag in best_tags(scores, np.array([0, 1, 3]), NAMES)] == [
        "B-PER",
        "B-PER",
        "I-PER",
    ]
    assert [NAMES[tag] for tag in best_tags(scores, np.array([0, 3]), NAMES)] == ["B-PER", "I-PER", "I-PER"]


@pytest.mark.parametrize("offsets", [[0], [0, 0], [0, 0, 0]])
def test_rows_of_no_words(offsets):
    assert best_tags(np.zeros((0, 5)), np.array(offsets), NAMES).tolist() == []


def test_rows_of_no_words_between_others():
    scores = scores_of("I-PER B-PER", "I-PER")
    assert best_tags(scores, np.array([0, 0, 1, 1, 2, 2]), NAMES).tolist() == [3, 0]


def test_the_scores_stay_as_they_are():
    scores = scores_of("I-PER", "I-LOC")
    before = scores.copy()
    best_tags(scores, np.array([0, 2]), NAMES)
    assert (scores == before).all()


@pytest.mark.parametrize(
    ("tags", "entities"),
    [
        ([], []),
        (["O", "O"], []),
        (["B-PER", "I-PER", "O", "B-LOC"], [(0, 2, "PER"), (3, 4, "LOC")]),
        (["B-PER", "B-PER", "I-PER"], [(0, 1, "PER"), (1, 3, "PER")]),
        (["O", "B-A-B", "I-A-B"], [(1, 3, "A-B")]),
    ],
)
def test_entities_of_tags(tags, entities):
    assert entities_of(tags) == entities
