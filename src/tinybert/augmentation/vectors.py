"""Nearest neighbours among word vectors, from a model's embeddings or from a file."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import regex
from numpy.typing import NDArray

from tinybert.errors import DataError

QUERIES_AT_ONCE = 256
GROUP = 64
GAP = regex.compile("[ \t]+")
ASCII_SPACE = " \t\r\n"
MOST_FREQUENT = 200_000
MAX_PROBLEMS = 20
HAN_WORD = regex.compile(r"\p{Han}+")
PROPOSED_WORD = regex.compile(r"\p{Han}+|\p{L}{2,}")
"""Words that may replace another: no marks, no numbers, no single letters."""

Compose = Callable[[Sequence[str]], "list[NDArray[np.float32] | None]"]
"""Vectors of words that have none of their own, made of their pieces; None where that cannot be done."""


class WordVectors:
    """Words and their vectors; near means a small angle.

    Args:
        words: Only those of letters are proposed.
        matrix: (words, width).
        compose: For words that are not among them.
    """

    def __init__(
        self, words: Sequence[str], matrix: NDArray[np.float32], *, compose: Compose | None = None
    ) -> None:
        assert len(words) == len(matrix)
        self.words = list(words)
        self.matrix = _unit(np.asarray(matrix, dtype=np.float32))
        self.compose = compose
        self._row = {word: row for row, word in reversed(list(enumerate(self.words)))}
        self._proposed = np.flatnonzero([PROPOSED_WORD.fullmatch(word) is not None for word in self.words])
        every = len(self._proposed) == len(self.words)
        self._proposed_matrix = self.matrix if every else self.matrix[self._proposed]
        self._known: dict[tuple[str, int], list[str]] = {}

    def neighbours(self, words: Sequence[str], count: int) -> list[list[str]]:
        """Return for each word up to ``count`` others, the nearest first; none for an unknown word.

        A word is looked up as it is written, then in small letters, then made of its pieces.
        """
        new = list(dict.fromkeys(word for word in words if (word, count) not in self._known))
        for start in range(0, len(new), QUERIES_AT_ONCE):
            part = new[start : start + QUERIES_AT_ONCE]
            for word, found in zip(part, self._nearest(part, count), strict=True):
                self._known[word, count] = found
        return [self._known[word, count] for word in words]

    def _nearest(self, words: Sequence[str], count: int) -> Iterator[list[str]]:
        queries = self._vectors(words)
        known = [index for index, query in enumerate(queries) if query is not None]
        if not known or not len(self._proposed):
            yield from ([] for _ in words)
            return
        known_queries = _unit(np.stack([query for query in queries if query is not None]))
        scores = known_queries @ self._proposed_matrix.T
        wanted = min(count + 2, scores.shape[1])  # itself, and itself with a capital, are dropped
        top = _best_columns(scores, wanted)
        rank_of = {index: rank for rank, index in enumerate(known)}
        for index, word in enumerate(words):
            if index not in rank_of:
                yield []
                continue
            rank = rank_of[index]
            found = [self.words[self._proposed[column]] for column in top[rank]]
            yield [other for other in found if other.casefold() != word.casefold()][:count]

    def _vectors(self, words: Sequence[str]) -> list[NDArray[np.float32] | None]:
        rows = [self._row.get(word, self._row.get(word.lower())) for word in words]
        found = [None if row is None else self.matrix[row] for row in rows]
        unknown = [index for index, row in enumerate(rows) if row is None]
        if self.compose is not None and unknown:
            made = self.compose([words[index] for index in unknown])
            for index, vector in zip(unknown, made, strict=True):
                found[index] = vector
        return found


def load_vectors(path: str | Path, *, needed: Collection[str] = ()) -> WordVectors:
    """Read word vectors in word2vec's text format (a first line of two numbers) or GloVe's (none).

    A word may hold spaces, and a line may end in one. The first 200,000 words of the file are kept, which are
    the most frequent in the files one finds, and of the others those that are needed.

    Args:
        path: The file, in UTF-8.
        needed: Words to keep wherever they are.

    Raises:
        DataError: The file or one of its lines is wrong; all problems with their lines.
    """
    file = Path(path).expanduser()
    try:
        with file.open(encoding="utf-8", newline="\n") as lines:
            return _read(str(path), lines, needed)
    except OSError as error:
        raise DataError(
            str(path), f"cannot be read: {error.strerror}; set augment.word_vectors=FILE"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            str(path), "not UTF-8 text; word2vec's binary format must be converted to its text format first"
        ) from error


def _read(name: str, lines: Iterator[str], needed: Collection[str]) -> WordVectors:
    first = GAP.split(next(lines, "").strip(ASCII_SPACE))
    announced = int(first[0]) if _is_header(first) else None
    width = int(first[1]) if announced is not None else len(first) - 1
    if width < 1:
        raise DataError(name, "line 1: no word with numbers here; word2vec's text format or GloVe's is read")
    wanted = {*needed, *(word.lower() for word in needed)}
    words: dict[str, None] = {}
    values, problems, number = array("f"), list[str](), 1
    last_kept = MOST_FREQUENT + (announced is not None)
    if announced is None:
        problems += _take(" ".join(first), 1, width, words, values)
    for number, line in enumerate(lines, start=2):
        if len(problems) >= MAX_PROBLEMS:
            break
        if line.isspace() or (number > last_kept and line.split(" ", 1)[0] not in wanted):
            continue
        problems += _take(line, number, width, words, values)
    if announced is not None and not problems and number - 1 < announced:
        problems.append(f"line 1 gives {announced:,} words, there are {number - 1:,}: copy the file again")
    if problems or not words:
        raise DataError(name, problems or "no word vector in it")
    return WordVectors(list(words), np.frombuffer(values, dtype=np.float32).reshape(-1, width))


def _take(line: str, number: int, width: int, words: dict[str, None], values: array[float]) -> list[str]:
    """Keep a line's word and numbers; the first of equal words counts."""
    parts = GAP.split(line.strip(ASCII_SPACE))
    word = " ".join(parts[: max(1, len(parts) - width)])
    if not word.strip():  # some published files have a vector for a space of another kind
        return []
    if len(parts) <= width:
        return [f"line {number:,}: {len(parts) - 1} numbers behind {word!r}, others have {width}"]
    try:
        found = np.array(parts[-width:], dtype=np.float32)
    except ValueError as error:
        return [f"line {number:,}: {word!r}: {error}"]
    if not np.isfinite(found).all():
        return [f"line {number:,}: {word!r}: a number that is not finite"]
    if word not in words:
        words[word] = None
        values.frombytes(found.tobytes())
    return []


