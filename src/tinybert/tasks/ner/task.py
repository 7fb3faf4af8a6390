"""From scores of pieces to named entities. Legend: B windows, L pieces, T words of all rows, C tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tinybert.data.labels import LabelScheme
from tinybert.data.windows import OFFSETS
from tinybert.errors import DataError
from tinybert.losses import cross_entropy, focal_cross_entropy
from tinybert.metrics.entities import entity_metrics
from tinybert.models.head import TOKEN, head_of
from tinybert.tasks.classification import balanced_weights as balanced_classes
from tinybert.tasks.classification import softmax
from tinybert.tasks.ner.prediction import Entities, Entity
from tinybert.tasks.ner.rows import EntityRows
from tinybert.tasks.ner.schemes import BEGINS, IOB2, OUTSIDE, legal_to_bio, schemes_of, split_tag
from tinybert.tasks.ner.tags import best_tags, entities_of
from tinybert.tasks.prediction import Prediction
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

NEVER = -1e4  # a score that no probability is left of
CONTINUED_BY = {"B": "IM", "S": "E", "U": "L"}


@dataclass(frozen=True)
class WordScores:
    """The words of one text and the scores of their tags.

    Attributes:
        text: The text.
        starts: Where its W words begin, in characters.
        ends: Where they end.
        scores: (W, C).
        names: The C tags.
        foreign: Of a model trained elsewhere: its B- and I- may be those of IOB1.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]
    scores: NDArray[np.float32]
    names: tuple[str, ...]
    foreign: bool = False


