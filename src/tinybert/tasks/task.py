"""The contract of a task. Legend: N rows, C outputs of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from torch import Tensor

from tinybert.errors import ModelError

if TYPE_CHECKING:
    from tinybert.data import LabelScheme

LabelKind = Literal["single", "multi", "value"]
ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]
HardLoss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says about one row.

    Attributes:
        label: The class; for several labels those at or above a probability of 0.5, maybe none; None where
            the answer is a number.
        score: The class's probability; for several labels the highest of all classes, named or not; the
            number itself for regression.
        scores: Each class's probability, in the label scheme's order; empty for regression.
    """

    label: str | list[str] | None
    score: float
    scores: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Task:
    """How one kind of label is taught, answered and measured.

    Attributes:
        name: Its name in ``BUILTIN`` and in recipes.
        label_kind: What a row's label is: one class, a set of classes, a number.
        problem_type: What transformers calls it in a config.
        main_metric: The key of ``metrics`` that the best epoch is chosen by; more is better.
        hard_losses: Name → ``(logits (N, C), labels) -> ()``; the first is the default.
        soft_losses: Names of the losses on the teacher's logits that have a meaning here; the first is the
            default.
        auto_model: The transformers auto class that loads its models.
        decode: ``(logits (N, C), label scheme) -> N answers``.
        metrics: ``(logits (N, C), gold) -> {name: number}``; gold as the collator gives it.
    """

    name: str
    label_kind: LabelKind
    problem_type: ProblemType
    main_metric: str
    hard_losses: Mapping[str, HardLoss]
    soft_losses: tuple[str, ...]
    decode: Callable[[np.ndarray, LabelScheme], list[Answer]]
    metrics: Callable[[np.ndarray, np.ndarray], dict[str, float]]
    auto_model: str = "AutoModelForSequenceClassification"


def require_finite(logits: np.ndarray) -> np.ndarray:
    """Return the logits in float64, so that a probability near 1 keeps its digits.

    Raises:
        ModelError: Some are NaN or infinite: an argmax over them would look like an answer.
    """
    num_bad = int((~np.isfinite(logits.reshape(len(logits), -1))).any(axis=1).sum()) if len(logits) else 0
    if num_bad:
        raise ModelError(
            "logits",
            f"{num_bad:,} of {len(logits):,} rows are NaN or infinite: the training diverged"
            " (lower train.learning_rate) or the weights are damaged",
        )
    return logits.astype(np.float64)


def require_width(logits: np.ndarray, num_outputs: int) -> None:
    """Refuse logits whose width is not that of the labels.

    Raises:
        ModelError: The logits are not (N, num_outputs).
    """
    if logits.ndim != 2 or logits.shape[1] != num_outputs:
        raise ModelError(
            "logits",
            f"shape {logits.shape}, but the labels ask for (N, {num_outputs});"
            " the model was trained for other labels",
        )
