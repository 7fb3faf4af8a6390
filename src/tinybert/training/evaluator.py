"""What a model in training is validated by."""

from __future__ import annotations

from typing import Protocol

from torch import nn


class Evaluator(Protocol):
    """Scores a model; the only way that a model in training is validated.

    Attributes:
        main_metric: The key of the scores that the best weights are chosen by.
        greater_is_better: Whether more of it is better.
        best_score: What a perfect model scores on it.
        num_rows: What is scored: rows, or blocks of raw text.
    """

    main_metric: str
    best_score: float
    greater_is_better: bool
    num_rows: int

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Return the scores of a model that is in ``eval()``, without gradients."""
        ...
