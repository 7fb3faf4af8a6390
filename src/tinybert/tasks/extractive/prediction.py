"""The summary that a model makes of a document's own sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tinybert.tasks.prediction import BOLD, Prediction, paint

CHARACTERS_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a summary: ``text`` is ``document[start:end]``.

    Attributes:
        text: As it is written.
        start: Its first character.
        end: The character behind its last.
        score: Its probability of being one of the summary's.
    """

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class ExtractedSummary(Prediction):
    """The summary of one document.

    Attributes:
        summary: The sentences as one text.
        sentences: In the document's order.
    """

    summary: str
    sentences: list[Sentence]

    @property
    def score(self) -> float:
        """The mean probability of the sentences; 0 where there is none."""
        return sum(each.score for each in self.sentences) / max(1, len(self.sentences))

    def fields(self) -> dict[str, object]:
        """Return the summary and its sentences."""
        return {"summary": self.summary, "sentences": [asdict(each) for each in self.sentences]}

    def table(self) -> tuple[list[str], Sequence[Sequence[object]]]:
        """Return one line: the summary, and the mean probability of its sentences."""
        return ["summary", "score"], [[self.summary, self.score]]

    def shown(self, text: str) -> str:
        """Return how the document begins, and below it a line a sentence, its probability before it."""
        head = " ".join(text[: 2 * CHARACTERS_SHOWN].split())
        head = head if len(head) <= CHARACTERS_SHOWN else f"{head[:CHARACTERS_SHOWN]}…"
        lines = [f"  {each.score:.1%}\t{' '.join(each.text.split())}" for each in self.sentences]
        return "\n".join([paint(head, BOLD), *lines])

    def scores_compared(self) -> list[float]:
        """Return the probability of each sentence; the task compares those of all sentences instead."""
        return [each.score for each in self.sentences]

    def is_same(self, other: Prediction, *, value_range: float) -> bool:
        """Compare which sentences the summary is made of."""
        assert isinstance(other, ExtractedSummary)
        mine, theirs = ([(each.start, each.end) for each in found.sentences] for found in (self, other))
        return mine == theirs

    def as_label(self) -> object:
        """Return the summary."""
        return self.summary
