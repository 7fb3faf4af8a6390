import numpy as np
import pytest

from tinybert.errors import DataError
from tinybert.metrics import regression_metrics


def test_hand_values():
    scores = regression_metrics(np.array([1.0, 2.0, 3.0, 10.0]), np.array([1.0, 2.0, 4.0, 3.0]))
    assert scores["mse"] == pytest.approx((0 + 0 + 1 + 49) / 4)
    assert scores["mae"] == pytest.approx((0 + 0 + 1 + 7) / 4)
    assert scores["spearman"] == pytest.approx(1 - 6 * 2 / (4 * 15))  # ranks 1 2 3 4 against 1 2 4 3
    assert scores["pearson"] == pytest.approx(7 / np.sqrt(50 * 5))


def test_spearman_shares_the_ranks_of_equal_numbers():
    scores = regression_metrics(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    assert scores["spearman"] == pytest.approx(np.sqrt(3) / 2)  # ranks 1.5 1.5 3 against 1 2 3


@pytest.mark.parametrize(
    ("predictions", "gold"),
    [([2.0, 2.0, 2.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]), ([1.0], [1.0])],
)
def test_constant_sides_have_no_correlation_and_no_warning(predictions, gold):
    scores = regression_metrics(np.array(predictions, np.float32), np.array(gold, np.float32))
    assert scores["pearson"] == scores["spearman"] == 0.0


def test_nearly_constant_predictions_give_a_number_without_a_warning():
    scores = regression_metrics(1.0 + 1e-15 * np.arange(4.0), np.arange(4.0))
    assert np.isfinite(scores["pearson"])


def test_rows_without_a_label_are_left_out():
    scores = regression_metrics(np.array([1.0, 5.0, 2.0, 4.0]), np.array([1.0, np.nan, 2.0, 3.0]))
    assert scores == regression_metrics(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))


def test_nothing_to_score_is_an_error():
    with pytest.raises(DataError, match="none of 1 rows has a gold label"):
        regression_metrics(np.array([1.0]), np.array([np.nan]))
