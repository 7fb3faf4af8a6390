"""How good and how large a model is: scores on whole splits, parameters, size, seconds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from tinybert.data import LabelScheme
from tinybert.evaluation.written import perplexity_of
from tinybert.inference import Predictor
from tinybert.metrics.timing import take_turns
from tinybert.models.load import count_parameters
from tinybert.tasks import Outputs, Task

Scores = dict[str, object]
Rows = Dataset | Sequence[object]

MIN_GAIN = 0.04
"""Least share of what lies between always predicting the same and a perfect score that says of learning."""
LATENCY_ROWS = 40
LATENCY_ROUNDS = 3


def score_checkpoint(
    path: str | Path,
    rows: Dataset,
    *,
    task: Task,
    labels: LabelScheme,
    max_length: int,
    split: str = "test",
    leaked: np.ndarray | None = None,
) -> Scores:
    """Score a checkpoint on a split and measure it.

    Args:
        path: A run or checkpoint.
        rows: A split, as :func:`tinybert.data.load` has it.
        task: Its task; its format says what is read of long rows.
        labels: The label order of ``rows``.
        max_length: Longest row in tokens.
        split: The key the metrics get: ``test``, or ``validation`` where there is no test split.
        leaked: True at rows that are also in the train split.

    Returns:
        The metrics under ``split``, and without leaked rows under ``{split}_without_leakage``;
        ``num_parameters``; ``size_mb`` (weights, fp32); ``predict_seconds`` for the split.
    """
    predictor = Predictor(
        path, backend="torch", max_length=max_length, labels=labels, task=task, format=task.format
    )
    start = time.perf_counter()
    outputs = predictor.outputs(rows)
    seconds = time.perf_counter() - start
    scores, without_leakage = score_outputs(task, outputs, rows, leaked=leaked)
    if task.writes:
        scores |= perplexity_of(path, rows, task=task, max_length=max_length)
    num_parameters = count_parameters(predictor.config)
    return {
        split: scores,
        **({f"{split}_without_leakage": without_leakage} if without_leakage else {}),
        "num_parameters": num_parameters,
        "size_mb": round(num_parameters * 4 / 1e6, 1),
        "predict_seconds": round(seconds, 3),
    }


def score_outputs(
    task: Task, outputs: Outputs, rows: Dataset, *, leaked: np.ndarray | None = None
) -> tuple[dict[str, float], dict[str, float]]:
    """Return a task's metrics of a split, and the same without leaked rows.

    Args:
        task: The task.
        outputs: What it has read from the scores of the rows.
        rows: The split, as :func:`tinybert.data.load` has it.
        leaked: True at rows that are also in the train split.

    Returns:
        Both; the second is empty where no row leaked, or every one. The ends of a metric's 95 % interval,
        where the task has one, are under its name with ``_low`` and ``_high``.
    """
    gold = task.format.gold(rows)
    scores = task.metrics(outputs, gold)
    for name, (low, high) in task.intervals(outputs, gold).items():
        scores |= {f"{name}_low": low, f"{name}_high": high}
    if leaked is None or leaked.all() or not leaked.any():
        return scores, {}
    kept = np.flatnonzero(~leaked)
    return scores, task.metrics(_at(outputs, kept), _at(gold, kept))


def _at(values: np.ndarray | Sequence[object], indices: np.ndarray) -> np.ndarray | list[object]:
    return values[indices] if isinstance(values, np.ndarray) else [values[index] for index in indices]


def latencies_ms(
    paths: Mapping[str, str | Path], rows: Dataset, *, task: Task, max_length: int
) -> dict[str, float]:
    """Return each model's median milliseconds for one row a call.

    The same rows come in several rounds, and each counts with the median of its rounds. The models take turns
    row by row, so that a busy moment of the machine falls on all of them.

    Args:
        paths: Name → run or checkpoint.
        rows: A split; some 40 rows spread over it are used.
        task: Of all of them.
        max_length: Longest row in tokens.
    """
    predictors = {
        name: Predictor(path, backend="torch", max_length=max_length, task=task, format=task.format)
        for name, path in paths.items()
    }
    columns = [name for name in rows.column_names if name != "label"]
    predict = {name: predictor.chunk_outputs for name, predictor in predictors.items()}
    return row_latencies_ms(predict, rows.select_columns(columns))


def row_latencies_ms(predict: Mapping[str, Callable[[Any], object]], rows: Rows) -> dict[str, float]:
    """Return each model's median milliseconds for one row a call, see :func:`latencies_ms`.

    Args:
        predict: Name → what predicts some rows.
        rows: What is sliced: some 40 rows spread over it are used.
    """
    chosen = range(0, len(rows), max(1, len(rows) // LATENCY_ROWS))
    calls = {
        (name, index): partial(call, rows[index : index + 1])
        for index in chosen
        for name, call in predict.items()
    }
    taken = take_turns(calls, rounds=LATENCY_ROUNDS)
    medians = {key: statistics.median(seconds) for key, seconds in taken.items()}
    return {
        name: round(1000 * statistics.median(medians[name, index] for index in chosen), 2) for name in predict
    }


def retention(student: Mapping[str, float], teacher: Mapping[str, float], main_metric: str) -> float | None:
    """Return the student's score over the teacher's on the main metric; None where that has no meaning.

    Example:
        >>> retention({"accuracy": 0.88}, {"accuracy": 0.8}, "accuracy")
        1.1
    """
    reference = teacher[main_metric]
    return round(student[main_metric] / reference, 6) if reference > 0 else None


def is_above_constant(score: float, constant: float, *, num_rows: int, best_score: float = 1.0) -> bool:
    """Return whether a score is above that of always predicting the same, by more than chance.

    Args:
        score: Of a model.
        constant: Of always predicting the same.
        num_rows: Both are taken on so many.
        best_score: Of a perfect model.

    Example:
        >>> is_above_constant(0.99, 0.99, num_rows=1000), is_above_constant(1.0, 0.99, num_rows=1000)
        (False, True)
    """
    score, constant = score / best_score, constant / best_score
    chance = 2 * (constant * (1 - constant) / max(1, num_rows)) ** 0.5
    return score - constant > chance and score - constant >= MIN_GAIN * (1 - constant)


def is_above_chance(correlation: float, *, num_rows: int) -> bool:
    """Return whether a correlation such as MCC is above 0 by more than two standard errors.

    Args:
        correlation: Of predictions with gold labels; without any relation its standard error is 1/√(N − 1).
        num_rows: It is taken on so many.

    Example:
        >>> is_above_chance(0.15, num_rows=100), is_above_chance(0.15, num_rows=1000)
        (False, True)
    """
    return correlation > max(MIN_GAIN, 2 / max(1, num_rows - 1) ** 0.5)


def gain_kept(
    score: float, teacher: float, constant: float, *, num_rows: int, best_score: float = 1.0
) -> float | None:
    """Return the share of the teacher's gain over a constant prediction that a model has.

    Args:
        score: Of the model.
        teacher: Of the teacher.
        constant: Of always predicting the same.
        num_rows: All are taken on so many.
        best_score: Of a perfect model.

    Returns:
        The share; below 0 for a model below the constant; None where the teacher is not above it.

    Example:
        >>> gain_kept(0.88, 0.9, 0.5, num_rows=1000)
        0.95
    """
    if not is_above_constant(teacher, constant, num_rows=num_rows, best_score=best_score):
        return None
    return round((score - constant) / (teacher - constant), 6)
