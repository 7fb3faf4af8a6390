"""Linear models on sparse features. Legend: N rows, F features, C outputs of the task."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

INVERSE_REGULARISATION = 10.0
MAX_ITERATIONS = 200
CERTAIN = 30.0
"""The logit of a label that every row has; negative, of one that none has."""

Weights = tuple[np.ndarray, np.ndarray]
"""Weights (C, F) and biases (C): ``features @ weights.T + biases`` is what a task's metrics read."""


@dataclass(frozen=True)
class LinearModel:
    """The linear model of a task's labels.

    Attributes:
        name: As reports call it.
        fit: ``(features (N, F), gold, C) -> weights``; gold as the row format's ``gold`` returns it, without
            unlabelled rows.
    """

    name: str
    fit: Callable[[csr_matrix, np.ndarray, int], Weights]


def one_class(features: csr_matrix, gold: np.ndarray, num_outputs: int) -> Weights:
    """Fit a multinomial logistic regression to classes (N); a class that no row has is never predicted."""
    classes = np.unique(gold)
    weights, biases = _untrained(features, num_outputs, bias=-CERTAIN)
    if len(classes) > 2:
        weights[classes], biases[classes] = _logistic_regression(features, gold)
    else:
        biases[classes] = 0.0
        weights[classes[1:]], biases[classes[1:]] = _yes_or_no(features, gold == classes[-1])
    return weights, biases


def each_label(features: csr_matrix, gold: np.ndarray, num_outputs: int) -> Weights:
    """Fit one logistic regression a label to 0 and 1 (N, C)."""
    weights, biases = _untrained(features, num_outputs, bias=0.0)
    for label in range(num_outputs):
        weights[label], biases[label] = _yes_or_no(features, gold[:, label] >= 0.5)
    return weights, biases


def number(features: csr_matrix, gold: np.ndarray, num_outputs: int) -> Weights:
    """Fit a ridge regression to numbers (N)."""
    from sklearn.linear_model import Ridge

    model = Ridge().fit(features, gold)
    return np.reshape(model.coef_, (1, -1)), np.reshape(model.intercept_, 1)


def _untrained(features: csr_matrix, num_outputs: int, *, bias: float) -> Weights:
    num_features = cast("tuple[int, int]", features.shape)[1]
    weights = np.zeros((num_outputs, num_features), dtype=features.dtype)
    return weights, np.full(num_outputs, bias, dtype=features.dtype)


def _yes_or_no(features: csr_matrix, flags: np.ndarray) -> tuple[np.ndarray | float, np.ndarray | float]:
    if flags.all() or not flags.any():
        return 0.0, CERTAIN if flags.all() else -CERTAIN
    weights, biases = _logistic_regression(features, flags)
    return weights[0], biases[0]


def _logistic_regression(features: csr_matrix, gold: np.ndarray) -> Weights:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=MAX_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last of so many steps is good enough
        model.fit(features, gold)
    return np.asarray(model.coef_), np.asarray(model.intercept_)


LOGISTIC_REGRESSION = LinearModel("logistic regression", one_class)
LOGISTIC_REGRESSION_A_LABEL = LinearModel("logistic regression", each_label)
RIDGE_REGRESSION = LinearModel("ridge regression", number)
