"""The named entities that a model predicts for a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from tinybert.tasks.prediction import COLOURS, Prediction, paint


@dataclass(frozen=True, slots=True)
class Entity:
    """A named entity: ``text`` is ``whole[start:end]`` of the text that was given.

    Attributes:
        text: As it is written.
        start: Its first character.
        end: The character behind its last.
        label: Its type.
        score: The mean probability of its words' tags.
    """

    text: str
    start: int
    end: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Entities(Prediction):
    """The named entities of one text.

    Attributes:
        text: The text; words that were given one by one are joined.
        entities: In the text's order; none overlaps another.
    """

    text: str
    entities: list[Entity]

    def fields(self) -> dict[str, object]:
        """Return the text and its entities."""
        return {"text": self.text, "entities": [asdict(entity) for entity in self.entities]}

    def table(self) -> tuple[list[str], Sequence[Sequence[object]]]:
        """Return one line an entity."""
        lines = [[self.text, *asdict(entity).values()] for entity in self.entities]
        return ["text", "entity", "start", "end", "label", "score"], lines

    def shown(self, text: str) -> str:
        """Return the text with its entities coloured, each with its type behind it."""
        kinds = sorted({entity.label for entity in self.entities})
        parts: list[str] = []
        offset = 0
        for entity in self.entities:
            colour = COLOURS[kinds.index(entity.label) % len(COLOURS)]
            parts += [self.text[offset : entity.start], paint(entity.text, colour), f"[{entity.label}]"]
            offset = entity.end
        return "".join([*parts, self.text[offset:]])

    def scores_compared(self) -> list[float]:
        """Return each entity's score; the task compares the tags of all words instead."""
        return [entity.score for entity in self.entities]

    def is_same(self, other: Prediction, *, value_range: float) -> bool:
        """Compare all entities."""
        assert isinstance(other, Entities)
        mine, theirs = (
            [(entity.start, entity.end, entity.label) for entity in each.entities] for each in (self, other)
        )
        return mine == theirs

    def columns_repeated(self, row: Mapping[str, object]) -> set[str]:
        """Return ``text`` where the prediction says it again."""
        return {"text"} if row.get("text") == self.text else set()
