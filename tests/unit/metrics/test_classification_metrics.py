import numpy as np
import pytest

from tinybert.errors import DataError
from tinybert.metrics import classification_metrics, confusion

GOLD = np.array([0, 0, 1, 1, 2, 2])
PREDICTIONS = np.array([0, 1, 1, 1, 2, 0])


def test_hand_values():
    scores = classification_metrics(PREDICTIONS, GOLD)
    f1_by_class = [2 * 1 / (2 * 1 + 1 + 1), 2 * 2 / (2 * 2 + 1), 2 * 1 / (2 * 1 + 0 + 1)]
    assert scores["accuracy"] == scores["micro_f1"] == pytest.approx(4 / 6)
    assert scores["macro_f1"] == pytest.approx(sum(f1_by_class) / 3)
    # Gorodkin's form: (4·6 − Σ t·p) / √(36 − Σ p²)(36 − Σ t²), t = (2, 2, 2), p = (2, 3, 1)
    assert scores["mcc"] == pytest.approx((24 - 12) / np.sqrt((36 - 14) * (36 - 12)))
    assert "f1" not in scores


def test_binary_f1_is_that_of_class_1():
    scores = classification_metrics(np.array([1, 1, 0, 0, 0]), np.array([1, 0, 0, 0, 1]))
    assert scores["f1"] == pytest.approx(0.5)
    assert scores["macro_f1"] == pytest.approx((0.5 + 2 / 3) / 2)


def test_two_classes_seen_of_three_is_not_binary():
    assert "f1" not in classification_metrics(np.array([0, 1]), np.array([1, 1]), num_labels=3)
    assert "f1" in classification_metrics(np.array([0, 0]), np.array([0, 0]), num_labels=2)


@pytest.mark.parametrize(("answer", "gold"), [(0, 0), (1, 1), (0, 1), (1, 0)])
def test_constant_answers_give_numbers_without_a_warning(answer, gold):
    scores = classification_metrics(np.full(4, answer), np.full(4, gold), num_labels=2)
    assert scores["accuracy"] == float(answer == gold)
    assert scores["mcc"] == 0.0
    assert scores["f1"] == float(answer == gold == 1)


def test_a_constant_answer_to_a_mixed_split_has_no_correlation():
    assert classification_metrics(np.zeros(4, int), np.array([0, 1, 0, 1]))["mcc"] == 0.0


def test_rows_without_a_label_are_left_out():
    gold = np.concatenate([GOLD, [-100, -100]])
    scores = classification_metrics(np.concatenate([PREDICTIONS, [0, 1]]), gold)
    assert scores == classification_metrics(PREDICTIONS, GOLD)
    assert confusion(np.concatenate([PREDICTIONS, [0, 1]]), gold, 3).sum() == 6


@pytest.mark.parametrize("gold", [np.array([-100, -100]), np.zeros(0, dtype=int)])
def test_nothing_to_score_is_an_error(gold):
    with pytest.raises(DataError, match="has a gold label; score a labelled split"):
        classification_metrics(np.zeros(len(gold), dtype=int), gold)


def test_unequal_numbers_of_rows_are_an_error():
    with pytest.raises(DataError, match="2 predictions for 3 gold labels"):
        classification_metrics(np.array([0, 1]), np.array([0, 1, 1]))


def test_confusion_has_gold_in_rows_and_every_class():
    counts = confusion(PREDICTIONS, GOLD, 4)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
