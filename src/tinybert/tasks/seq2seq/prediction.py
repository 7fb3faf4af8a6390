"""The text that a model writes of a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tinybert.tasks.prediction import Prediction


@dataclass(frozen=True, slots=True)
class WrittenText(Prediction):
    """A text that a model has written.

    Attributes:
        text: The text.
        score: Mean log-probability of its tokens, divided as ``length_penalty`` says.
        num_tokens: Tokens written, the one that ends the text included.
        is_finished: It ended by itself; else it was cut at the most tokens that are allowed.
    """

    text: str
    score: float
    num_tokens: int
    is_finished: bool = True

    def fields(self) -> dict[str, object]:
        """Return the text as the prediction, its score and its length."""
        fields = asdict(self)
        return {"prediction": fields.pop("text"), **fields}

    def table(self) -> tuple[list[str], Sequence[Sequence[object]]]:
        """Return one line: the text and its score."""
        return ["prediction", "score"], [[self.text, self.score]]

    def shown(self, text: str) -> str:
        """Return the text that was written; that it was cut is said."""
        return self.text if self.is_finished else f"{self.text} … [cut after {self.num_tokens} tokens]"

    def scores_compared(self) -> list[float]:
        """Return the score."""
        return [self.score]

    def is_same(self, other: Prediction, *, value_range: float) -> bool:
        """Compare the texts."""
        assert isinstance(other, WrittenText)
        return self.text == other.text

    def as_label(self) -> object:
        """Return the text."""
        return self.text
