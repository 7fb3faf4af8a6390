"""ROUGE, by rouge-score, whose own tokenizer has no word but of a–z and digits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

from tinybert.metrics.words import words

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

Kind = Literal["rouge1", "rouge2", "rougeL"]
STEMS_KEPT = 2**16


def rouge_f1(prediction: str, references: Sequence[str], *, kind: Kind) -> float:
    """Return the best F1, 0 to 1, of a text with its references.

    Args:
        prediction: The text.
        references: One or more.
        kind: Of words (``rouge1``), of pairs of words (``rouge2``), or of the longest common subsequence of
            words (``rougeL``, the text as one sentence).

    Source: ROUGE, ACL W04-1013 (https://aclanthology.org/W04-1013/), as rouge-score with its stemmer.
    Differs: letters beyond a–z are part of words, and a Chinese character or kana is a word of its own;
        rouge-score drops both. English texts in ASCII have the same scores.

    Example:
        >>> rouge_f1("the cats sat", ["the cat sat down", "a dog"], kind="rouge1")
        0.8571428571428571
        >>> rouge_f1("我爱北京", ["我爱上海"], kind="rouge2")
        0.3333333333333333
    """
    return float(_scorer(kind).score_multi(references, prediction)[kind].fmeasure)


def rouge_signature(tokenize: str, num_references: int | None) -> str:
    """Return what ROUGE is computed by, in the form of sacrebleu's signatures."""
    return (
        f"nrefs:{num_references or 'var'}|ref:best|score:f1|case:lc|tok:word+cjk-char|stem:porter|"
        f"version:rouge-score-{version('rouge-score')}"
    )


class Stems:
    """The tokenizer that rouge-score asks: words, those in ASCII as its own tokenizer stems them."""

    def __init__(self) -> None:
        from rouge_score.tokenizers import DefaultTokenizer

        self._stem = lru_cache(STEMS_KEPT)(DefaultTokenizer(use_stemmer=True).tokenize)

    def tokenize(self, text: str) -> list[str]:
        """Return the stems of a text's words.

        Example:
            >>> Stems().tokenize("Cafés, running: 北京")
            ['cafés', 'run', '北', '京']
        """
        return [stem for word in words(text) for stem in (self._stem(word) if word.isascii() else [word])]


@cache
def _scorer(kind: Kind) -> RougeScorer:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([kind], tokenizer=_stems())


@cache
def _stems() -> Stems:
    return Stems()
