"""From rows to their changed copies, and back to columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from tinybert.augmentation.example import Example
from tinybert.augmentation.tools import Method
from tinybert.errors import RecipeError
from tinybert.language import Language, Span

Row = Mapping[str, Any]
LabelKind = Literal["single", "multi", "value", "tags", "span"]
BLOCK = 256
"""Rows that are prepared together. Blocks begin at multiples of it, so a row always has the same company."""


@dataclass(frozen=True)
class _Sides:
    """A row's texts as examples; ``answers`` are places in the second."""

    row: Row
    examples: tuple[Example, ...]
    answers: tuple[Span, ...] = ()


class Augmenter:
    """Makes changed copies of rows; labels that belong to places stay with their words.

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
        self, rows: Sequence[Row], *, label_kind: LabelKind, seed: int, first_row: int = 0
    ) -> list[list[dict[str, Any]]]:
        """Return for each row its changed copies, N at most: copies equal to the row or to each other go.

        The copies of a row depend on the seed and on the row's number alone, not on the rows of a call or on
        the number of processes, as long as calls begin at multiples of 256 rows; else a model's rounding may
        now and then choose another K-th candidate.

        Of two texts a copy changes one: the first, then the second, in turn; so a question and what it is
        asked of never change both. What answers a question stays, with its place found anew; so do the words
        of named entities.

        Args:
            rows: With ``text``, and perhaps ``text_pair``, ``word_starts`` and ``word_ends``, ``label``: as
                :func:`tinybert.data.load` has them.
            label_kind: ``tags`` and ``span`` have labels that belong to places.
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
            prepared = self._prepared([_sides_of(row, label_kind, self.language) for row in part])
            for number, sides in enumerate(prepared, start=start):
                copies.append(self._copies(sides, label_kind, np.random.default_rng([seed, number])))
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
            _Sides(sides.row, tuple(ready[example] for example in sides.examples), sides.answers)
            for sides in block
        ]

    def _copies(self, sides: _Sides, label_kind: LabelKind, rng: np.random.Generator) -> list[dict[str, Any]]:
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
                copies.append(_row_of(sides, examples, label_kind))
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


def _sides_of(row: Row, label_kind: LabelKind, language: Language) -> _Sides:
    if label_kind == "tags":
        spans = list(zip(row["word_starts"], row["word_ends"], strict=True))
        return _Sides(row, (Example.of_spans(row["text"], spans, tags=row.get("label")),))
    first = Example.of(row["text"], language)
    pair = row.get("text_pair")
    if pair is None:
        return _Sides(row, (first,))
    label = (row.get("label") or ()) if label_kind == "span" else ()
    answers = tuple((int(start), int(end)) for start, end in label)
    return _Sides(row, (first, Example.of(pair, language, kept=answers)), answers)


def _row_of(sides: _Sides, examples: Sequence[Example], label_kind: LabelKind) -> dict[str, Any]:
    copy = dict(sides.row)
    copy["text"] = examples[0].text
    if len(examples) > 1:
        copy["text_pair"] = examples[1].text
    if label_kind == "tags":
        copy["word_starts"] = [start for start, _ in examples[0].spans]
        copy["word_ends"] = [end for _, end in examples[0].spans]
        if examples[0].tags is not None:
            copy["label"] = list(examples[0].tags)
    elif label_kind == "span":
        if copy.get("label") is not None:
            copy["label"] = _moved(sides.answers, sides.examples[-1], examples[-1])
    elif "label" in copy:
        copy["label"] = None
    return copy


def _moved(answers: Sequence[Span], before: Example, after: Example) -> list[list[int]]:
    """Find answers anew: each lies in a locked word, and these keep their order."""
    old, new = (
        [span for span, locked in zip(each.spans, each.locked, strict=True) if locked]
        for each in (before, after)
    )
    moved: list[list[int]] = []
    for start, end in answers:
        shift = next((n[0] - o[0] for o, n in zip(old, new, strict=True) if o[0] <= start and end <= o[1]), 0)
        moved.append([start + shift, end + shift])
    return moved
