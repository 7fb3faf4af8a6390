"""The contract of a task. Legend: N rows, B rows or windows of a batch, L tokens, C outputs of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from torch import Tensor

from tinybert.data.labels import LabelKind
from tinybert.errors import ModelError
from tinybert.models.head import HeadKind

if TYPE_CHECKING:
    from tinybert.data import LabelScheme

ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]
HardLoss = Callable[[Tensor, Tensor], Tensor]
Batch = Mapping[str, Tensor]
Columns = Mapping[str, Sequence[Any]]
Settings = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says about one text as a whole.

    Attributes:
        label: The class; for several labels those at or above a probability of 0.5, maybe none; None where
            the answer is a number.
        score: The class's probability; for several labels the highest of all classes, named or not; the
            number itself for regression.
        scores: Each class's probability, in the label scheme's order; empty for regression.
    """

    label: str | list[str] | None
    score: float
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Entity:
    """A named entity: ``text`` is ``whole[start:end]`` of the text that was asked about.

    Attributes:
        text: As it is written.
        start: Its first character.
        end: The character behind its last.
        label: Its type.
        score: The mean probability of its words' tags.
    """

    text: str
    start: int
    end: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Entities:
    """The named entities of one text.

    Attributes:
        text: The text; words that were given one by one stand joined.
        entities: In the text's order; none overlaps another.
    """

    text: str
    entities: list[Entity]


@dataclass(frozen=True, slots=True)
class Span:
    """A possible answer: ``text`` is ``context[start:end]``; empty, at 0, for "there is none"."""

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """The answer to a question.

    Attributes:
        answer: As it is written in the context; None when the context holds none.
        start: Its first character in the context.
        end: The character behind its last.
        score: Its probability among the n best.
        sentence: The sentence it stands in.
        sentence_start: That sentence's first character.
        n_best: The likeliest answers, best first.
    """

    answer: str | None
    start: int | None
    end: int | None
    score: float
    sentence: str | None
    sentence_start: int | None
    n_best: list[Span]


AnyAnswer = Answer | Entities | FoundAnswer
Outputs = np.ndarray | Sequence[object]
"""What a task has read from the scores of some rows, one entry a row; parts can be laid end to end."""


def as_they_are(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Return the scores of whole texts: each row counts."""
    return logits, None


def stacked(
    scores: Sequence[np.ndarray], features: Columns, rows: Columns, *, labels: LabelScheme, settings: Settings
) -> Outputs:
    """Return the scores (N, C) of whole texts."""
    return np.stack(scores) if len(scores) else np.zeros((0, labels.num_labels), dtype=np.float32)


def nothing_to_settle(outputs: Outputs, gold: Sequence[object]) -> tuple[Outputs, dict[str, float]]:
    """Return the outputs: there is no threshold to choose."""
    return outputs, {}


class Gather(Protocol):
    """How the scores of encoded rows become one entry a row."""

    def __call__(
        self,
        scores: Sequence[np.ndarray],
        features: Columns,
        rows: Columns,
        *,
        labels: LabelScheme,
        settings: Settings,
    ) -> Outputs:
        """Put them together."""
        ...


@dataclass(frozen=True, kw_only=True)
class Task:
    """How one kind of label is taught, answered and measured.

    A backend only brings scores. From there it is: ``gather`` puts the windows of a row together, ``decode``
    makes answers of that, ``metrics`` numbers.

    Attributes:
        name: Its name in ``BUILTIN`` and in recipes.
        label_kind: What a row's label is: one class, a set of classes, a number, tags, answers.
        problem_type: What transformers calls it in a config; None where the head says enough.
        head: What the model answers: a text, each token, or a first and a last token.
        max_length: Longest row or window in tokens, by default.
        main_metric: The key of ``metrics`` that the best epoch is chosen by; more is better.
        hard_losses: Name → ``(rows, labels) -> ()``; the first is the default.
        soft_losses: Names of the losses on the teacher's rows that have a meaning here; the first is the
            default.
        rows: ``(scores of a batch, batch) -> (rows, mask)``: the scores as losses read them, one distribution
            a row, (B, C), (B, L, C) or (B, 2, L), and which of them a teacher teaches, None for all.
        gather: ``(scores, encoded columns, rows, labels=, settings=) -> outputs``; scores one array an
            encoded row, (C,) or (L, C), settings as kept in the model's config.
        settle: ``(outputs, gold) -> (outputs, settings)``: what is chosen on validation rows.
        decode: ``(outputs, label scheme) -> N answers``.
        metrics: ``(outputs, gold) -> {name: number}``; gold as ``label`` of the rows has it.
    """

    name: str
    label_kind: LabelKind
    main_metric: str
    hard_losses: Mapping[str, HardLoss]
    soft_losses: tuple[str, ...]
    decode: Callable[[Any, LabelScheme], Sequence[AnyAnswer]]
    metrics: Callable[[Any, Any], dict[str, float]]
    problem_type: ProblemType | None = None
    head: HeadKind = "sequence"
    max_length: int = 128
    rows: Callable[[Tensor, Batch], tuple[Tensor, Tensor | None]] = as_they_are
    gather: Gather = stacked
    settle: Callable[[Any, Sequence[Any]], tuple[Outputs, dict[str, float]]] = nothing_to_settle

    def hard_loss(self, name: str) -> Callable[[Tensor, Batch], Tensor]:
        """Return ``(scores of a batch, batch) -> ()`` for one of the hard losses."""
        loss = self.hard_losses[name]
        return lambda logits, batch: loss(self.rows(logits, batch)[0], batch["labels"])


def require_finite(logits: np.ndarray) -> np.ndarray:
    """Return the logits in float64, so that a probability near 1 keeps its digits.

    Raises:
        ModelError: Some are NaN or infinite: an argmax over them would look like an answer.
    """
    num_bad = int((~np.isfinite(logits.reshape(len(logits), -1))).any(axis=1).sum()) if len(logits) else 0
    if num_bad:
        raise ModelError(
            "logits",
            f"{num_bad:,} of {len(logits):,} rows are NaN or infinite: the training diverged"
            " (lower train.learning_rate) or the weights are damaged",
        )
    return logits.astype(np.float64)


def require_width(logits: np.ndarray, num_outputs: int) -> None:
    """Refuse logits whose width is not that of the labels.

    Raises:
        ModelError: The logits are not (N, num_outputs).
    """
    if logits.ndim != 2 or logits.shape[1] != num_outputs:
        raise ModelError(
            "logits",
            f"shape {logits.shape}, but the labels ask for (N, {num_outputs});"
            " the model was trained for other labels",
        )
