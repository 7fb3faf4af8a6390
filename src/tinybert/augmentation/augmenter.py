"""From rows to their changed copies, and back to columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tinybert.augmentation.example import Example
from tinybert.augmentation.tools import Method
from tinybert.data.row_format import RowFormat, TextPart
from tinybert.errors import RecipeError
from tinybert.language import Language, Span

Row = Mapping[str, Any]
BLOCK = 256
"""Rows that are prepared together. Blocks begin at multiples of it, so a row always has the same company."""


@dataclass(frozen=True)
class _Sides:
    """A row's texts, and each as an example."""

    row: Row
    parts: tuple[TextPart, ...]
    examples: tuple[Example, ...]


class Augmenter:
    """Makes changed copies of rows; labels that belong to offsets stay with their words.

    Args:
        method: What changes words; a name's comes from :func:`tinybert.augmentation.build_method`.
        num_copies: N, copies of a row at most.
        language: Decides what a word is.
    """

    def __init__(self, method: Method, *, num_copies: int, language: Language) -> None:
        self.method = method
        self.num_copies = num_copies
        self.language: Language = language

    def copies_of(
        self, rows: Sequence[Row], *, format: RowFormat, seed: int, first_row: int = 0
    ) -> list[list[dict[str, Any]]]:
        """Return for each row its changed copies, N at most: copies equal to the row or to each other go.

        The copies of a row depend on the seed and on the row's number alone, not on the rows of a call or on
        the number of processes, as long as calls begin at multiples of 256 rows; else a model's rounding may
        now and then choose another K-th candidate.

        Of two texts a copy changes one: the first, then the second, in turn; so a question and what it is
        asked of never change both. What its format keeps, such as the answer to a question or the words of
        named entities, is never changed, and its new offsets are found.

        Args:
            rows: As :func:`tinybert.data.load` has them.
            format: Of the rows.
            seed: Of all drawing.
            first_row: Number of the first of these rows within all rows.

        Returns:
            Rows of the same columns. A label that belongs to the whole text is None: the teacher gives it.

        Raises:
            RecipeError: A method of the user's own breaks the contract.
        """
        copies: list[list[dict[str, Any]]] = []
        for start, end in blocks(first_row, len(rows)):
            part = rows[start - first_row : end - first_row]
            prepared = self._prepared([self._sides(row, format) for row in part])
            for number, sides in enumerate(prepared, start=start):
                copies.append(self._copies(sides, format, np.random.default_rng([seed, number])))
        return copies

    def _prepared(self, block: list[_Sides]) -> list[_Sides]:
        prepare = cast(
            "Callable[[Sequence[Example]], list[Example]] | None", getattr(self.method, "prepare", None)
        )
        if prepare is None:
            return block
        flat = [example for sides in block for example in sides.examples]
        unique = list(dict.fromkeys(flat))
        ready = dict(zip(unique, prepare(unique), strict=True))
        return [
            _Sides(sides.row, sides.parts, tuple(ready[example] for example in sides.examples))
            for sides in block
        ]

    def _sides(self, row: Row, format: RowFormat) -> _Sides:
        parts = tuple(format.parts(row))
        return _Sides(row, parts, tuple(_example_of(part, self.language) for part in parts))

    def _copies(self, sides: _Sides, format: RowFormat, rng: np.random.Generator) -> list[dict[str, Any]]:
        changed = [self._changed(sides, side, rng) for side in range(len(sides.examples))]
        seen = {tuple(example.text for example in sides.examples)}
        copies: list[dict[str, Any]] = []
        for number in range(self.num_copies):
            side, turn = number % len(changed), number // len(changed)
            examples = list(sides.examples)
            examples[side] = changed[side][turn]
            texts = tuple(example.text for example in examples)
            if texts not in seen:
                seen.add(texts)
                made = map(_part_of, sides.parts, sides.examples, examples)
                copies.append(format.copy(sides.row, list(made)))
        return copies

    def _changed(self, sides: _Sides, side: int, rng: np.random.Generator) -> list[Example]:
        example, num_sides = sides.examples[side], len(sides.examples)
        count = len(range(side, self.num_copies, num_sides))
        found = self.method([example] * count, rng=rng)
        if len(found) != count or any(_held(each) != _held(example) for each in found):
            raise RecipeError(
                "augment.method",
                "must return one text for each given one, with its locked words and their tags as they were",
            )
        return found


def blocks(first_row: int, num_rows: int) -> Iterator[tuple[int, int]]:
    """Cut rows at the multiples of 256.

    Example:
        >>> list(blocks(250, 10))
        [(250, 256), (256, 260)]
    """
    start, last = first_row, first_row + num_rows
    while start < last:
        end = min(last, (start // BLOCK + 1) * BLOCK)
        yield start, end
        start = end


def _held(example: Example) -> tuple[list[str], list[int] | None]:
    """Return what no method may touch: locked words, and their tags."""
    kept = [index for index, locked in enumerate(example.locked) if locked]
    tags = None if example.tags is None else [example.tags[index] for index in kept]
    return [example.words[index] for index in kept], tags


def _example_of(part: TextPart, language: Language) -> Example:
    if part.words is None:
        return Example.of(part.text, language, kept=part.kept)
    return Example.of_spans(part.text, part.words, tags=part.tags)


def _part_of(before: TextPart, old: Example, new: Example) -> TextPart:
    """Return a text after the change, with its words, tags and kept stretches where they are now."""
    words = None if before.words is None else tuple(new.spans)
    return TextPart(new.text, words, new.tags, _moved(before.kept, old, new))


def _moved(kept: Sequence[Span], before: Example, after: Example) -> tuple[Span, ...]:
    """Find kept stretches again: each lies in a locked word, and these keep their order."""
    old, new = (
        [span for span, locked in zip(each.spans, each.locked, strict=True) if locked]
        for each in (before, after)
    )
    moved: list[Span] = []
    for start, end in kept:
        shift = next((n[0] - o[0] for o, n in zip(old, new, strict=True) if o[0] <= start and end <= o[1]), 0)
        moved.append((start + shift, end + shift))
    return tuple(moved)
