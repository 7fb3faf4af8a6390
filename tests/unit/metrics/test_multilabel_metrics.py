import numpy as np
import pytest
from sklearn.metrics import f1_score

from tinybert.errors import DataError
from tinybert.metrics import multilabel_metrics

GOLD = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
PREDICTIONS = np.array([[1, 0, 0], [1, 0, 1], [0, 0, 0]], dtype=bool)


def test_hand_values():
    scores = multilabel_metrics(PREDICTIONS, GOLD)
    assert scores["micro_f1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert scores["macro_f1"] == pytest.approx((1 + 0 + 0) / 3)
    assert scores["accuracy"] == pytest.approx(2 / 3)


def test_they_are_scikit_learns_own():
    rng = np.random.default_rng(0)
    predictions, gold = rng.random((2, 50, 4)) > 0.6
    scores = multilabel_metrics(predictions, gold.astype(float))
    for average in ("micro", "macro"):
        assert scores[f"{average}_f1"] == pytest.approx(f1_score(gold, predictions, average=average))


def test_one_class_is_still_several_labels():
    scores = multilabel_metrics(np.array([[1], [1], [0], [0]]), np.array([[1.0], [0.0], [0.0], [0.0]]))
    assert scores == {"micro_f1": pytest.approx(2 / 3), "macro_f1": pytest.approx(2 / 3), "accuracy": 0.75}


def test_nothing_gold_and_nothing_predicted_is_zero_without_a_warning():
    scores = multilabel_metrics(np.zeros((2, 3)), np.zeros((2, 3)))
    assert scores == {"micro_f1": 0.0, "macro_f1": 0.0, "accuracy": 1.0}


def test_rows_without_a_label_are_left_out():
    gold = np.concatenate([GOLD, [[np.nan] * 3, [1.0, np.nan, 0.0]]])
    predictions = np.concatenate([PREDICTIONS, np.ones((2, 3), dtype=bool)])
    assert multilabel_metrics(predictions, gold) == multilabel_metrics(PREDICTIONS, GOLD)


def test_nothing_to_score_is_an_error():
    with pytest.raises(DataError, match="none of 2 rows has a gold label"):
        multilabel_metrics(np.zeros((2, 3)), np.full((2, 3), np.nan))
