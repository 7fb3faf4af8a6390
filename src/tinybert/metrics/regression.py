"""A number a row."""

from __future__ import annotations

import numpy as np

from tinybert.metrics.labelled import labelled_rows


def regression_metrics(predictions: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    """Score predicted numbers.

    Args:
        predictions: (N).
        gold: (N); NaN is no label.

    Returns:
        ``pearson`` and ``spearman`` correlation, in −1…1, 0 when either side is constant; ``mse`` and
        ``mae``, in the labels' own unit (squared for ``mse``).

    Raises:
        DataError: The numbers of rows differ, or no row has a label.

    Example:
        >>> scores = regression_metrics(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))
        >>> round(scores["pearson"], 3), round(scores["spearman"], 3), round(scores["mae"], 3)
        (0.982, 1.0, 0.333)
    """
    from scipy import stats

    predictions, gold = labelled_rows(np.asarray(predictions, np.float64), np.asarray(gold, np.float64))
    error = predictions - gold
    return {
        "pearson": _pearson(predictions, gold),
        "spearman": _pearson(stats.rankdata(predictions), stats.rankdata(gold)),
        "mse": float(np.mean(error**2)),
        "mae": float(np.mean(np.abs(error))),
    }


def _pearson(predictions: np.ndarray, gold: np.ndarray) -> float:
    if np.ptp(predictions) == 0 or np.ptp(gold) == 0:  # also a single row
        return 0.0
    with np.errstate(all="ignore"):  # nearly constant: the number is imprecise, which a user cannot fix
        value = float(np.corrcoef(predictions, gold)[0, 1])
    return value if np.isfinite(value) else 0.0
