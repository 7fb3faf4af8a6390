"""The contract of a task. Legend: N rows, B rows or windows of a batch, L tokens, C outputs of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from torch import Tensor

from tinybert.data.labels import LabelScheme
from tinybert.data.pooling import NUM_WINDOWS, pool_windows
from tinybert.data.row_format import RowFormat
from tinybert.errors import ModelError
from tinybert.losses import Loss, accepted
from tinybert.models.generation import NewDecoder
from tinybert.models.head import SEQUENCE, Head
from tinybert.tasks.linear import LinearModel
from tinybert.tasks.prediction import Prediction
from tinybert.tasks.soft_labels import SoftLabels

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from tinybert.config import Recipe

ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]
HardLoss = Loss
Batch = Mapping[str, Tensor]
BatchLoss = Callable[[Tensor, Batch], Tensor]
"""``(scores of a batch, batch) -> ()``."""
Columns = Mapping[str, Sequence[Any]]
Settings = Mapping[str, float]
Outputs = np.ndarray | Sequence[object]
"""What a task reads from the scores of some rows, one entry a row; parts can be joined end to end."""


def identity(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Return the scores of whole texts: each row counts."""
    return logits, None


def stacked(
    scores: Sequence[np.ndarray], features: Columns, rows: Columns, *, labels: LabelScheme, settings: Settings
) -> Outputs:
    """Return the scores (N, C) of whole texts."""
    return np.stack(scores) if len(scores) else np.zeros((0, labels.num_labels), dtype=np.float32)


def no_calibration(outputs: Outputs, gold: Sequence[object]) -> tuple[Outputs, dict[str, float]]:
    """Return the outputs: there is no threshold to choose."""
    return outputs, {}


def never(gold: Sequence[object]) -> bool:
    """Return False: there is no threshold to choose."""
    return False


def predicted_scores(outputs: Outputs, predictions: Sequence[Prediction]) -> np.ndarray:
    """Return the numbers of all predictions, end to end."""
    return np.array([score for prediction in predictions for score in prediction.scores_compared()])


def no_constant(gold: Any) -> float:  # noqa: ANN401 (only the task reads it)
    """Return 0: a constant prediction has no score here."""
    return 0.0


@dataclass(frozen=True)
class FreePredictor:
    """What predicts without a model, so costs nothing.

    Attributes:
        title: What a report calls it.
        predict: ``(rows) -> outputs``, as :attr:`Task.aggregate` returns them.
    """

    title: str
    predict: Callable[[Columns], Outputs]


Free = Callable[[Columns, Any], FreePredictor]
"""``(validation rows, their gold) -> predictor``: where none is given, nothing is chosen by them."""


