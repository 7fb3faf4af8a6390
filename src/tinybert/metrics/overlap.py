"""A text equal to a reference, or with words in common."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from tinybert.metrics.answers import word_f1
from tinybert.metrics.words import words


def token_f1(prediction: str, references: Sequence[str]) -> float:
    """Return the best F1, 0 to 1, of a text's words, as often as they occur, with those of a reference.

    Source: the F1 of SQuAD, arXiv:1606.05250, as dialogue is scored by it.
    Differs: articles count; punctuation parts words; a Chinese character is a word; a text without words
        scores 0.

    Example:
        >>> token_f1("Red, red wine!", ["red wine", "no"])
        0.8
    """
    ours = words(prediction)
    return max(word_f1(ours, words(reference)) for reference in references) if ours else 0.0


def equals_reference(prediction: str, references: Sequence[str]) -> float:
    """Return 1 where a text that is not empty equals a reference but for white space, else 0.

    Example:
        >>> equals_reference(" so  be it", ["so be it"]), equals_reference("So be it", ["so be it"])
        (1.0, 0.0)
    """
    ours = prediction.split()
    return float(bool(ours) and any(ours == reference.split() for reference in references))


def token_f1_signature(tokenize: str, num_references: int | None) -> str:
    """Return what the F1 of words is computed by, in the form of sacrebleu's signatures."""
    return f"nrefs:{num_references or 'var'}|ref:best|case:lc|tok:word+cjk-char|{_version()}"


def exact_match_signature(tokenize: str, num_references: int | None) -> str:
    """Return what exact match is computed by, in the form of sacrebleu's signatures."""
    return f"nrefs:{num_references or 'var'}|ref:any|case:mixed|space:normalised|{_version()}"


def _version() -> str:
    return f"version:tinybert-{version('tinybert')}"
