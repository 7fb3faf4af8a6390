import re
import string
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinybert.metrics.answers import (
    answer_f1,
    answer_metrics,
    best_threshold,
    exact_match,
    normalise_answer,
)

STEADY = settings(deadline=None, derandomize=True, max_examples=200, database=None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Brown, Fox.", ["brown", "fox"]),
        ("a cat and an owl", ["cat", "and", "owl"]),
        ("theatre anthem", ["theatre", "anthem"]),
        ("a-n owl", ["owl"]),  # punctuation goes first: an
        ("U.S.A.", ["usa"]),
        ("  1,000\t\n km² ", ["1000", "km²"]),
        ("rock 'n' roll", ["rock", "n", "roll"]),
        ("Café – CRÈME", ["café", "–", "crème"]),  # only ASCII's marks are punctuation
        ("the", []),
        ("?!", []),
        ("", []),
        ("北京大学", ["北", "京", "大", "学"]),
        ("2008年 the カ", ["2008", "年", "カ"]),
    ],
)
def test_what_is_compared(text, words):
    assert normalise_answer(text) == words


@pytest.mark.parametrize(
    ("answer", "gold", "exact", "f1"),
    [
        ("The fox.", ["fox"], 1.0, 1.0),
        ("old fox", ["fox"], 0.0, 2 / 3),
        ("fox old", ["old fox"], 0.0, 1.0),
        ("fox fox", ["fox"], 0.0, 2 / 3),
        ("fox fox cat", ["fox fox owl"], 0.0, 2 / 3),
        ("cat", ["fox", "the cat", "cat owl"], 1.0, 1.0),
        ("cat", ["fox", "cat owl"], 0.0, 2 / 3),
        ("cat", ["fox"], 0.0, 0.0),
        ("", [], 1.0, 1.0),
        ("", [""], 1.0, 1.0),
        ("fox", [], 0.0, 0.0),
        ("", ["fox"], 0.0, 0.0),
        ("the", [], 1.0, 1.0),  # nothing is left of it
        ("北京", ["北京市"], 0.0, 4 / 5),
        ("北京", ["北京。"], 0.0, 4 / 5),  # a Chinese full stop is not ASCII's
    ],
)
def test_hand_values(answer, gold, exact, f1):
    assert exact_match(answer, gold) == exact
    assert answer_f1(answer, gold) == pytest.approx(f1)


def official_normalise(text):
    """As in evaluate-v2.0.py."""
    text = "".join(mark for mark in text.lower() if mark not in set(string.punctuation))
    return " ".join(re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", text).split())


def official_f1(gold, answer):
    gold, answer = official_normalise(gold).split(), official_normalise(answer).split()
    shared = sum((Counter(gold) & Counter(answer)).values())
    if not gold or not answer:
        return int(gold == answer)
    if not shared:
        return 0
    precision, recall = shared / len(answer), shared / len(gold)
    return 2 * precision * recall / (precision + recall)


PHRASES = st.lists(
    st.sampled_from(["fox", "Old", "a", "an", "The", "U.S.", "-", "'s", "1,000", "é", "anthem", "\t"]),
    max_size=5,
).map(" ".join)
ANY = st.text(st.characters(max_codepoint=0x2FF), max_size=30)


@STEADY
@given(st.one_of(PHRASES, ANY), st.one_of(PHRASES, ANY))
def test_normalisation_and_f1_are_the_official_ones(answer, gold):
    assert " ".join(normalise_answer(answer)) == official_normalise(answer)
    assert exact_match(answer, [gold]) == (official_normalise(answer) == official_normalise(gold))
    assert answer_f1(answer, [gold]) == pytest.approx(official_f1(gold, answer))


@STEADY
@given(PHRASES, st.lists(PHRASES, max_size=3))
def test_the_best_of_several_gold_answers_counts_as_officially(answer, gold):
    """Gold answers of which nothing is left are none, unless they are all."""
    usable = [each for each in gold if official_normalise(each)] or [""]
    assert answer_f1(answer, gold) == pytest.approx(max(official_f1(each, answer) for each in usable))
    wanted = max(official_normalise(each) == official_normalise(answer) for each in usable)
    assert exact_match(answer, gold) == wanted


def test_scores_where_every_question_has_an_answer():
    assert answer_metrics(["fox", "old fox"], [["the fox"], ["fox"]]) == {
        "f1": pytest.approx(5 / 6),
        "exact_match": 0.5,
    }


def test_scores_where_some_questions_have_none():
    scores = answer_metrics(["fox", "", "cat", ""], [["the fox"], [], [], ["owl"]])
    assert scores == {"f1": 0.5, "exact_match": 0.5, "f1_answerable": 0.5, "no_answer_accuracy": 0.5}


def test_scores_where_no_question_has_one():
    assert answer_metrics(["", "x"], [[], []]) == {"f1": 0.5, "exact_match": 0.5, "no_answer_accuracy": 0.5}


def score_at(threshold, margins, f1s, answerable):
    """F1 when questions whose margin is above the threshold are left unanswered."""
    rows = zip(margins, f1s, answerable, strict=True)
    return np.mean(
        [(margin > threshold) != has if margin > threshold else f1 * has for margin, f1, has in rows]
    )


def best_score(margins, f1s, answerable):
    cuts = sorted(set(margins))
    thresholds = [cuts[0] - 1, *cuts]
    return max(score_at(threshold, margins, f1s, answerable) for threshold in thresholds)


@pytest.mark.parametrize(
    ("margins", "f1s", "answerable", "threshold"),
    [
        ([-2.0, 3.0], [1.0, 0.0], [True, False], 0.5),
        ([-2.0, 3.0], [1.0, 1.0], [True, True], 3.0),  # answer all
        ([-2.0, 3.0], [0.0, 0.0], [False, False], -3.0),  # answer none
        ([3.0, -2.0], [1.0, 0.0], [False, True], -3.0),
        ([4.0, 2.0, 0.0], [0.0, 0.7, 1.0], [False, True, True], 3.0),
    ],
)
def test_threshold_by_hand(margins, f1s, answerable, threshold):
    assert best_threshold(margins, f1s, answerable) == threshold


def rows_of(margins, *, unique=False):
    rows = st.tuples(margins, st.sampled_from([0.0, 0.25, 1.0]), st.booleans())
    return st.lists(rows, min_size=1, max_size=8, unique_by=(lambda row: row[0]) if unique else None)


def agrees_with_search(rows):
    margins, f1s, answerable = (list(column) for column in zip(*rows, strict=True))
    threshold = best_threshold(margins, f1s, answerable)
    assert np.isfinite(threshold)
    found = score_at(threshold, margins, f1s, answerable)
    assert found == pytest.approx(best_score(margins, f1s, answerable))


@STEADY
@given(rows_of(st.integers(-400, 400).map(lambda number: number / 8), unique=True))
def test_no_threshold_is_better(rows):
    agrees_with_search(rows)


@STEADY
@given(rows_of(st.sampled_from([-1.0, 0.0, 2.5, 1e9])))
def test_no_threshold_is_better_where_margins_are_equal(rows):
    agrees_with_search(rows)
