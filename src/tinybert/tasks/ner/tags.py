"""The best legal sequence of tags. Legend: N rows, W words, T words of all rows end to end, C tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinybert.tasks.ner.schemes import IOB2, Scheme, split_tag

IMPOSSIBLE = -np.inf


@dataclass(frozen=True)
class Steps:
    """Which tags are legal where.

    Attributes:
        first: (C,), which may come first.
        follows: (C, C), which may follow which, from row to column.
        last: (C,), which may come last.
    """

    first: NDArray[np.bool_]
    follows: NDArray[np.bool_]
    last: NDArray[np.bool_]


def legal_steps(names: Sequence[str], scheme: Scheme = IOB2) -> Steps:
    """Return which tags may stand where.

    What continues an entity needs one of its type before it that is not over; what leaves an entity
    unfinished needs one that continues it. A type without B- is begun by any of its tags.

    Example:
        >>> steps = legal_steps(["O", "B-X", "I-X"])
        >>> steps.first.tolist(), steps.follows[0].tolist()
        ([True, True, False], [True, True, False])
    """
    tags = [split_tag(name) for name in names]
    known = set(tags)
    opening = set(scheme.begins) - set(scheme.ends)

    def is_last(letter: str, kind: str) -> bool:
        return (scheme.unfinished.get(letter), kind) not in known

    def may_follow(before: tuple[str, str], tag: tuple[str, str]) -> bool:
        goes_on = before[1] == tag[1] != "" and before[0] not in tuple(scheme.ends)
        has_begin = any((letter, tag[1]) in known for letter in opening)
        if tag[0] in tuple(scheme.continues) and (goes_on or has_begin):
            return goes_on
        parts = scheme.only_parts and tag[0] == "B" and ("I", tag[1]) in known
        return is_last(*before) and (goes_on or not parts)

    return Steps(
        np.array([may_follow(("", ""), tag) for tag in tags]),
        np.array([[may_follow(before, tag) for tag in tags] for before in tags]),
        np.array([is_last(*tag) for tag in tags]),
    )


def best_tags(
    log_probabilities: NDArray[np.float64],
    offsets: NDArray[np.int64],
    names: Sequence[str],
    scheme: Scheme = IOB2,
) -> NDArray[np.int64]:
    """Return the most probable legal tags.

    Where the most probable tag of each word makes a legal sequence, that is it; only the other rows need the
    search.

    Args:
        log_probabilities: (T, C), the rows end to end.
        offsets: (N + 1,), where each row begins.
        names: The C tags.
        scheme: Of the tags.

    Returns:
        int64 (T,).

    Source: A. Viterbi, 1967; legal transitions as in arXiv:1603.01360, here without learned ones.
    """
    steps = legal_steps(names, scheme)
    tags = log_probabilities.argmax(-1)
    if not len(tags):
        return tags
    starts = np.zeros(len(tags), dtype=bool)
    starts[offsets[:-1][offsets[:-1] < len(tags)]] = True
    legal = np.where(starts, steps.first[tags], steps.follows[np.roll(tags, 1), tags])
    legal &= ~np.roll(starts, -1) | steps.last[tags]
    row_of_word = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    for row in np.unique(row_of_word[~legal]).tolist():
        words = slice(int(offsets[row]), int(offsets[row + 1]))
        tags[words] = viterbi(log_probabilities[words], steps)
    return tags


def viterbi(log_probabilities: NDArray[np.float64], steps: Steps) -> NDArray[np.int64]:
    """Return the most probable legal tags (W,) of one row (W, C)."""
    barred = np.where(steps.follows, 0.0, IMPOSSIBLE)
    best = log_probabilities[0] + np.where(steps.first, 0.0, IMPOSSIBLE)
    came_from = np.zeros(log_probabilities.shape, dtype=np.int64)
    for word in range(1, len(log_probabilities)):
        paths = best[:, None] + barred
        came_from[word] = paths.argmax(0)
        best = paths.max(0) + log_probabilities[word]
    tags = np.zeros(len(log_probabilities), dtype=np.int64)
    tags[-1] = (best + np.where(steps.last, 0.0, IMPOSSIBLE)).argmax()
    for word in range(len(tags) - 1, 0, -1):
        tags[word - 1] = came_from[word, tags[word]]
    return tags


def entities_of(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return the entities of legal BIO tags: first word, the word behind the last, type.

    Example:
        >>> entities_of(["B-PER", "I-PER", "O", "B-LOC"])
        [(0, 2, 'PER'), (3, 4, 'LOC')]
    """
    found: list[tuple[int, int, str]] = []
    for word, tag in enumerate(tags):
        if tag.startswith("B-"):
            found.append((word, word + 1, tag[2:]))
        elif tag.startswith("I-"):
            start, _, kind = found[-1]
            found[-1] = (start, word + 1, kind)
    return found
