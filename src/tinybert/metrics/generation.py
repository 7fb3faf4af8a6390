"""Scores of written texts: translations, summaries, replies."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np

from tinybert.errors import DataError, RecipeError
from tinybert.metrics.bleu import (
    TOKENIZERS,
    bleu_scores,
    bleu_signature,
    bleu_statistics,
    chrf_scores,
    chrf_signature,
    chrf_statistics,
)
from tinybert.metrics.bootstrap import percentile_interval
from tinybert.metrics.distinct import distinct_signature, distinct_statistics
from tinybert.metrics.overlap import (
    equals_reference,
    exact_match_signature,
    token_f1,
    token_f1_signature,
)
from tinybert.metrics.rouge import rouge_f1, rouge_signature
from tinybert.metrics.text_metric import TextMetric, mean_over_rows, ratios

BUILTIN: dict[str, TextMetric] = {
    "bleu": TextMetric(bleu_statistics, bleu_scores, bleu_signature),
    "chrf": TextMetric(chrf_statistics, chrf_scores, chrf_signature),
    "rouge1": mean_over_rows(partial(rouge_f1, kind="rouge1"), rouge_signature),
    "rouge2": mean_over_rows(partial(rouge_f1, kind="rouge2"), rouge_signature),
    "rougeL": mean_over_rows(partial(rouge_f1, kind="rougeL"), rouge_signature),
    "distinct1": TextMetric(
        partial(distinct_statistics, order=1), ratios, partial(distinct_signature, order=1)
    ),
    "distinct2": TextMetric(
        partial(distinct_statistics, order=2), ratios, partial(distinct_signature, order=2)
    ),
    "token_f1": mean_over_rows(token_f1, token_f1_signature),
    "exact_match": mean_over_rows(equals_reference, exact_match_signature),
}


def text_scores(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    names: Sequence[str],
    tokenize: str = "13a",
) -> dict[str, float]:
    """Score written texts.

    Args:
        predictions: One text a row. An empty one scores 0.
        references: One or more right texts a row, as many as there are.
        names: Of metrics, keys of ``BUILTIN``.
        tokenize: The tokenizer of BLEU, one of ``TOKENIZERS``: ``13a`` for languages with spaces, ``zh`` for
            Chinese. The other metrics do not read it.

    Returns:
        Name → score, in the order of names: ``distinct1`` and ``distinct2`` in 0 to 1, all others in 0 to
        100. BLEU, chrF and distinct-n are of the corpus, the others means over rows.

    Raises:
        DataError: There is no row, the numbers of rows differ, or a row has no list of references.
        RecipeError: A metric or tokenizer is unknown, or needs a package that is not installed.

    Example:
        >>> text_scores(["the cat sat"], [["the cat sat down", "it sat"]], names=["exact_match", "token_f1"])
        {'exact_match': 0.0, 'token_f1': 85.71428571428571}
    """
    rows = _statistics(predictions, references, names=names, tokenize=tokenize)
    return {name: float(BUILTIN[name].scores(row.sum(axis=0)[np.newaxis])[0]) for name, row in rows.items()}


def intervals(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    names: Sequence[str],
    tokenize: str = "13a",
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Return the 95 % interval of each score, by the percentile bootstrap over rows.

    Args:
        predictions: As for ``text_scores``.
        references: As for ``text_scores``.
        names: As for ``text_scores``.
        tokenize: As for ``text_scores``.
        resamples: How often as many rows are drawn with replacement; at least 1.
        seed: Of the draws.

    Returns:
        Name → lower and upper end, in the unit of the score.

    Raises:
        DataError: As by ``text_scores``.
        RecipeError: As by ``text_scores``, or there are no resamples.

    Source: Koehn 2004, ACL W04-3250 (https://aclanthology.org/W04-3250/).

    Example:
        >>> predictions, references = ["yes", "no"] * 50, [["yes"]] * 100
        >>> intervals(predictions, references, names=["exact_match"])
        {'exact_match': (40.0, 60.0)}
    """
    if resamples < 1:
        raise RecipeError("metrics", f"resamples = {resamples}: at least 1 is needed, 1000 is usual")
    rows = _statistics(predictions, references, names=names, tokenize=tokenize)
    return {
        name: percentile_interval(row, BUILTIN[name].scores, resamples=resamples, seed=seed)
        for name, row in rows.items()
    }


def signature(name: str, *, tokenize: str = "13a", num_references: int | None = 1) -> str:
    """Return what a score was computed by, so that others can compute the same.

    Args:
        name: Of the metric, a key of ``BUILTIN``.
        tokenize: The tokenizer of BLEU.
        num_references: References a row; None where rows have different numbers.

    Returns:
        sacrebleu's signature for BLEU and chrF, for the others one of that form.

    Raises:
        RecipeError: The metric or tokenizer is unknown, or needs a package that is not installed.

    Example:
        >>> signature("bleu", tokenize="zh").rpartition("|")[0]
        'nrefs:1|case:mixed|eff:no|tok:zh|smooth:exp'
        >>> signature("exact_match", num_references=None).rpartition("|")[0]
        'nrefs:var|ref:any|case:mixed|space:normalised'
    """
    _check_settings([name], tokenize)
    return BUILTIN[name].signature(tokenize, num_references)


def _statistics(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, names: Sequence[str], tokenize: str
) -> dict[str, np.ndarray]:
    _check_settings(names, tokenize)
    _check_rows(predictions, references)
    return {name: BUILTIN[name].statistics(predictions, references, tokenize=tokenize) for name in names}


def _check_settings(names: Sequence[str], tokenize: str) -> None:
    unknown = [_unknown("metric of texts", name, BUILTIN) for name in names if name not in BUILTIN]
    if tokenize not in TOKENIZERS:
        unknown.append(_unknown("tokenizer of BLEU", tokenize, TOKENIZERS))
    if unknown:
        raise RecipeError("metrics", unknown)


def _unknown(kind: str, name: str, allowed: Iterable[str]) -> str:
    allowed = list(allowed)
    close = difflib.get_close_matches(name, allowed, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"'{name}': unknown {kind}{hint} (allowed: {', '.join(allowed)})"


def _check_rows(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if len(predictions) != len(references):
        problem = f"{len(predictions):,} predictions for {len(references):,} rows of references"
        raise DataError("metrics", f"{problem}: one each is needed")
    if len(predictions) == 0:
        raise DataError("metrics", "there is no row to score; one prediction with a reference is needed")
    found = {row: _fault(texts) for row, texts in enumerate(references, start=1)}
    problems = [
        f"row {row:,}: {fault}; write a list of one or more texts" for row, fault in found.items() if fault
    ]
    if problems:
        raise DataError("metrics", problems)


def _fault(texts: Sequence[str]) -> str:
    """Return what is wrong with the references of a row, or an empty text."""
    if len(texts) == 0:
        return "there is no reference"
    return "the references are one text" if isinstance(texts, str) else ""
