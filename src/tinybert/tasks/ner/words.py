"""Words of a text and the pieces over them. Legend: a piece is what a tokenizer cuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import regex
from numpy.typing import NDArray

from tinybert.data.windows import IGNORED, NOWHERE

_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}"
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--[{_CJK}]]"
WORD = regex.compile(
    rf"[{_CJK}]\p{{M}}*"
    r"|['’]s\b"  # Germany's: two words
    r"|(?:\p{Lu}\.){2,}"  # U.S.
    r"|\b\p{Lu}\.(?=\s+\p{Lu})"  # J. Smith
    rf"|{_LETTER}+(?:(?:['’](?!s\b)|[.&@\-]|(?<=\p{{N}})[,:/](?=\p{{N}})){_LETTER}+)*"
    r"|(?!\s)\X",  # a mark, or an emoji with all its parts
    regex.V1,
)
CJK_WORD = regex.compile(rf"[{_CJK}]", regex.V1)


@dataclass(frozen=True)
class EntityRow:
    """A text cut into words.

    Attributes:
        text: The whole text, untouched.
        starts: Where each word begins, in characters.
        ends: Where each word ends.
        tags: One BIO tag a word; None where the row is not labelled.
    """

    text: str
    starts: list[int]
    ends: list[int]
    tags: list[str] | None


def segment(text: str) -> tuple[list[int], list[int]]:
    """Cut a text into words; return where they begin and end.

    A word is a run of letters and digits with what holds it together (``U.S.``, ``AT&T``, ``1,000``), one
    Chinese character or Japanese letter, or one mark of punctuation; every visible character is in one.

    Example:
        >>> starts, ends = segment("Mr Li visits the U.S.")
        >>> [(start, end) for start, end in zip(starts, ends)][-1]
        (17, 21)
    """
    spans = [match.span() for match in WORD.finditer(text)]
    return [start for start, _ in spans], [end for _, end in spans]


def join_words(words: Sequence[str]) -> EntityRow:
    """Write words as one text: spaces between them, but none where Chinese was cut into characters.

    Example:
        >>> join_words(["北", "京", "2", "0"]).text, join_words(["in", "New", "York"]).text
        ('北京20', 'in New York')
    """
    by_character = all(len(word) == 1 for word in words) and any(CJK_WORD.match(word) for word in words)
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    offset = 0
    for index, word in enumerate(words):
        glued = by_character or (index and CJK_WORD.match(words[index - 1][-1]) and CJK_WORD.match(word))
        if index and not glued:
            parts.append(" ")
            offset += 1
        parts.append(word)
        starts.append(offset)
        offset += len(word)
        ends.append(offset)
    return EntityRow("".join(parts), starts, ends, None)


def words_of_pieces(
    windows: Mapping[str, Sequence[Any]], rows: Mapping[str, Sequence[Any]], *, every_piece: bool = False
) -> list[list[int]]:
    """Return for every piece whose word it begins; -1 for special tokens and for pieces that continue a word.

    Args:
        windows: As from :func:`encode_windows`.
        rows: ``word_starts`` and ``word_ends`` of each example.
        every_piece: Name the word of each piece, also of those that continue it.
    """
    words: list[list[int]] = []
    before = -1
    word_starts = word_ends = np.zeros(0, dtype=np.int64)
    for index, example in enumerate(windows["example"]):
        starts = np.asarray(windows["piece_starts"][index])
        ends = np.asarray(windows["piece_ends"][index])
        if example != before:
            word_starts, word_ends = (
                np.asarray(rows[name][example], dtype=np.int64) for name in ("word_starts", "word_ends")
            )
        found = _covering(starts, ends, word_starts, word_ends)
        if not every_piece:
            found = _first_pieces(found, starts, word_starts, goes_on=example == before)
        words.append(found.tolist())
        before = example
    return words


def tags_of_pieces(
    words: Sequence[Sequence[int]], tags: Sequence[Sequence[int]], firsts: Sequence[Sequence[int]]
) -> list[list[int]]:
    """Give each piece the tag of its word; a piece that continues a word, that of continuing.

    Args:
        words: For each window the word of each piece, -1 for none.
        firsts: The same, but -1 also for pieces that continue a word.
        tags: For each window the tag numbers of its row's words, in the order of
            :class:`tinybert.data.LabelScheme`; empty where the row is not labelled.

    Returns:
        Tag numbers, -100 where there is none.
    """
    labels: list[list[int]] = []
    for of_pieces, of_words, begins in zip(words, tags, firsts, strict=True):
        row = [IGNORED] * len(of_pieces)
        for index, word in enumerate(of_pieces if of_words else ()):
            if word >= 0:
                tag = of_words[word]
                row[index] = tag + 1 if begins[index] < 0 and tag % 2 else tag
        labels.append(row)
    return labels


def _covering(
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    word_starts: NDArray[np.int64],
    word_ends: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the first word that each piece lies over, -1 for none."""
    found = np.searchsorted(word_ends, starts, side="right")
    inside = (starts >= 0) & (found < len(word_starts))
    inside[inside] = word_starts[found[inside]] < ends[inside]
    return np.where(inside, found, NOWHERE)


def _first_pieces(
    words: NDArray[np.int64], starts: NDArray[np.int64], word_starts: NDArray[np.int64], *, goes_on: bool
) -> NDArray[np.int64]:
    """Keep the first piece of each word; a window that continues may begin in the middle of one."""
    inside = np.flatnonzero(words >= 0)
    kept = words.copy()
    if not len(inside):
        return kept
    own = words[inside]
    again = np.concatenate([[False], own[1:] == own[:-1]])
    if goes_on and starts[inside[0]] > word_starts[own[0]]:
        again |= own == own[0]
    kept[inside[again]] = NOWHERE
    return kept
