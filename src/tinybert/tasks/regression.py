"""A number a row: similarity, rating, valence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tinybert.losses import mse
from tinybert.metrics import regression_metrics
from tinybert.tasks.task import Answer, Task, require_finite, require_width

if TYPE_CHECKING:
    from tinybert.data import LabelScheme


def decode(logits: np.ndarray, labels: LabelScheme) -> list[Answer]:
    """Give each row's number.

    Args:
        logits: (N, 1).
        labels: A scheme without names.

    Raises:
        ModelError: There is more than one output, or one is NaN or infinite.

    Example:
        >>> from tinybert.data import LabelScheme
        >>> decode(np.array([[2.5]]), LabelScheme("value"))
        [Answer(label=None, score=2.5, scores={})]
    """
    require_width(logits, 1)
    return [Answer(None, value, {}) for value in require_finite(logits)[:, 0].tolist()]


def metrics(logits: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    """Score outputs (N, 1) against numbers (N); NaN is no label.

    Raises:
        ModelError: There is more than one output, or one is NaN or infinite.
        DataError: No row has a label.
    """
    require_width(logits, 1)
    return regression_metrics(require_finite(logits)[:, 0], gold)


REGRESSION = Task(
    name="regression",
    label_kind="value",
    problem_type="regression",
    main_metric="pearson",
    hard_losses={"mse": mse},
    soft_losses=("mse_logits",),
    decode=decode,
    metrics=metrics,
)
