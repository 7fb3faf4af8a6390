"""The best legal sequence of BIO tags. Legend: N rows, W words, T words of all rows end to end, C tags."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IMPOSSIBLE = -np.inf


def legal_steps(names: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which tags may come first, (C,), and which may follow which, (C, C) from row to column.

    I-X continues an entity: only B-X or I-X may precede it.

    Example:
        >>> first, follows = legal_steps(["O", "B-X", "I-X"])
        >>> first.tolist(), follows[0].tolist()
        ([True, True, False], [True, True, False])
    """
    inside = np.array([name.startswith("I-") for name in names])
    kinds = np.array([name[2:] for name in names])
    follows = ~inside[None, :] | ((kinds[:, None] == kinds[None, :]) & (kinds != "")[:, None])
    return ~inside, follows


def best_tags(
    log_probabilities: NDArray[np.float64], offsets: NDArray[np.int64], names: Sequence[str]
) -> NDArray[np.int64]:
    """Return the most probable legal tags.

    Where the most probable tag of each word makes a legal sequence, that is it; only the other rows need the
    search.

    Args:
        log_probabilities: (T, C), the rows end to end.
        offsets: (N + 1,), where each row begins.
        names: The C tags.

    Returns:
        int64 (T,).

    Source: A. Viterbi, 1967; legal transitions as in arXiv:1603.01360, here without learned ones.
    """
    first, follows = legal_steps(names)
    tags = log_probabilities.argmax(-1)
    if not len(tags):
        return tags
    starts = np.zeros(len(tags), dtype=bool)
    starts[offsets[:-1][offsets[:-1] < len(tags)]] = True
    legal = np.where(starts, first[tags], follows[np.roll(tags, 1), tags])
    row_of_word = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    for row in np.unique(row_of_word[~legal]).tolist():
        words = slice(int(offsets[row]), int(offsets[row + 1]))
        tags[words] = viterbi(log_probabilities[words], first, follows)
    return tags


def viterbi(
    log_probabilities: NDArray[np.float64], first: NDArray[np.bool_], follows: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the most probable legal tags (W,) of one row (W, C)."""
    barred = np.where(follows, 0.0, IMPOSSIBLE)
    best = log_probabilities[0] + np.where(first, 0.0, IMPOSSIBLE)
    came_from = np.zeros(log_probabilities.shape, dtype=np.int64)
    for word in range(1, len(log_probabilities)):
        paths = best[:, None] + barred
        came_from[word] = paths.argmax(0)
        best = paths.max(0) + log_probabilities[word]
    tags = np.zeros(len(log_probabilities), dtype=np.int64)
    tags[-1] = best.argmax()
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
