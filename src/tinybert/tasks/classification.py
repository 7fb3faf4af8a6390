"""One class a row: sentiment, intent, topic, entailment of a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tinybert.losses import cross_entropy, mse_over_classes
from tinybert.metrics import classification_metrics
from tinybert.tasks.task import Answer, Task, require_finite, require_width

if TYPE_CHECKING:
    from tinybert.data import LabelScheme


def decode(logits: np.ndarray, labels: LabelScheme) -> list[Answer]:
    """Name the class of each row.

    Args:
        logits: (N, C).
        labels: C names.

    Raises:
        ModelError: C differs, or a logit is NaN or infinite.

    Example:
        >>> from tinybert.data import LabelScheme
        >>> decode(np.array([[0.0, 2.0]]), LabelScheme("single", ("negative", "positive")))[0].label
        'positive'
    """
    require_width(logits, len(labels.names))
    names = labels.names
    rows = zip(logits.argmax(-1).tolist(), softmax(require_finite(logits)).tolist(), strict=True)
    return [
        Answer(names[best], probabilities[best], dict(zip(names, probabilities, strict=True)))
        for best, probabilities in rows
    ]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return each row's probabilities, (N, C)."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def metrics(logits: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    """Score logits (N, C) against classes (N); −100 is no label.

    Raises:
        ModelError: A logit is NaN or infinite.
        DataError: No row has a label.
    """
    predictions = require_finite(logits).argmax(-1)
    return classification_metrics(predictions, gold, num_labels=logits.shape[-1])


CLASSIFICATION = Task(
    name="classification",
    label_kind="single",
    problem_type="single_label_classification",
    main_metric="accuracy",
    hard_losses={"cross_entropy": cross_entropy, "mse": mse_over_classes},
    soft_losses=("kl_divergence", "soft_cross_entropy", "mse_logits"),
    decode=decode,
    metrics=metrics,
)
