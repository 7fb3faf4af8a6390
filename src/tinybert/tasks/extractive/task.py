"""From scores of pieces to a summary. Legend: B windows, L pieces, S sentences of a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tinybert.data.labels import LabelScheme
from tinybert.errors import DataError
from tinybert.language import join_sentences
from tinybert.losses import cross_entropy
from tinybert.models.head import TOKEN
from tinybert.tasks.classification import softmax
from tinybert.tasks.extractive.prediction import ExtractedSummary, Sentence
from tinybert.tasks.extractive.rows import SENTENCES, SUMMARY, SummaryRows
from tinybert.tasks.lead import NUM_SENTENCES, References, best_num_sentences, lead
from tinybert.tasks.prediction import Prediction
from tinybert.tasks.task import Batch, Columns, Outputs, Settings, Task, require_finite

COUNT = "num_sentences"


@dataclass(frozen=True)
class SentenceScores:
    """The sentences of one document, and how probable it is that a summary has each.

    Attributes:
        text: The document.
        starts: Where its S sentences begin, in characters.
        ends: Where they end.
        scores: (S,), a probability each.
        num_sentences: So many make the summary.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]
    scores: NDArray[np.float64]
    num_sentences: int

    @property
    def sentences(self) -> list[Sentence]:
        """The most probable sentences, in the document's order; of equal ones the first."""
        best = np.argsort(-self.scores, kind="stable")[: self.num_sentences]
        return [
            Sentence(self.text[start:end], start, end, float(self.scores[index]))
            for index in sorted(best.tolist())
            for start, end in [(int(self.starts[index]), int(self.ends[index]))]
        ]

    @property
    def summary(self) -> str:
        """These sentences as one text."""
        return join_sentences(sentence.text for sentence in self.sentences)


def loss_rows(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Return (B, L, C), and true at the pieces that begin a sentence."""
    return logits, batch[SENTENCES] >= 0


def aggregate(
    scores: Sequence[np.ndarray], features: Columns, rows: Columns, *, labels: LabelScheme, settings: Settings
) -> Outputs:
    """Join the windows of each document: a sentence has the highest probability that a window gives it."""
    found = [np.zeros(len(starts)) for starts in rows["sentence_starts"]]
    for index, row in enumerate(features["example"]):
        logits, sentences = require_finite(scores[index]), np.asarray(features[SENTENCES][index])
        begins = np.flatnonzero(sentences >= 0)
        if len(begins):
            shares = softmax(logits[begins])[:, labels.index(SUMMARY)]
            np.maximum.at(found[row], sentences[begins], shares)
    count = int(settings.get(COUNT, NUM_SENTENCES))
    return _outputs(rows, found, count)


def first_sentences(rows: Columns, count: int) -> Outputs:
    """Return the outputs whose summaries are the first sentences: the further behind, the less probable."""
    return _outputs(rows, [1 / np.arange(1.0, len(starts) + 1) for starts in rows["sentence_starts"]], count)


def _outputs(rows: Columns, scores: Sequence[NDArray[np.float64]], count: int) -> list[SentenceScores]:
    of_rows = zip(rows["text"], rows["sentence_starts"], rows["sentence_ends"], scores, strict=True)
    return [SentenceScores(text, starts, ends, each, count) for text, starts, ends, each in of_rows]


def decode(outputs: Outputs, labels: LabelScheme) -> list[ExtractedSummary]:
    """Return the summary of each document."""
    return [ExtractedSummary(row.summary, row.sentences) for row in cast("Sequence[SentenceScores]", outputs)]


def metrics(outputs: Outputs, gold: References) -> dict[str, float]:
    """Score summaries by ROUGE, 0 to 100; None is not labelled.

    Raises:
        DataError: No document has a summary.
    """
    from tinybert.metrics.generation import text_scores

    pairs = [
        (row.summary, references)
        for row, references in zip(cast("Sequence[SentenceScores]", outputs), gold, strict=True)
        if references
    ]
    if not pairs:
        raise DataError("metrics", f"none of {len(gold):,} rows has a gold label")
    summaries, references = zip(*pairs, strict=True)
    return text_scores(summaries, references, names=["rouge1", "rouge2", "rougeL"])


def calibrate(outputs: Outputs, gold: References) -> tuple[list[SentenceScores], dict[str, float]]:
    """Choose on validation rows how many sentences a summary has."""
    rows = cast("Sequence[SentenceScores]", outputs)

    def summaries(count: int) -> list[str]:
        return [replace(row, num_sentences=count).summary for row in rows]

    count = best_num_sentences(summaries, gold)
    return [replace(row, num_sentences=count) for row in rows], {COUNT: float(count)}


def sentence_probabilities(outputs: Outputs, predictions: Sequence[Prediction]) -> np.ndarray:
    """Return the probability of every sentence, end to end."""
    rows = cast("Sequence[SentenceScores]", outputs)
    return np.concatenate([row.scores for row in rows]) if rows else np.zeros(0)


EXTRACTIVE = Task(
    name="extractive",
    format=SummaryRows(),
    head=TOKEN,
    max_length=512,
    longest_unset=512,
    main_metric="rougeL",
    best_score=100.0,
    hard_losses={"cross_entropy": cross_entropy},
    soft_losses=("kl_divergence", "soft_cross_entropy", "mse_logits"),
    loss_rows=loss_rows,
    aggregate=aggregate,
    calibrate=calibrate,
    needs_calibration=any,
    settings=(COUNT,),
    decode=decode,
    metrics=metrics,
    free={"lead": lead(first_sentences)},
    compared=sentence_probabilities,
)