def _best_columns(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return the columns of the highest scores of each row, the highest first.

    The best ``count`` columns lie in the ``count`` groups with the best maxima, so only these are searched.
    """
    rows = np.arange(len(scores))[:, None]
    num_groups = scores.shape[1] // GROUP
    if num_groups > count:
        whole = num_groups * GROUP
        maxima = scores[:, :whole].reshape(-1, num_groups, GROUP).max(axis=2)
        groups = np.argpartition(maxima, -count, axis=1)[:, -count:]
        inside = (groups[:, :, None] * GROUP + np.arange(GROUP)).reshape(len(scores), -1)
        rest = np.broadcast_to(np.arange(whole, scores.shape[1]), (len(scores), scores.shape[1] - whole))
        columns = np.sort(np.concatenate([inside, rest], axis=1), axis=1)
    else:
        columns = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    chosen = np.argpartition(scores[rows, columns], -count, axis=1)[:, -count:]
    best = np.sort(columns[rows, chosen], axis=1)
    order = np.argsort(-scores[rows, best], axis=1, kind="stable")
    return best[rows, order]


def _is_header(parts: Sequence[str]) -> bool:
    return len(parts) == 2 and all(part.isdecimal() for part in parts)


def _unit(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows of length 1; a row of zeros stays."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.maximum(lengths, np.finfo(np.float32).tiny)
