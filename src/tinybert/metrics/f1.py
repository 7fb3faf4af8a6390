"""F1 as every metric here wants it: 0, and no warning, where there is nothing to find."""

from __future__ import annotations

from typing import Literal

import numpy as np


def f1(gold: np.ndarray, predictions: np.ndarray, *, average: Literal["macro", "micro"]) -> float:
    """Return F1 over the classes that occur in either side.

    Args:
        gold: (N) classes.
        predictions: (N) classes.
        average: ``macro`` weighs classes alike, ``micro`` decisions alike.
    """
    from sklearn.metrics import f1_score

    return float(f1_score(gold, predictions, average=average, zero_division=0))  # pyright: ignore[reportArgumentType]


def f1_of_class_1(gold: np.ndarray, predictions: np.ndarray) -> float:
    """Return F1 of class 1 alone, (N) zeros and ones on either side.

    Example:
        >>> round(f1_of_class_1(np.array([1, 1, 1, 0]), np.array([1, 1, 0, 0])), 2)
        0.8
    """
    from sklearn.metrics import f1_score

    return float(f1_score(gold, predictions, labels=[1], average="macro", zero_division=0))  # pyright: ignore[reportArgumentType]
