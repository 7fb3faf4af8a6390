"""What a model predicts for one row, and how that is shown, compared and written."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinybert.errors import RecipeError

RANGE_SHARE = 0.05
"""Two numbers count as equal when they differ by no more than this part of the range of all predictions.

It is what int8 may be off in the mean (:mod:`tinybert.inference.parity`).
"""
COLOURS = (44, 42, 45, 46, 43, 41)
"""Background colours of the terminal."""
BOLD = 1


class Prediction(ABC):
    """What a model predicts for one row: a frozen dataclass whose fields are what a user reads."""

    __slots__ = ()

    @abstractmethod
    def fields(self) -> dict[str, object]:
        """Return what a line of JSON says."""

    @abstractmethod
    def table(self) -> tuple[list[str], Sequence[Sequence[object]]]:
        """Return the columns of a table, and this prediction's lines below them."""

    @abstractmethod
    def shown(self, text: str) -> str:
        """Return a line, or a few, for a terminal; ``text`` is the row's own."""

    @abstractmethod
    def scores_compared(self) -> list[float]:
        """Return the numbers that an export must reproduce."""

    @abstractmethod
    def is_same(self, other: Prediction, *, value_range: float) -> bool:
        """Say whether another model predicts the same; scores may differ.

        Args:
            other: Its prediction for the same row.
            value_range: Largest minus smallest number, where numbers are predicted.
        """

    def tokens_written(self) -> int:
        """Return how many tokens were written, one after the other; 0 where no text is."""
        return 0

    def as_label(self) -> object:
        """Return the prediction as the label of a row.

        Raises:
            RecipeError: Predictions of this kind are no labels.
        """
        raise RecipeError("recipe", "teacher.path: what this task predicts is no label of a row; omit it")

    def columns_repeated(self, row: Mapping[str, object]) -> set[str]:
        """Return the columns of a row that its prediction repeats, or that are too long beside it."""
        return set()


@dataclass(frozen=True, slots=True)
class TextPrediction(Prediction):
    """What a model predicts for a text as a whole.

    Attributes:
        label: The class; for several labels those at or above a probability of 0.5, maybe none; None where
            the prediction is a number.
        score: The class's probability; for several labels the highest of all classes, named or not; the
            number itself for regression.
        scores: Each class's probability, in the label scheme's order; empty for regression.
    """

    label: str | list[str] | None
    score: float
    scores: dict[str, float]

    def fields(self) -> dict[str, object]:
        """Return label, score and scores."""
        return {"label": self.label, "score": self.score, "scores": self.scores}

    def table(self) -> tuple[list[str], Sequence[Sequence[object]]]:
        """Return one line: label (several with a bar between) and score."""
        label = "|".join(self.label) if isinstance(self.label, list) else self.label
        return ["label", "score"], [[label, self.score]]

    def shown(self, text: str) -> str:
        """Return label, probability and text, or number and text."""
        if self.label is None:
            return f"{self.score:.4f}\t{text}"
        label = ", ".join(self.label) if isinstance(self.label, list) else self.label
        return f"{label}\t{self.score:.1%}\t{text}"

    def scores_compared(self) -> list[float]:
        """Return all probabilities, or the number."""
        return list(self.scores.values()) or [self.score]

    def is_same(self, other: Prediction, *, value_range: float) -> bool:
        """Compare labels, or numbers up to a twentieth of their range."""
        assert isinstance(other, TextPrediction)
        if self.label is not None or other.label is not None:
            return self.label == other.label
        return abs(self.score - other.score) <= RANGE_SHARE * value_range

    def as_label(self) -> object:
        """Return the label, or the number."""
        return self.score if self.label is None else self.label


def paint(text: str, code: int) -> str:
    """Return a text in a colour; in brackets where there is none (NO_COLOR, or a terminal that is dumb)."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return f"[{text}]" if is_plain else f"\x1b[{code}m{text}\x1b[0m"
