"""How little texts repeat themselves: the share of n-grams that differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np

from tinybert.metrics.words import words


def distinct_statistics(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, tokenize: str, order: int
) -> np.ndarray:
    """Return each row's share of the different n-grams, and how many n-grams it has, (N, 2).

    The score, 0 to 1, is the number of different n-grams of all predictions divided by that of all their
    n-grams; references are not read. An n-gram that several rows have is divided evenly among them: then
    the different ones add up over rows as all of them do.

    Source: distinct-1 and distinct-2, arXiv:1510.03055.
    Differs: words are lower-cased and without punctuation, a Chinese character is a word. The bootstrap
        draws these shares and does not count again: rows that are drawn twice repeat themselves, so that
        no interval of counts holds the score.

    Example:
        >>> distinct_statistics(["no no yes", "yes"], [], tokenize="13a", order=1).tolist()
        [[1.5, 3.0], [0.5, 1.0]]
    """
    rows = [_ngrams(words(prediction), order=order) for prediction in predictions]
    num_rows_with = Counter(ngram for row in rows for ngram in row)
    return np.array([(sum(1 / num_rows_with[ngram] for ngram in row), row.total()) for row in rows])


def distinct_signature(tokenize: str, num_references: int | None, *, order: int) -> str:
    """Return what distinct-n is computed by, in the form of sacrebleu's signatures."""
    return f"n:{order}|over:corpus|case:lc|tok:word+cjk-char|version:tinybert-{version('tinybert')}"


def _ngrams(tokens: list[str], *, order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[start:] for start in range(order)), strict=False))
