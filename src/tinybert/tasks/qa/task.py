"""From scores of pieces to the answer of a question. Legend: B windows, L pieces, N questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tinybert.errors import DataError
from tinybert.language import SENTENCE_END
from tinybert.losses import cross_entropy
from tinybert.metrics.answers import answer_f1, answer_metrics, best_threshold
from tinybert.models.head import QUESTION, head_of
from tinybert.tasks.qa.prediction import FoundAnswer, Span
from tinybert.tasks.qa.rows import MAX_ANSWER_PIECES, QuestionRows
from tinybert.tasks.task import (
    Batch,
    Columns,
    Outputs,
    Settings,
    Task,
    require_finite,
)

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from tinybert.data.labels import LabelScheme

PADDING = -1e4  # a score that no probability is left of, and that is a number in every format
NUM_BEST = 20
THRESHOLD = "null_threshold"


@dataclass(frozen=True)
class ContextScores:
    """What was found in a context for one question.

    Attributes:
        context: The context.
        spans: Possible answers, best first: first character, the character behind the last, score.
        null_score: Of "there is none".
        threshold: How far that must be ahead of the best answer to be believed; None: never.
    """

    context: str
    spans: list[tuple[int, int, float]]
    null_score: float
    threshold: float | None

    @property
    def margin(self) -> float:
        """How far "there is none" is ahead of the best answer."""
        return self.null_score - self.spans[0][2] if self.spans else math.inf

    @property
    def best(self) -> str:
        """The best answer; empty where there is none."""
        if not self.spans or (self.threshold is not None and self.margin > self.threshold):
            return ""
        start, end, _ = self.spans[0]
        return self.context[start:end]


def loss_rows(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Return (B, 2, L): over the pieces of a window, where an answer begins and where it ends."""
    padding = batch["attention_mask"][:, None, :] == 0
    return logits.transpose(1, 2).masked_fill(padding, PADDING), None


def aggregate(
    scores: Sequence[np.ndarray], features: Columns, rows: Columns, *, labels: LabelScheme, settings: Settings
) -> Outputs:
    """Join the windows of each context: the best answers of all, and the least score of none.

    A window's score of "none" is that of its first special token twice; a context has none only when every
    window says so.
    """
    spans: list[dict[tuple[int, int], float]] = [{} for _ in rows["text"]]
    null = [math.inf] * len(spans)
    for index, row in enumerate(features["example"]):
        score = require_finite(scores[index])
        null[row] = min(null[row], float(score[0].sum()))
        shift = len(rows["text"][row]) + 1
        starts = np.asarray(features["piece_starts"][index])
        ends = np.asarray(features["piece_ends"][index])
        for start, end, value in best_spans(score, starts >= shift):
            span = (int(starts[start]) - shift, int(ends[end]) - shift)
            spans[row][span] = max(value, spans[row].get(span, -math.inf))
    threshold = settings.get(THRESHOLD)
    return [
        ContextScores(context, _stripped(found, context), none, threshold)
        for context, found, none in zip(rows["text_pair"], spans, null, strict=True)
    ]


