"""One class a row."""

from __future__ import annotations

import numpy as np

from tinybert.metrics.f1 import f1, f1_of_class_1
from tinybert.metrics.labelled import labelled_rows


def classification_metrics(
    predictions: np.ndarray, gold: np.ndarray, *, num_labels: int | None = None
) -> dict[str, float]:
    """Score predicted classes.

    Args:
        predictions: (N) classes.
        gold: (N) classes; −100 is no label.
        num_labels: Number of classes there are; by default one more than the largest seen.

    Returns:
        ``accuracy``; ``macro_f1`` over the classes that occur in either; ``micro_f1`` (the accuracy again,
        for one class a row); ``mcc``, Matthews' correlation, 0 when all rows are of one class; and with two
        classes ``f1`` of class 1. All but ``mcc`` are in 0…1.

    Raises:
        DataError: The numbers of rows differ, or no row has a label.

    Example:
        >>> scores = classification_metrics(np.array([1, 1, 0, 0]), np.array([1, 1, 1, 0]))
        >>> scores["accuracy"], round(scores["f1"], 2), round(scores["mcc"], 2)
        (0.75, 0.8, 0.58)
    """
    from sklearn.metrics import accuracy_score, matthews_corrcoef

    predictions, gold = labelled_rows(predictions, gold)
    seen = np.union1d(predictions, gold)
    scores = {
        "accuracy": float(accuracy_score(gold, predictions)),
        "macro_f1": f1(gold, predictions, average="macro"),
        "micro_f1": f1(gold, predictions, average="micro"),
        "mcc": float(matthews_corrcoef(gold, predictions)) if len(seen) > 1 else 0.0,
    }
    if (num_labels or int(seen.max()) + 1) <= 2:
        scores["f1"] = f1_of_class_1(gold, predictions)
    return scores


def confusion(predictions: np.ndarray, gold: np.ndarray, num_labels: int) -> np.ndarray:
    """Count how often each gold class was predicted as each class.

    Args:
        predictions: (N) classes.
        gold: (N) classes; −100 is no label.
        num_labels: C, the number of classes there are.

    Returns:
        (C, C) counts; rows are gold classes, columns predicted ones.

    Raises:
        DataError: The numbers of rows differ, or no row has a label.

    Example:
        >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    predictions, gold = labelled_rows(predictions, gold)
    cells = gold.astype(np.int64) * num_labels + predictions.astype(np.int64)
    return np.bincount(cells, minlength=num_labels**2).reshape(num_labels, num_labels)
