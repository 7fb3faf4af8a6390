"""The text that a model writes of a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinybert.tasks.prediction import Prediction


@dataclass(frozen=True, slots=True)
class WrittenText(Prediction):
    """A text that a model has written.

    Attributes:
        text: The text.
        score: Mean log-probability of its tokens, divided as ``length_penalty`` says.
        num_tokens: Tokens written, the one that ends the text included.
        is_finished: It ended by itself; else it was cut at the most tokens that are allowed.
        candidates: Where several texts a row were asked for: all of them, the best first.
    """

    text: str
    score: float
    num_tokens: int
    is_finished: bool = True
    candidates: tuple[WrittenText, ...] = ()

    def fields(self) -> dict[str, object]:
        """Return the text as the prediction, its score and its length; the candidates where there are any."""
        candidates = [_own_fields(each) for each in self.candidates]
        fields = _own_fields(self)
        fields = {"prediction": fields.pop("text"), **fields}
        return {**fields, "candidates": candidates} if candidates else fields

    def table(self) -> tuple[list[str], Sequence[Sequence[object]]]:
        """Return a line for each text: it and its score."""
        return ["prediction", "score"], [[each.text, each.score] for each in self.candidates or (self,)]

    def shown(self, text: str) -> str:
        """Return a line for each text that was written; that one was cut is said."""
        return "\n".join(each.text + each.mark for each in self.candidates or (self,))

    @property
    def mark(self) -> str:
        """Behind a text: whether it was cut."""
        return "" if self.is_finished else f" … [cut after {self.num_tokens} tokens]"

    def scores_compared(self) -> list[float]:
        """Return the score."""
        return [self.score]

    def is_same(self, other: Prediction, *, value_range: float) -> bool:
        """Compare the texts."""
        assert isinstance(other, WrittenText)
        return self.text == other.text

    def tokens_written(self) -> int:
        """Return the tokens of the text, the one that ends it included."""
        return self.num_tokens

    def as_label(self) -> object:
        """Return the text."""
        return self.text


def _own_fields(written: WrittenText) -> dict[str, object]:
    """Return the fields of one text."""
    return {name: getattr(written, name) for name in ("text", "score", "num_tokens", "is_finished")}
