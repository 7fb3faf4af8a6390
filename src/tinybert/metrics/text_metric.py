"""What a metric of written texts is: numbers of each row, whose sums over any rows give a score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Statistics(Protocol):
    """Predictions and references in, numbers of each row out."""

    def __call__(
        self, predictions: Sequence[str], references: Sequence[Sequence[str]], *, tokenize: str
    ) -> np.ndarray:
        """Return (N, K) numbers for N rows; ``tokenize`` is BLEU's tokenizer, which others do not read."""
        ...


@dataclass(frozen=True)
class TextMetric:
    """A metric whose score of any rows follows from sums, so that resampling rows costs little.

    Attributes:
        statistics: Numbers of each row, (N, K).
        scores: Sums over rows, (R, K), one line a set of rows → scores (R).
        signature: BLEU's tokenizer and the number of references (None: rows have different numbers) → what
            a score was computed by, in sacrebleu's form.
    """

    statistics: Statistics
    scores: Callable[[np.ndarray], np.ndarray]
    signature: Callable[[str, int | None], str]


def mean_over_rows(
    score: Callable[[str, Sequence[str]], float], signature: Callable[[str, int | None], str]
) -> TextMetric:
    """Return the metric that is the mean of a row's score, 0 to 1, as a percentage.

    Args:
        score: A prediction and its references → 0 to 1.
        signature: As in ``TextMetric``.
    """

    def statistics(
        predictions: Sequence[str], references: Sequence[Sequence[str]], *, tokenize: str
    ) -> np.ndarray:
        pairs = zip(predictions, references, strict=True)
        return np.array([(100 * score(prediction, texts), 1.0) for prediction, texts in pairs])

    return TextMetric(statistics, ratios, signature)


def ratios(sums: np.ndarray) -> np.ndarray:
    """Return the first of two sums divided by the second; 0 where there is nothing to divide by.

    Example:
        >>> ratios(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [0.75, 0.0]
    """
    return np.divide(sums[:, 0], sums[:, 1], out=np.zeros(len(sums)), where=sums[:, 1] > 0)
