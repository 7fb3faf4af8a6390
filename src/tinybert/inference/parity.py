"""Does an export predict what its checkpoint predicts? Measured on real rows, against a written tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from tinybert.inference.backends import Precision
from tinybert.inference.predictor import Predictor
from tinybert.tasks import Outputs, Prediction


@dataclass(frozen=True)
class Tolerance:
    """How far an export may be from its checkpoint.

    Attributes:
        max_difference: Largest difference of any score; None where rounding may turn a row that is on the
            edge, whatever its score.
        mean_difference: Of all scores.
        min_equal: Share of rows with the same prediction; 0: it is only reported.
        min_kept: Of the checkpoint's main metric.
    """

    max_difference: float | None
    mean_difference: float
    min_equal: float
    min_kept: float


TOLERANCES: dict[Precision, Tolerance] = {
    "fp32": Tolerance(max_difference=1e-3, mean_difference=1e-4, min_equal=0.999, min_kept=0.999),
    "bf16": Tolerance(max_difference=None, mean_difference=0.02, min_equal=0.97, min_kept=0.995),
    "int8": Tolerance(max_difference=None, mean_difference=0.05, min_equal=0.95, min_kept=0.995),
}
"""Of probabilities; other numbers are first divided by the range of the checkpoint's."""

WRITTEN_TOLERANCES: dict[Precision, Tolerance] = {
    "fp32": Tolerance(max_difference=None, mean_difference=1e-3, min_equal=0.99, min_kept=0.99),
    "int8": Tolerance(max_difference=None, mean_difference=0.1, min_equal=0.0, min_kept=0.98),
}
"""Of written texts. One token of twenty that rounding turns makes a text another one, maybe as good: what
int8 is proved by is the metric, and in fp32 a near tie of two tokens may turn a text and its score."""


@dataclass(frozen=True)
class Parity:
    """What was measured.

    Attributes:
        num_rows: Rows compared.
        max_difference: Largest difference of any score; scores are probabilities, or a regression's numbers
            over the range of the checkpoint's.
        mean_difference: Of all scores.
        equal: Share of rows with the same prediction: label, set of labels, all entities, the same answer.
        metric: The task's main metric; None without labelled rows.
        checkpoint_score: Of the checkpoint on the labelled rows.
        export_score: Of the export on the same.
        writes: Predictions are written texts.
    """

    num_rows: int
    max_difference: float
    mean_difference: float
    equal: float
    metric: str | None = None
    checkpoint_score: float | None = None
    export_score: float | None = None
    writes: bool = False

    @property
    def kept(self) -> float | None:
        """The export's score over the checkpoint's; None where that has no meaning."""
        if self.checkpoint_score is None or self.export_score is None or self.checkpoint_score <= 0:
            return None
        return self.export_score / self.checkpoint_score

    def failures(self, allowed: Tolerance) -> list[str]:
        """Say, one line each, what is past the tolerance; NaN is past any."""
        problems: list[str] = []
        limit = math.inf if allowed.max_difference is None else allowed.max_difference
        if not self.max_difference <= limit:
            problems.append(f"max difference {self.max_difference:.2g} (allowed: {limit:g})")
        if not self.mean_difference <= allowed.mean_difference:
            problems.append(
                f"mean difference {self.mean_difference:.2g} (allowed: {allowed.mean_difference:g})"
            )
        if not self.equal >= allowed.min_equal:
            problems.append(f"equal predictions {self.equal:.2%} (at least: {allowed.min_equal:.2%})")
        if self.kept is not None and not self.kept >= allowed.min_kept:
            problems.append(
                f"{self.metric} {self.export_score:.4f}, {self.kept:.2%} of the checkpoint's "
                f"{self.checkpoint_score:.4f} (at least: {allowed.min_kept:.2%})"
            )
        return problems


@dataclass(frozen=True)
class Reference:
    """A checkpoint's own predictions for the rows that prove an export.

    Attributes:
        rows: The rows.
        outputs: What the task reads from the scores.
        predictions: One a row.
        scores: The numbers compared.
        value_range: Largest minus smallest of these numbers where they are no probabilities; else 1.
    """

    rows: Dataset
    outputs: Outputs
    predictions: Sequence[Prediction]
    scores: NDArray[np.float64]
    value_range: float


def reference_of(predictor: Predictor, rows: Dataset) -> Reference:
    """Return what a checkpoint predicts, with torch in fp32."""
    task = predictor.task
    outputs = predictor.outputs(rows)
    predictions = task.decode(outputs, predictor.labels)
    scores = task.compared(outputs, predictions)
    value_range = 1.0 if task.is_bounded else float(np.ptp(scores)) or 1.0
    return Reference(rows, outputs, predictions, scores, value_range)


def measure(reference: Reference, predictor: Predictor) -> Parity:
    """Compare an export with its checkpoint.

    Raises:
        ModelError: A score of the export is NaN or infinite.
    """
    task, value_range = predictor.task, reference.value_range
    outputs = predictor.outputs(reference.rows)
    predictions = task.decode(outputs, predictor.labels)
    differences = np.abs(task.compared(outputs, predictions) - reference.scores) / value_range
    pairs = zip(predictions, reference.predictions, strict=True)
    same = [one.is_same(other, value_range=value_range) for one, other in pairs]
    parity = Parity(
        num_rows=len(reference.rows),
        max_difference=float(differences.max(initial=0.0)),
        mean_difference=float(differences.mean()) if differences.size else 0.0,
        equal=float(np.mean(same)),
        writes=task.writes,
    )
    scored = _labelled(reference.rows)
    if not scored:
        return parity
    gold = task.format.gold(reference.rows.select(scored))
    checkpoint, export = (
        float(task.metrics(_chosen(each, scored), gold)[task.main_metric])
        for each in (reference.outputs, outputs)
    )
    return replace(parity, metric=task.main_metric, checkpoint_score=checkpoint, export_score=export)


def _chosen(outputs: Outputs, rows: Sequence[int]) -> Outputs:
    return outputs[list(rows)] if isinstance(outputs, np.ndarray) else [outputs[row] for row in rows]


def _labelled(rows: Dataset) -> list[int]:
    if "label" not in rows.column_names:
        return []
    return [index for index, label in enumerate(rows["label"]) if label is not None]


def parity_table(parity: Parity, allowed: Tolerance) -> list[list[str]]:
    """Return a parity as a table: a header, then one line a figure."""
    limit = "" if allowed.max_difference is None else f"≤ {allowed.max_difference:g}"
    least = f"≥ {allowed.min_equal:.2%}" if allowed.min_equal else ""
    rows = [
        ["figure", "measured", "allowed"],
        ["max difference of scores", f"{parity.max_difference:.2g}", limit],
        ["mean difference of scores", f"{parity.mean_difference:.2g}", f"≤ {allowed.mean_difference:g}"],
        ["equal predictions", f"{parity.equal:.2%}", least],
    ]
    if parity.checkpoint_score is not None and parity.export_score is not None:
        rows.append([f"{parity.metric} of the checkpoint", f"{parity.checkpoint_score:.4f}", ""])
        rows.append([f"{parity.metric} of the export", f"{parity.export_score:.4f}", ""])
    if parity.kept is not None:
        rows.append(["kept", f"{parity.kept:.2%}", f"≥ {allowed.min_kept:.2%}"])
    return rows
