"""Does an export answer what its checkpoint answers? Measured on real rows, against a written tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from tinybert.inference.backends import Precision
from tinybert.inference.predictor import Predictor
from tinybert.tasks import Answer, AnyAnswer, Entities, FoundAnswer, Outputs, Task
from tinybert.tasks.classification import softmax
from tinybert.tasks.ner import WordScores

RANGE_SHARE = 0.01
"""Two numbers count as equal when they differ by no more than this part of the range of all answers."""


@dataclass(frozen=True)
class Tolerance:
    """How far an export may be from its checkpoint.

    Attributes:
        max_difference: Largest difference of any score; None where rounding may turn a row that stands on the
            edge, whatever its score.
        mean_difference: Of all scores.
        min_equal: Share of rows with the same prediction.
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
"""Of probabilities; numbers of a regression are first divided by the range of the checkpoint's answers."""


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
    """

    num_rows: int
    max_difference: float
    mean_difference: float
    equal: float
    metric: str | None = None
    checkpoint_score: float | None = None
    export_score: float | None = None

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
    """A checkpoint's own answers to the rows that prove an export."""

    rows: Dataset
    outputs: Outputs
    answers: Sequence[AnyAnswer]
    scores: NDArray[np.float64]
    span: float


def reference_of(predictor: Predictor, rows: Dataset) -> Reference:
    """Return what a checkpoint answers, with torch in fp32."""
    outputs = predictor.outputs(rows)
    answers = predictor.task.decode(outputs, predictor.labels)
    scores = scores_of(predictor.task, outputs, answers)
    span = float(np.ptp(scores)) or 1.0 if predictor.task.label_kind == "value" else 1.0
    return Reference(rows, outputs, answers, scores, span)


def measure(reference: Reference, predictor: Predictor) -> Parity:
    """Compare an export with its checkpoint.

    Raises:
        ModelError: A score of the export is NaN or infinite.
    """
    task = predictor.task
    outputs = predictor.outputs(reference.rows)
    answers = task.decode(outputs, predictor.labels)
    differences = np.abs(scores_of(task, outputs, answers) - reference.scores) / reference.span
    same = [
        _said(one) == _said(other)
        if task.label_kind != "value"
        else abs(cast(Answer, one).score - cast(Answer, other).score) <= RANGE_SHARE * reference.span
        for one, other in zip(answers, reference.answers, strict=True)
    ]
    parity = Parity(
        num_rows=len(reference.rows),
        max_difference=float(differences.max(initial=0.0)),
        mean_difference=float(differences.mean()) if differences.size else 0.0,
        equal=float(np.mean(same)),
    )
    scored = _labelled(reference.rows)
    if not scored:
        return parity
    gold = [reference.rows["label"][row] for row in scored]
    checkpoint, export = (
        float(_metrics(task, [each[row] for row in scored], gold)) for each in (reference.outputs, outputs)
    )
    return replace(parity, metric=task.main_metric, checkpoint_score=checkpoint, export_score=export)


def scores_of(task: Task, outputs: Outputs, answers: Sequence[AnyAnswer]) -> NDArray[np.float64]:
    """Return all probabilities of some outputs, or all numbers, end to end."""
    if task.label_kind == "tags":
        words = [softmax(row.scores.astype(np.float64)) for row in cast("Sequence[WordScores]", outputs)]
        return np.concatenate([each.reshape(-1) for each in words]) if words else np.zeros(0)
    flat: list[float] = []
    for answer in answers:
        flat += (
            list(answer.scores.values()) or [answer.score] if isinstance(answer, Answer) else _found(answer)
        )
    return np.array(flat)


def _found(answer: AnyAnswer) -> list[float]:
    return [cast(FoundAnswer, answer).score]


def _said(answer: AnyAnswer) -> object:
    """Return what of an answer must be the same."""
    if isinstance(answer, Entities):
        return [(entity.start, entity.end, entity.label) for entity in answer.entities]
    return (answer.start, answer.end) if isinstance(answer, FoundAnswer) else answer.label


def _labelled(rows: Dataset) -> list[int]:
    if "label" not in rows.column_names:
        return []
    return [index for index, label in enumerate(rows["label"]) if label is not None]


def _metrics(task: Task, outputs: list[Any], gold: list[Any]) -> float:
    windowed = task.label_kind in ("tags", "span")
    found = task.metrics(outputs if windowed else np.stack(outputs), gold if windowed else np.asarray(gold))
    return found[task.main_metric]


def parity_table(parity: Parity, allowed: Tolerance) -> list[list[str]]:
    """Return a parity as a table: a header, then one line a figure."""
    limit = "" if allowed.max_difference is None else f"≤ {allowed.max_difference:g}"
    rows = [
        ["figure", "measured", "allowed"],
        ["max difference of scores", f"{parity.max_difference:.2g}", limit],
        ["mean difference of scores", f"{parity.mean_difference:.2g}", f"≤ {allowed.mean_difference:g}"],
        ["equal predictions", f"{parity.equal:.2%}", f"≥ {allowed.min_equal:.2%}"],
    ]
    if parity.checkpoint_score is not None and parity.export_score is not None:
        rows.append([f"{parity.metric} of the checkpoint", f"{parity.checkpoint_score:.4f}", ""])
        rows.append([f"{parity.metric} of the export", f"{parity.export_score:.4f}", ""])
    if parity.kept is not None:
        rows.append(["kept", f"{parity.kept:.2%}", f"≥ {allowed.min_kept:.2%}"])
    return rows
