"""What each class counts in a task's hard loss: as named, or balanced by the labels. Legend: C outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tinybert.data.labels import LabelScheme, tidy
from tinybert.errors import RecipeError
from tinybert.lookup import nearest

if TYPE_CHECKING:
    from tinybert.tasks.task import Task

TRUTH_VALUE = "; YAML reads yes, no, on and off as truth values: put such labels in quotes"
ClassWeights = Literal["none", "balanced"] | Mapping[str, float]


def class_weights(
    setting: ClassWeights, task: Task, given: Iterable[Any], *, labels: LabelScheme
) -> Sequence[float] | None:
    """Return the weight of each output; None where all count alike.

    Args:
        setting: ``train.class_weights``.
        task: The task; it has ``balanced_weights``.
        given: The labels of the labelled train rows.
        labels: Their names.

    Raises:
        RecipeError: A weight is given for a label that the data does not have.
    """
    if setting == "none" or task.balanced_weights is None:
        return None
    if setting == "balanced":
        return task.balanced_weights(list(given), labels)
    weights = {tidy(name): weight for name, weight in setting.items()}
    problems = [
        f"train.class_weights.{name}: the data has no such label{nearest(name, labels.names)} (allowed: "
        f"{labels.allowed()}){TRUTH_VALUE if name in ('true', 'false') else ''}"
        for name in weights
        if name not in labels.label2id
    ]
    if problems:
        raise RecipeError("recipe", problems)
    return [weights.get(name, 1.0) for name in labels.names]


def balanced(counts: np.ndarray) -> list[float]:
    """Return n/(k·count) for each of k classes that occur in n rows, so that the mean over rows is 1.

    Args:
        counts: (C) rows of each class; one without any has the weight 1.

    Source: ``class_weight="balanced"`` of scikit-learn, after King and Zeng, Logistic Regression in Rare
    Events Data, Political Analysis 9, 2001.

    Example:
        >>> balanced(np.array([9, 0, 1]))
        [0.5555555555555556, 1.0, 5.0]
    """
    total, num_present = counts.sum(), (counts > 0).sum()
    return np.where(counts > 0, total / np.maximum(num_present * counts, 1), 1.0).tolist()
