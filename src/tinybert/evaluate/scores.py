"""How good and how large a model is: scores on whole splits, parameters, size, seconds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from datasets import Dataset

from tinybert.data import LabelScheme
from tinybert.predict import Predictor, TextRow

Scores = dict[str, object]

LATENCY_ROWS = 40
WARMUP_ROWS = 5


def score_checkpoint(
    path: str | Path, rows: Dataset, *, labels: LabelScheme, max_length: int, split: str = "test"
) -> Scores:
    """Score a checkpoint on a split and measure it.

    Args:
        path: A run or checkpoint.
        rows: ``text``, ``text_pair``?, ``label``.
        labels: The label order of ``rows``.
        max_length: Longest row in tokens.
        split: The key the metrics get: ``test``, or ``validation`` where there is no test split.

    Returns:
        The metrics under ``split``; ``num_parameters``; ``size_mb`` (weights, fp32); ``predict_seconds`` for
        the split; ``latency_ms``, median of single rows as they come.
    """
    predictor = Predictor(path, max_length=max_length, labels=labels)
    texts = text_rows(rows)
    start = time.perf_counter()
    logits = predictor.logits(texts)
    seconds = time.perf_counter() - start
    gold = np.asarray(rows["label"])
    num_parameters = sum(parameter.numel() for parameter in predictor.model.parameters())
    return {
        split: predictor.task.metrics(logits, gold),
        "num_parameters": num_parameters,
        "size_mb": round(num_parameters * 4 / 1e6, 1),
        "predict_seconds": round(seconds, 3),
        "latency_ms": round(latency_ms(predictor, texts), 2),
    }


def text_rows(rows: Dataset) -> list[TextRow]:
    """Return a split's texts, or pairs of texts."""
    if "text_pair" in rows.column_names:
        return list(zip(rows["text"], rows["text_pair"], strict=True))
    return list(rows["text"])


def latency_ms(predictor: Predictor, texts: list[TextRow]) -> float:
    """Return the median milliseconds of one row a call, after a warm-up."""
    seconds: list[float] = []
    for row in [*texts[:WARMUP_ROWS], *texts[:LATENCY_ROWS]]:
        start = time.perf_counter()
        predictor.logits([row])
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[WARMUP_ROWS:] or seconds)


def retention(student: Mapping[str, float], teacher: Mapping[str, float], main_metric: str) -> float | None:
    """Return the student's score over the teacher's on the main metric; None where that has no meaning.

    Example:
        >>> retention({"accuracy": 0.88}, {"accuracy": 0.8}, "accuracy")
        1.1
    """
    reference = teacher[main_metric]
    return round(student[main_metric] / reference, 4) if reference > 0 else None
