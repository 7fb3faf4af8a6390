"""Intervals of scores of written texts, by the bootstrap over rows."""

import itertools
import random

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from tinybert.errors import DataError, RecipeError
from tinybert.metrics import intervals, text_scores
from tinybert.metrics.generation import BUILTIN

SUMMED = [name for name in BUILTIN if not name.startswith("distinct")]


VOCABULARY = [f"w{number}" for number in range(5000)]
CHANCES = list(itertools.accumulate(1 / number for number in range(1, 5001)))  # as words have them


def rows_of(num_rows, *, seed=0):
    """Predictions that have about two of three words of a reference; every eighth is right."""
    rng = random.Random(seed)

    def written(num_words):
        return rng.choices(VOCABULARY, cum_weights=CHANCES, k=num_words)

    texts = [[written(rng.randint(6, 12)) for _ in range(rng.randint(1, 2))] for _ in range(num_rows)]
    predictions = [
        first if row % 8 == 0 else [word if rng.random() < 0.67 else written(1)[0] for word in first]
        for row, (first, *_) in enumerate(texts)
    ]
    return list(map(" ".join, predictions)), [list(map(" ".join, each)) for each in texts]


@pytest.mark.parametrize("name", BUILTIN)
def test_an_interval_holds_the_score_and_shrinks_with_more_rows(name):
    widths = []
    for num_rows in (50, 800):
        rows = rows_of(num_rows)
        low, high = intervals(*rows, names=[name], resamples=300)[name]
        assert low < text_scores(*rows, names=[name])[name] < high
        widths.append(high - low)
    assert widths[1] < widths[0]
    if name in SUMMED:  # the scores of others change with the number of rows too
        assert 2 < widths[0] / widths[1] < 8  # 4 for a mean


@pytest.mark.parametrize("name", SUMMED)
def test_an_interval_is_that_of_scoring_each_resample_anew(name):
    predictions, references = rows_of(12)
    rng = np.random.default_rng(7)
    scores = []
    for _ in range(25):
        drawn = rng.integers(12, size=12)
        texts = [predictions[row] for row in drawn], [references[row] for row in drawn]
        scores.append(text_scores(*texts, names=[name])[name])
    ours = intervals(predictions, references, names=[name], resamples=25, seed=7)[name]
    assert ours == pytest.approx(tuple(np.quantile(scores, [0.025, 0.975])))


def test_the_interval_of_distinct_covers_the_expected_score():
    """Counting again in each resample, whose rows repeat themselves, would cover it never."""
    rng = np.random.default_rng(0)
    chances = 1 / np.arange(1, 1001)
    corpora = [
        [" ".join(map(str, rng.choice(1000, size=8, p=chances / chances.sum()))) for _ in range(60)]
        for _ in range(60)
    ]
    references = [["x"]] * 60
    expected = np.mean(
        [text_scores(texts, references, names=["distinct1"])["distinct1"] for texts in corpora]
    )
    found = [intervals(texts, references, names=["distinct1"], resamples=200) for texts in corpora]
    covered = np.mean([low <= expected <= high for low, high in (each["distinct1"] for each in found)])
    assert 0.88 <= covered <= 1.0


def test_a_seed_gives_the_same_intervals_and_another_seed_others():
    rows = rows_of(40)
    names = list(BUILTIN)
    assert intervals(*rows, names=names, resamples=50) == intervals(*rows, names=names, resamples=50, seed=0)
    assert intervals(*rows, names=names, resamples=50) != intervals(*rows, names=names, resamples=50, seed=1)


def test_metrics_are_resampled_by_the_same_rows():
    """So that names asked for together or alone have the same intervals."""
    rows = rows_of(40)
    together = intervals(*rows, names=["bleu", "rouge1"], resamples=50)
    assert together["rouge1"] == intervals(*rows, names=["rouge1"], resamples=50)["rouge1"]


@pytest.mark.parametrize("name", BUILTIN)
def test_one_row_has_no_width(name):
    row = ["the cat sat on a mat"], [["the cat sat on the mat", "it sat"]]
    value = text_scores(*row, names=[name])[name]
    assert intervals(*row, names=[name], resamples=10)[name] == pytest.approx((value, value))


def test_empty_predictions_have_intervals():
    found = intervals([""] * 5, [["a b"]] * 5, names=list(BUILTIN), resamples=10)
    assert set(found.values()) == {(0.0, 0.0)}


def test_texts_are_compared_once_a_row_and_not_once_a_resample(monkeypatch):
    compared = []
    compare = BLEU._compute_segment_statistics

    def counted(self, *arguments):
        compared.append(arguments)
        return compare(self, *arguments)

    monkeypatch.setattr(BLEU, "_compute_segment_statistics", counted)
    intervals(*rows_of(20), names=["bleu"], resamples=100)
    assert len(compared) == 20


def test_the_tokenizer_reaches_bleu():
    rows = ["我爱北京", "你好"] * 10, [["我爱上海"], ["你好"]] * 10
    by_character = intervals(*rows, names=["bleu"], tokenize="zh", resamples=50)["bleu"]
    assert by_character[0] > 0 == intervals(*rows, names=["bleu"], resamples=50)["bleu"][0]


def test_what_cannot_be_resampled_is_refused():
    with pytest.raises(DataError, match="no row"):
        intervals([], [], names=["bleu"])
    with pytest.raises(RecipeError, match="resamples = 0"):
        intervals(["a"], [["a"]], names=["bleu"], resamples=0)
    with pytest.raises(RecipeError, match="did you mean 'bleu'"):
        intervals(["a"], [["a"]], names=["blew"])