class Aggregate(Protocol):
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
        """Join them."""
        ...


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a task is: its rows, its losses, and what becomes of a model's scores.

    A backend only brings scores. From there it is: ``aggregate`` joins the windows of a row, where its format
    has not pooled them, ``decode`` makes predictions of that, ``metrics`` numbers.

    Attributes:
        name: Its name in ``BUILTIN`` and in recipes; a task of the user's own is named by
            ``package.module:attr``.
        format: What a row is, from the file to the tensor.
        head: The auto class of the model and what its head outputs.
        matches: ``(config) -> bool``: a saved model of this head is of this task, whoever trained it; None
            where only the note says so that a run of ours keeps in the config.
        problem_type: What transformers calls it in a config; None where the head says enough.
        max_length: Longest row or window in tokens, by default.
        longest_unset: Longest window of a checkpoint whose tokenizer does not say; None: its positions.
        main_metric: The key of ``metrics`` that the best epoch is chosen by; more is better.
        best_score: What a perfect model scores on it; 0 is the worst of a share.
        hard_losses: Name → ``(rows, labels) -> ()``; the first is the default. One with a parameter
            ``class_weights`` or ``focal_gamma`` is given this setting.
        soft_losses: Names of the losses on the teacher's rows that have a meaning here; the first is the
            default.
        balanced_weights: ``(labels of train rows, label scheme) -> a number an output``, the class weights of
            ``train.class_weights=balanced``; None where outputs are no classes, and cannot be weighted.
        soft_labels: Reads a file of teacher outputs; None where such a file says too little.
        loss_rows: ``(scores of a batch, batch) -> (rows, mask)``: the scores as losses read them, one
            distribution a row, (B, C), (B, L, C) or (B, 2, L), and which of them a teacher teaches, None for
            all.
        aggregate: ``(scores, encoded columns, rows, labels=, settings=) -> outputs``; scores one array an
            encoded row, (C,) or (L, C), settings as kept in the model's config.
        calibrate: ``(outputs, gold) -> (outputs, settings)``: what is chosen on validation rows.
        needs_calibration: ``(gold) -> bool``: there is something to choose.
        settings: Keys of a model's config that ``calibrate`` writes and ``aggregate`` reads.
        head_start: What fitting a new head on frozen vectors is called here, where its hard loss is minimised
            over a linear layer; None where that means nothing.
        is_contrastive: A text has one class, so texts of a class can be pulled together.
        decode: ``(outputs, label scheme) -> N predictions``.
        metrics: ``(outputs, gold) -> {name: number}``; gold as the format's ``gold`` returns it.
        constant_score: ``(gold) -> number``: the main metric of always predicting the same, at its best.
        temperature: Of the prediction losses, by default.
        training: Epochs and peak learning rate by default, where these are not those of most tasks.
        chance_corrected: A metric that is 0 for whatever always predicts the same, and says also of unequal
            classes whether a model tells them apart; None where the main metric over ``constant_score`` does.
        probabilities: ``(outputs) -> (N, C)`` where these are classes that exclude each other; else None.
        compared: ``(outputs, predictions) -> numbers`` that an export must reproduce.
        is_bounded: These numbers are probabilities; else differences are divided by their range.
        linear: What learns the labels of whole texts from sparse features; None: there is no such model.
        free: Name → what predicts without a model; reports show its scores beside the models'.
    """

    name: str
    format: RowFormat
    main_metric: str
    hard_losses: Mapping[str, HardLoss]
    soft_losses: tuple[str, ...]
    decode: Callable[[Any, LabelScheme], Sequence[Prediction]]
    metrics: Callable[[Any, Any], dict[str, float]]
    matches: Callable[[PreTrainedConfig], bool] | None = None
    problem_type: ProblemType | None = None
    best_score: float = 1.0
    head: Head = SEQUENCE
    max_length: int = 128
    longest_unset: int | None = None
    balanced_weights: Callable[[Sequence[Any], LabelScheme], Sequence[float]] | None = None
    soft_labels: SoftLabels | None = None
    loss_rows: Callable[[Tensor, Batch], tuple[Tensor, Tensor | None]] = identity
    aggregate: Aggregate = stacked
    calibrate: Callable[[Any, Any], tuple[Outputs, dict[str, float]]] = no_calibration
    needs_calibration: Callable[[Sequence[Any]], bool] = never
    settings: tuple[str, ...] = ()
    head_start: str | None = None
    is_contrastive: bool = False
    constant_score: Callable[[Any], float] = no_constant
    temperature: float = 2.0
    training: tuple[int, float] | None = None
    chance_corrected: str | None = None
    probabilities: Callable[[Any], np.ndarray] | None = None
    compared: Callable[[Outputs, Sequence[Prediction]], np.ndarray] = predicted_scores
    is_bounded: bool = True
    linear: LinearModel | None = None
    free: Mapping[str, Free] = field(default_factory=dict[str, Free])

    @property
    def writes(self) -> bool:
        """Whether a model writes texts, token by token; else it outputs scores."""
        return not self.head.has_labels

    @property
    def new_decoder(self) -> NewDecoder | None:
        """How a decoder is made where a checkpoint has none; None where there is none to make."""
        return None

    def search(self) -> dict[str, Any]:
        """Return how texts are written, by the names of ``GenerationSettings``; nothing where none are."""
        return {}

    def intervals(self, outputs: Outputs, gold: Sequence[Any]) -> dict[str, tuple[float, float]]:
        """Return the 95 % intervals of metrics, where the task has a way to compute them."""
        return {}

    def signatures(self, gold: Sequence[Any]) -> list[str]:
        """Return sentences on how the metrics were computed; nothing where their names say it."""
        return []

    def configured(self, recipe: Recipe) -> Task:
        """Return the task with those settings of a recipe that are not of its rows."""
        return self

    def with_notes(self, notes: Mapping[str, object]) -> Task:
        """Return the task as a saved model was trained for it; see :meth:`notes`."""
        return self

    def notes(self) -> dict[str, object]:
        """Return what a saved model keeps of the task besides what is kept of its rows."""
        return {}

    def hard_loss(self, name: str, **settings: object) -> BatchLoss:
        """Return one of the hard losses, with those of the settings that it has parameters for."""
        loss = self.hard_losses[name]
        given = accepted(loss, **settings)
        return lambda logits, batch: loss(self.rows(logits, batch)[0], batch["labels"], **given)

    def rows(self, logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return the scores of a batch as losses read them: windows of a text pooled, then ``loss_rows``."""
        return self.loss_rows(self.pooled(logits, batch), batch)

    def pooled(self, logits: Tensor, batch: Batch) -> Tensor:
        """Return one row of scores (B, C) a text where a batch holds all windows of each; else the scores."""
        if self.format.pooling is None or NUM_WINDOWS not in batch:
            return logits
        return pool_windows(logits, batch[NUM_WINDOWS], pooling=self.format.pooling)


def require_finite(logits: np.ndarray) -> np.ndarray:
    """Return the logits in float64, so that a probability near 1 keeps its digits.

    Raises:
        ModelError: Some are NaN or infinite: an argmax over them would look like a prediction.
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
