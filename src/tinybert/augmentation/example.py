"""A text as words and what is between them, so that a changed one can be put together exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import regex

from tinybert.language import LETTER, Language, Span, word_spans

T = TypeVar("T")

OUTSIDE = 0
"""The tag of a word outside every entity."""
WORD_CHARACTER = regex.compile(r"[\p{L}\p{M}\p{N}]")
UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]")


@dataclass(frozen=True)
class Example:
    """One text.

    Attributes:
        words: Words and marks in their order. A locked one may hold spaces: an answer is one "word".
        gaps: What is before the first word, between each two, and after the last: one more than words.
        locked: Whether a word must stay as it is: entities and answers.
        tags: One a word, 0 outside entities; or None.
        candidates: What may replace each word, where a method has found that out beforehand.

    Example:
        >>> example = Example.of("It's fine.", "en")
        >>> example.words, example.gaps, example.text
        (("It's", 'fine', '.'), ('', ' ', '', ''), "It's fine.")
    """

    words: tuple[str, ...]
    gaps: tuple[str, ...]
    locked: tuple[bool, ...]
    tags: tuple[int, ...] | None = None
    candidates: tuple[tuple[str, ...], ...] | None = None

    def __post_init__(self) -> None:
        count = len(self.words)
        assert len(self.gaps) == count + 1 and len(self.locked) == count
        assert self.tags is None or len(self.tags) == count

    @classmethod
    def of(cls, text: str, language: Language, *, kept: Iterable[Span] = ()) -> Example:
        """Cut a text into words.

        Args:
            text: Any text.
            language: Decides what a word is.
            kept: Offsets, in characters, that must stay unchanged; each becomes one locked word with the
                words it touches.
        """
        words = word_spans(text, language)
        locked = _merged([*kept], words)
        free = [span for span in words if not any(_meet(span, other) for other in locked)]
        spans = sorted([*free, *locked])
        return cls.of_spans(text, spans, locked=[span in locked for span in spans])

    @classmethod
    def of_spans(
        cls,
        text: str,
        spans: Sequence[Span],
        *,
        locked: Sequence[bool] | None = None,
        tags: Sequence[int] | None = None,
    ) -> Example:
        """Take words that are known already; those with a tag are locked unless ``locked`` is given."""
        edges = [0, *(edge for span in spans for edge in span), len(text)]
        if locked is None:
            locked = [False] * len(spans) if tags is None else [tag != OUTSIDE for tag in tags]
        return cls(
            words=tuple(text[start:end] for start, end in spans),
            gaps=tuple(text[edges[i] : edges[i + 1]] for i in range(0, len(edges), 2)),
            locked=tuple(locked),
            tags=None if tags is None else tuple(tags),
        )

    @property
    def text(self) -> str:
        """The text, put together."""
        pairs = zip(self.words, self.gaps[1:], strict=True)
        return self.gaps[0] + "".join(word + gap for word, gap in pairs)

    @property
    def spans(self) -> list[Span]:
        """Where each word begins and ends in the text."""
        spans: list[Span] = []
        offset = len(self.gaps[0])
        for word, gap in zip(self.words, self.gaps[1:], strict=True):
            spans.append((offset, offset + len(word)))
            offset += len(word) + len(gap)
        return spans

    @property
    def free(self) -> list[int]:
        """Indices of the words that may be changed: not locked, and no marks."""
        return [i for i, word in enumerate(self.words) if not self.locked[i] and WORD_CHARACTER.search(word)]

    def with_words(self, changes: Iterable[tuple[int, str]]) -> Example:
        """Replace words one for one; tags and spaces stay."""
        words = list(self.words)
        for index, word in changes:
            words[index] = word
        return replace(self, words=tuple(words))

    def swapped(self, one: int, other: int) -> Example:
        """Let two words, with their tags, change positions."""
        order = list(range(len(self.words)))
        order[one], order[other] = other, one
        return replace(
            self,
            words=tuple(self.words[i] for i in order),
            locked=tuple(self.locked[i] for i in order),
            tags=None if self.tags is None else tuple(self.tags[i] for i in order),
            candidates=None if self.candidates is None else tuple(self.candidates[i] for i in order),
        )

    def without(self, index: int) -> Example:
        """Take a word out, with one of the two gaps beside it."""
        before, after = self.gaps[index], self.gaps[index + 1]
        if index == 0 or index == len(self.words) - 1:
            gap = before if index == 0 else after
        else:
            gap = min(after, before, key=len) or _space(self.words[index - 1], self.words[index + 1])
        return replace(
            self,
            words=_cut(self.words, index),
            gaps=(*self.gaps[:index], gap, *self.gaps[index + 2 :]),
            locked=_cut(self.locked, index),
            tags=None if self.tags is None else _cut(self.tags, index),
            candidates=None if self.candidates is None else _cut(self.candidates, index),
        )

    def with_inserted(self, index: int, word: str) -> Example:
        """Put a word before the one at ``index``, or behind the last."""
        left = self.words[index - 1] if index else ""
        right = self.words[index] if index < len(self.words) else ""
        gap = self.gaps[index]
        before, after = (gap, _space(word, right)) if index < len(self.words) else (_space(left, word), gap)
        if index and not before:
            before = _space(left, word)
        return replace(
            self,
            words=(*self.words[:index], word, *self.words[index:]),
            gaps=(*self.gaps[:index], before, after, *self.gaps[index + 1 :]),
            locked=(*self.locked[:index], False, *self.locked[index:]),
            tags=None if self.tags is None else (*self.tags[:index], OUTSIDE, *self.tags[index:]),
            candidates=None,
        )


def like(word: str, candidate: str) -> str:
    """Write a candidate as the word is written: Title or UPPER; anything else is left.

    Example:
        >>> like("Paris", "london"), like("USA", "france"), like("fine", "good"), like("I", "we")
        ('London', 'FRANCE', 'good', 'We')
    """
    if len(word) > 1 and word.isupper():
        return candidate.upper()
    return candidate[:1].upper() + candidate[1:] if word[:1].isupper() else candidate


def is_word(word: str) -> bool:
    """Say whether this is a word rather than a mark or a number.

    Example:
        >>> is_word("don't"), is_word("1930s"), is_word("1930"), is_word("!")
        (True, True, False, False)
    """
    return LETTER.search(word) is not None


def _cut(items: tuple[T, ...], index: int) -> tuple[T, ...]:
    return items[:index] + items[index + 1 :]


def _space(left: str, right: str) -> str:
    """Return what must be between two words so that they remain two."""
    if not left or not right or not WORD_CHARACTER.match(right):
        return ""
    last = left[-1]
    if not WORD_CHARACTER.match(last) or UNSPACED.match(last) or UNSPACED.match(right):
        return ""
    return " "


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _merged(kept: Sequence[Span], words: Sequence[Span]) -> list[Span]:
    """Widen spans to the words they touch, and join those that overlap."""
    wide: list[Span] = []
    for start, end in kept:
        touched = [word for word in words if _meet(word, (start, end))]
        wide.append(
            (min([start, *(word[0] for word in touched)]), max([end, *(word[1] for word in touched)]))
        )
    merged: list[Span] = []
    for start, end in sorted(span for span in wide if span[0] < span[1]):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
