"""Any number of classes a row: emotions, tags. Each class is a yes-or-no question of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tinybert.losses import binary_cross_entropy
from tinybert.metrics import multilabel_metrics
from tinybert.tasks.task import Answer, Task, require_finite, require_width

if TYPE_CHECKING:
    from tinybert.data import LabelScheme


def decode(logits: np.ndarray, labels: LabelScheme) -> list[Answer]:
    """Name the classes of each row whose probability is at least 0.5; there may be none.

    Args:
        logits: (N, C).
        labels: C names.

    Raises:
        ModelError: C differs, or a logit is NaN or infinite.

    Example:
        >>> from tinybert.data import LabelScheme
        >>> decode(np.array([[3.0, -3.0, 1.0]]), LabelScheme("multi", ("angry", "glad", "sad")))[0].label
        ['angry', 'sad']
    """
    require_width(logits, len(labels.names))
    rows = sigmoid(require_finite(logits)).tolist()
    return [_answer(dict(zip(labels.names, probabilities, strict=True))) for probabilities in rows]


def _answer(scores: dict[str, float]) -> Answer:
    chosen = [name for name, probability in scores.items() if probability >= 0.5]
    return Answer(chosen, max(scores.values()), scores)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return each logit's probability; by tanh, which cannot overflow."""
    return 0.5 * (1 + np.tanh(logits / 2))


def metrics(logits: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    """Score logits (N, C) against 0 and 1 (N, C); a row that holds a NaN has no label.

    Raises:
        ModelError: A logit is NaN or infinite.
        DataError: No row has a label.
    """
    return multilabel_metrics(require_finite(logits) >= 0, gold)


MULTILABEL = Task(
    name="multilabel",
    label_kind="multi",
    problem_type="multi_label_classification",
    main_metric="micro_f1",
    hard_losses={"binary_cross_entropy": binary_cross_entropy},
    soft_losses=("mse_logits",),
    decode=decode,
    metrics=metrics,
)