def loss_rows(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Return (B, L, C), and true at the pieces that represent a word: no padding, no continuation."""
    return logits, batch["words"] >= 0


def aggregate(
    scores: Sequence[np.ndarray], features: Columns, rows: Columns, *, labels: LabelScheme, settings: Settings
) -> Outputs:
    """Join the windows of each text: a word has the scores of its first piece.

    Where windows overlap, those of the window in which the word is farthest from the edge.
    """
    counts = [len(starts) for starts in rows["word_starts"]]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    num_tags = labels.num_labels
    by_word = np.zeros((int(offsets[-1]), num_tags), dtype=np.float32)
    covered = np.zeros(len(by_word), dtype=bool)
    if len(scores):
        targets, pieces, order = _word_pieces(features, offsets)
        by_word[targets[order]] = np.concatenate(scores)[pieces[order]]
        covered[targets] = True
    uncovered = np.flatnonzero(~covered)
    if len(uncovered):
        begins = np.array([split_tag(name)[0] in tuple(BEGINS) for name in labels.names])
        by_word[uncovered] = np.where(begins, NEVER, -1.0 * (np.array(labels.names) != OUTSIDE))
        for words, found in _pieces_over(uncovered, scores, features=features, rows=rows, offsets=offsets):
            by_word[words] = continued(found, labels.names)
    return [
        WordScores(text, starts, ends, by_word[offsets[row] : offsets[row + 1]], labels.names, labels.foreign)
        for row, (text, starts, ends) in enumerate(
            zip(rows["text"], rows["word_starts"], rows["word_ends"], strict=True)
        )
    ]


def _word_pieces(
    features: Columns, offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return for each named piece its word and its index among all pieces, and the order of rising trust."""
    lengths = np.array([len(words) for words in features["words"]])
    words = np.concatenate([np.asarray(words) for words in features["words"]])
    window = np.repeat(np.arange(len(lengths)), lengths)
    inside = np.arange(len(words)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    continues = np.concatenate([[False], (words[1:] == words[:-1]) & (window[1:] == window[:-1])])
    pieces = np.flatnonzero((words >= 0) & ~continues)
    targets = offsets[np.asarray(features["example"])[window[pieces]]] + words[pieces]
    from_edge = np.minimum(inside, np.repeat(lengths, lengths) - 1 - inside)[pieces]
    return targets, pieces, np.argsort(from_edge, kind="stable")


def continued(scores: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return scores (T, C) of words behind another under the same piece.

    Where the piece begins an entity, they continue it.
    """
    scores = scores.copy()
    tags = [split_tag(name) for name in names]
    for begins, (letter, kind) in enumerate(tags):
        wanted = [(other, kind) for other in CONTINUED_BY.get(letter, "")]
        if found := [tags.index(tag) for tag in wanted if tag in tags]:
            scores[:, found[0]] = np.maximum(scores[:, found[0]], scores[:, begins])
            scores[:, begins] = NEVER
    return scores


def _pieces_over(
    uncovered: NDArray[np.int64],
    scores: Sequence[np.ndarray],
    *,
    features: Columns,
    rows: Columns,
    offsets: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], np.ndarray]]:
    """Yield words that begin no piece, and the scores of the pieces over them where there are any."""
    row_of_word = np.searchsorted(offsets, uncovered, side="right") - 1
    concerned = set(row_of_word.tolist())
    for window, row in enumerate(features["example"]):
        if row not in concerned:
            continue
        words = uncovered[row_of_word == row]
        word_starts = np.asarray(rows["word_starts"][row])[words - offsets[row]]
        starts, ends = (np.asarray(features[name][window]) for name in OFFSETS)
        real = np.flatnonzero(starts >= 0)
        found = np.searchsorted(ends[real], word_starts, side="right")
        inside = found < len(real)
        inside[inside] = starts[real[found[inside]]] <= word_starts[inside]
        yield words[inside], scores[window][real[found[inside]]]


def tag_rows(outputs: Sequence[WordScores]) -> list[tuple[list[str], NDArray[np.float64]]]:
    """Return each text's legal tags as BIO, and the probability of each.

    Where the tags are those of two schemes, a text is read by the one whose legal tags are more probable.

    Raises:
        ModelError: A score is NaN or infinite.
    """
    if not outputs:
        return []
    logits = require_finite(np.concatenate([row.scores for row in outputs]))
    shifted = logits - logits.max(-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    offsets = np.concatenate([[0], np.cumsum([len(row.scores) for row in outputs])]).astype(np.int64)
    names = outputs[0].names
    schemes = schemes_of(names) if outputs[0].foreign else (IOB2,)
    found = [best_tags(logs, offsets, names, scheme) for scheme in schemes]
    sure = [logs[np.arange(len(tags)), tags] for tags in found]
    rows: list[tuple[list[str], NDArray[np.float64]]] = []
    for first, last in pairwise(offsets.tolist()):
        best = int(np.argmax([each[first:last].sum() for each in sure]))
        tags = [names[tag] for tag in found[best][first:last].tolist()]
        is_bio = not outputs[0].foreign
        rows.append((tags if is_bio else legal_to_bio(tags), np.exp(sure[best][first:last])))
    return rows


def decode(outputs: Outputs, labels: LabelScheme) -> list[Entities]:
    """Return the entities of each text.

    Args:
        outputs: As from :func:`aggregate`.
        labels: The tags, O first.

    Raises:
        ModelError: A score is NaN or infinite.
    """
    given = cast("Sequence[WordScores]", outputs)
    return [
        Entities(row.text, _entities(row, tags, sure))
        for row, (tags, sure) in zip(given, tag_rows(given), strict=True)
    ]


def _entities(row: WordScores, tags: Sequence[str], sure: NDArray[np.float64]) -> list[Entity]:
    found: list[Entity] = []
    for first, behind, kind in entities_of(tags):
        start, end = int(row.starts[first]), int(row.ends[behind - 1])
        found.append(Entity(row.text[start:end], start, end, kind, float(sure[first:behind].mean())))
    return found


def metrics(outputs: Outputs, gold: Sequence[Sequence[int] | None]) -> dict[str, float]:
    """Score texts against their gold tags; None is not labelled.

    Precision, recall and F1 of whole entities, over all and by type, and of overlap in part.

    Raises:
        ModelError: A score is NaN or infinite.
        DataError: No text is labelled.
    """
    rows = cast("Sequence[WordScores]", outputs)
    pairs = [(row, tags) for row, tags in zip(rows, gold, strict=True) if tags is not None]
    if not pairs:
        raise DataError("metrics", f"none of {len(gold):,} rows has a gold label")
    found = [entities_of(tags) for tags, _ in tag_rows([row for row, _ in pairs])]
    wanted = [entities_of([row.names[tag] for tag in tags]) for row, tags in pairs]
    return entity_metrics(found, wanted, kinds=sorted({name[2:] for name in pairs[0][0].names} - {""}))


def balanced_weights(given: Sequence[Sequence[int]], labels: LabelScheme) -> list[float]:
    """Return the weight of each tag by its words."""
    return balanced_classes([tag for tags in given for tag in tags], labels)


def tag_probabilities(outputs: Outputs, predictions: Sequence[Prediction]) -> np.ndarray:
    """Return the probability of every tag of every word, end to end."""
    words = [softmax(row.scores.astype(np.float64)) for row in cast("Sequence[WordScores]", outputs)]
    return np.concatenate([each.reshape(-1) for each in words]) if words else np.zeros(0)


def matches(config: PreTrainedConfig) -> bool:
    """Say that a saved model outputs tags."""
    return head_of(config) == TOKEN


NER = Task(
    name="ner",
    format=EntityRows(),
    head=TOKEN,
    matches=matches,
    main_metric="f1",
    hard_losses={"cross_entropy": cross_entropy, "focal": focal_cross_entropy},
    balanced_weights=balanced_weights,
    soft_losses=("kl_divergence", "soft_cross_entropy", "mse_logits"),
    loss_rows=loss_rows,
    aggregate=aggregate,
    decode=decode,
    metrics=metrics,
    compared=tag_probabilities,
)
