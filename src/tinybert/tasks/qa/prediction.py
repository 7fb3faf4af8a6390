"""The answer that a model finds to a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from tinybert.data.row_format import find_name
from tinybert.tasks.prediction import BOLD, COLOURS, Prediction, paint

NUM_BEST_SHOWN = 5
QUESTION_NAMES = ("question", "query")
CONTEXT_NAMES = ("context", "passage", "paragraph", "document", "text", "text_pair")


@dataclass(frozen=True, slots=True)
class Span:
    """A possible answer: ``text`` is ``context[start:end]``; empty, at 0, for "there is none"."""

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class FoundAnswer(Prediction):
    """The answer to a question.

    Attributes:
        answer: As it is written in the context; None when the context holds none.
        start: Its first character in the context.
        end: The character behind its last.
        score: Its probability among the n best.
        sentence: The sentence it is in.
        sentence_start: That sentence's first character.
        n_best: The likeliest answers, best first.
    """

    answer: str | None
    start: int | None
    end: int | None
    score: float
    sentence: str | None
    sentence_start: int | None
    n_best: list[Span]

    def fields(self) -> dict[str, object]:
        """Return everything; of the possible answers the best five."""
        return asdict(replace(self, n_best=self.n_best[:NUM_BEST_SHOWN]))

    def table(self) -> tuple[list[str], Sequence[Sequence[object]]]:
        """Return one line: the answer, its characters and its probability."""
        return ["answer", "start", "end", "score"], [[self.answer, self.start, self.end, self.score]]

    def shown(self, text: str) -> str:
        """Return question, answer, probability and characters, and the sentence with the answer marked."""
        if self.answer is None or self.sentence is None or self.start is None or self.sentence_start is None:
            return f"{text}\n  no answer in this text\t{self.score:.1%}"
        first = self.start - self.sentence_start
        behind = first + len(self.answer)
        marked = self.sentence[:first] + paint(self.answer, COLOURS[1]) + self.sentence[behind:]
        offsets = f"characters {self.start:,}–{self.end:,}"
        sentence = " ".join(marked.split())
        return f"{text}\n  {paint(self.answer, BOLD)}\t{self.score:.1%}\t{offsets}\n  {sentence}"

    def scores_compared(self) -> list[float]:
        """Return the probability of the answer."""
        return [self.score]

    def is_same(self, other: Prediction, *, value_range: float) -> bool:
        """Compare the answer's characters."""
        assert isinstance(other, FoundAnswer)
        return (self.start, self.end) == (other.start, other.end)

    def columns_repeated(self, row: Mapping[str, object]) -> set[str]:
        """Return the context, by any of its names."""
        text = find_name(row, (*QUESTION_NAMES, "text"))
        return {name for name in row if name != text and name.lower() in CONTEXT_NAMES}
