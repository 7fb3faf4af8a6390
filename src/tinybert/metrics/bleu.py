"""BLEU and chrF, by sacrebleu."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from tinybert.errors import RecipeError

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

TOKENIZERS = ("13a", "zh", "intl", "char", "none", "ja-mecab", "ko-mecab")
"""sacrebleu's, without those that download a model; the last two need a package of their own."""


def bleu_statistics(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, tokenize: str
) -> np.ndarray:
    """Return each row's lengths, and its n-grams that match and that there are, (N, 10).

    The scores are those of the corpus, 0 to 100, smoothed as in mteval-v13a (``exp``). Of several references
    an n-gram may match any, and the length nearest to the prediction's counts.

    Source: BLEU, ACL P02-1040 (https://aclanthology.org/P02-1040/); sacrebleu, arXiv:1804.08771.

    Raises:
        RecipeError: The tokenizer needs a package that is not installed.

    Example:
        >>> row = bleu_statistics(["the cat sat"], [["the cat sat down"]], tokenize="13a")
        >>> row.astype(int).tolist()  # lengths 3 and 4; 3, 2, 1 and 0 n-grams of 1 to 4 words match
        [[3, 4, 3, 2, 1, 0, 3, 2, 1, 0]]
    """
    return _statistics(_bleu(tokenize), predictions, references)


def bleu_scores(sums: np.ndarray) -> np.ndarray:
    """Return BLEU, 0 to 100, of (R, 10) sums of rows."""
    return _scores(_bleu("none"), sums)  # tokenized already


def bleu_signature(tokenize: str, num_references: int | None) -> str:
    """Return sacrebleu's signature of BLEU."""
    return _signature(_bleu(tokenize), num_references)


def chrf_statistics(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, tokenize: str
) -> np.ndarray:
    """Return each row's character n-grams in the prediction, in the best reference, and in both, (N, 18).

    The scores are chrF2 of the corpus, 0 to 100: n-grams of 1 to 6 characters without spaces, recall
    weighs twice. Nothing is tokenized.

    Source: chrF, ACL W15-3049 (https://aclanthology.org/W15-3049/); sacrebleu, arXiv:1804.08771.

    Example:
        >>> sums = chrf_statistics(["abc"], [["abd", "abc"]], tokenize="13a")
        >>> sums[:, :9].astype(int).tolist(), chrf_scores(sums).tolist()
        ([[3, 3, 3, 2, 2, 2, 1, 1, 1]], [100.0])
    """
    return _statistics(_chrf(), predictions, references)


def chrf_scores(sums: np.ndarray) -> np.ndarray:
    """Return chrF, 0 to 100, of (R, 18) sums of rows."""
    return _scores(_chrf(), sums)


def chrf_signature(tokenize: str, num_references: int | None) -> str:
    """Return sacrebleu's signature of chrF."""
    return _signature(_chrf(), num_references)


def _bleu(tokenize: str) -> BLEU:
    from sacrebleu.metrics.bleu import BLEU

    try:
        return BLEU(tokenize=tokenize, force=True)  # no warning of texts that look tokenized already
    except (ImportError, RuntimeError) as error:
        fix = f"run: pip install 'sacrebleu[{tokenize[:2]}]'"
        raise RecipeError(
            "metrics", f"the tokenizer '{tokenize}' of BLEU needs a package more; {fix}"
        ) from error


def _chrf() -> CHRF:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()


# sacrebleu has no public way to the numbers of a row, which its own bootstrap resamples too


def _statistics(
    metric: BLEU | CHRF, predictions: Sequence[str], references: Sequence[Sequence[str]]
) -> np.ndarray:
    by_position = [list(texts) for texts in zip_longest(*references)]  # None where a row has fewer
    rows = metric._extract_corpus_statistics(predictions, by_position)  # pyright: ignore[reportPrivateUsage]
    return np.array(rows, dtype=np.float64)


def _scores(metric: BLEU | CHRF, sums: np.ndarray) -> np.ndarray:
    rows = np.rint(sums).astype(np.int64).tolist()
    return np.array([metric._compute_score_from_stats(row).score for row in rows])  # pyright: ignore[reportPrivateUsage]


def _signature(metric: BLEU | CHRF, num_references: int | None) -> str:
    metric.num_refs = num_references or -1
    return str(metric.get_signature())
