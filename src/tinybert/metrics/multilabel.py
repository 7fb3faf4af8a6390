"""Any number of classes a row."""

from __future__ import annotations

import numpy as np

from tinybert.metrics.f1 import f1_of_class_1
from tinybert.metrics.labelled import labelled_rows


def multilabel_metrics(predictions: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    """Score predicted sets of classes.

    Args:
        predictions: (N, C), true or 1 where a class is predicted.
        gold: (N, C), 0 or 1; soft labels count as 1 from 0.5. A row that holds a NaN is unlabelled.

    Returns:
        ``micro_f1`` over all decisions, ``macro_f1`` the mean over classes (0 for a class that is neither
        predicted nor gold), ``accuracy`` the share of rows whose whole set is right. All in 0…1.

    Raises:
        DataError: The numbers of rows differ, or no row has a label.

    Example:
        >>> multilabel_metrics(np.array([[1, 0], [1, 1]]), np.array([[1, 0], [0, 1]]))["accuracy"]
        0.5
    """
    predictions, gold = labelled_rows(predictions, gold)
    chosen, right = predictions.astype(np.int64), (gold >= 0.5).astype(np.int64)
    by_class = [f1_of_class_1(right[:, index], chosen[:, index]) for index in range(gold.shape[1])]
    return {
        # all decisions in one column: scikit-learn would read a single class as two, yes and no
        "micro_f1": f1_of_class_1(right.ravel(), chosen.ravel()),
        "macro_f1": float(np.mean(by_class)),
        "accuracy": float((right == chosen).all(axis=1).mean()),
    }