def best_spans(scores: NDArray[np.float64], inside: NDArray[np.bool_]) -> list[tuple[int, int, float]]:
    """Return the best stretches of one window: first piece, last piece, sum of the two scores.

    Args:
        scores: (L, 2), of beginning and of ending at a piece.
        inside: (L,), true at the pieces of the context.
    """
    pieces = np.flatnonzero(inside)
    if not len(pieces):
        return []
    first = pieces[np.argsort(-scores[pieces, 0], kind="stable")[:NUM_BEST]]
    last = pieces[np.argsort(-scores[pieces, 1], kind="stable")[:NUM_BEST]]
    together = scores[first, 0][:, None] + scores[last, 1][None, :]
    lengths = last[None, :] - first[:, None]
    together = np.where((lengths >= 0) & (lengths < MAX_ANSWER_PIECES), together, -np.inf)
    order = np.argsort(-together, axis=None, kind="stable")[:NUM_BEST]
    found = [(int(first[i // len(last)]), int(last[i % len(last)]), float(together.flat[i])) for i in order]
    if math.isinf(found[0][2]):  # no end behind a beginning among the best: the best single piece
        middle = int(pieces[scores[pieces].sum(-1).argmax()])
        return [(middle, middle, float(scores[middle].sum()))]
    return [span for span in found if not math.isinf(span[2])]


def _stripped(found: dict[tuple[int, int], float], context: str) -> list[tuple[int, int, float]]:
    """Return the best spans without white space at their ends, which some tokenizers put into pieces."""
    best: dict[tuple[int, int], float] = {}
    for (start, end), score in found.items():
        inside = context[start:end]
        start += len(inside) - len(inside.lstrip())
        end -= len(inside) - len(inside.rstrip())
        if start < end:
            best[start, end] = max(score, best.get((start, end), -math.inf))
    ranked = sorted(best.items(), key=lambda item: -item[1])[:NUM_BEST]
    return [(start, end, score) for (start, end), score in ranked]


def decode(outputs: Outputs, labels: LabelScheme) -> list[FoundAnswer]:
    """Return the answer to each question."""
    return [_answer(found) for found in cast("Sequence[ContextScores]", outputs)]


def _answer(found: ContextScores) -> FoundAnswer:
    """Return the best answer; "there is none" takes part with what the threshold gives or takes."""
    spans = list(found.spans)
    if found.threshold is not None or not spans:
        spans.append((0, 0, found.null_score - (found.threshold or 0.0)))
    logits = np.array([score for _, _, score in spans])
    powers = np.exp(logits - logits.max())
    n_best = [
        Span(found.context[start:end], start, end, float(share))
        for (start, end, _), share in zip(spans, powers / powers.sum(), strict=True)
    ]
    none = [span for span in n_best if span.end == 0]
    ranked = sorted(n_best, key=lambda span: -span.score)
    if not found.best:
        return FoundAnswer(None, None, None, none[0].score, None, None, ranked)
    best = n_best[0]
    start, end = sentence_around(found.context, best.start, best.end)
    return FoundAnswer(best.text, best.start, best.end, best.score, found.context[start:end], start, ranked)


def sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the first character of the sentence that holds a stretch, and the one behind its last.

    Example:
        >>> sentence_around("It rained. The old fox slept. Then it ran.", 15, 18)
        (11, 29)
    """
    first, last = 0, len(text)
    for match in SENTENCE_END.finditer(text):
        if match.end() <= start:
            first = match.end()
        elif match.start() >= end:
            last = match.start()
            break
    return first, last


def metrics(outputs: Outputs, gold: Sequence[Sequence[Sequence[int]] | None]) -> dict[str, float]:
    """Score answers by exact match and F1; None is not labelled, an empty list says that there is none.

    Raises:
        DataError: No question is labelled.
    """
    labelled, answers = _labelled(outputs, gold)
    return answer_metrics([found.best for found in labelled], answers)


def calibrate(
    outputs: Outputs, gold: Sequence[Sequence[Sequence[int]] | None]
) -> tuple[list[ContextScores], dict[str, float]]:
    """Choose on validation rows how sure "there is none" must be, where some questions have no answer."""
    labelled, answers = _labelled(outputs, gold)
    if all(answers):
        return list(cast("Sequence[ContextScores]", outputs)), {}
    certain = [replace(found, threshold=None) for found in labelled]
    threshold = best_threshold(
        [min(found.margin, 1e9) for found in certain],
        [answer_f1(found.best, each) for found, each in zip(certain, answers, strict=True)],
        [bool(each) for each in answers],
    )
    calibrated = [replace(found, threshold=threshold) for found in cast("Sequence[ContextScores]", outputs)]
    return calibrated, {THRESHOLD: threshold}


def _labelled(
    outputs: Outputs, gold: Sequence[Sequence[Sequence[int]] | None]
) -> tuple[list[ContextScores], list[list[str]]]:
    pairs = [
        (found, [found.context[start:end] for start, end in answers])
        for found, answers in zip(cast("Sequence[ContextScores]", outputs), gold, strict=True)
        if answers is not None
    ]
    if not pairs:
        raise DataError("metrics", f"none of {len(gold):,} rows has a gold label")
    return [found for found, _ in pairs], [answers for _, answers in pairs]


def unanswered_share(gold: Sequence[Sequence[object] | None]) -> float:
    """Return the F1 of saying of every question that it has no answer."""
    labelled = [answers for answers in gold if answers is not None]
    return sum(not answers for answers in labelled) / max(1, len(labelled))


def has_unanswered(gold: Sequence[Sequence[object] | None]) -> bool:
    """Return whether some questions have no answer."""
    return not all(gold)


def matches(config: PreTrainedConfig) -> bool:
    """Say that a saved model outputs the first and the last piece of an answer."""
    return head_of(config) == QUESTION


QA = Task(
    name="qa",
    format=QuestionRows(),
    head=QUESTION,
    matches=matches,
    max_length=384,
    longest_unset=384,
    main_metric="f1",
    hard_losses={"cross_entropy": cross_entropy},
    soft_losses=("kl_divergence", "soft_cross_entropy", "mse_logits"),
    loss_rows=loss_rows,
    aggregate=aggregate,
    calibrate=calibrate,
    needs_calibration=has_unanswered,
    settings=(THRESHOLD,),
    decode=decode,
    metrics=metrics,
    constant_score=unanswered_share,
)
