"""What a student, or a model that is fine-tuned, must be better than, and is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from tinybert.evaluation.report.cautions import best_score
from tinybert.evaluation.report.run import TITLES, Metrics, Row, rows_per_s

ADVICE = {
    "tfidf": "that is the better choice here, unless a better teacher, more labelled rows or unlabelled text "
    "for the teacher to label takes the student above it",
    "lead": "the first sentences cost nothing, so use these here, or give it more rows or longer training",
    "fine_tune_only": "the teacher did not help; a better one, or unlabelled text for it to label, may",
}
"""Baseline → what follows where the model is not above it."""


def verdicts(metrics: Metrics) -> list[str]:
    """Return a sentence for each baseline that the student, or the only model, is not above.

    What counts is the main metric.

    Args:
        metrics: Of a run: its split, main metric and models.
    """
    split, main = str(metrics["split"]), str(metrics["main_metric"])

    def score(name: str) -> float:
        row = metrics.get(name)
        return cast(Mapping[str, float], row[split])[main] if isinstance(row, Mapping) else float("nan")

    kind = "student" if metrics.get("student") else "model"
    own, points = score(kind), 100 / best_score(metrics)
    return [
        f"The {kind} is not above {_title(name, metrics)} ({split} {main} {points * own:.1f} against "
        f"{points * score(name):.1f}){_cost(name, metrics)}: {advice}."
        for name, advice in ADVICE.items()
        if own <= score(name)
    ]


def _title(name: str, metrics: Metrics) -> str:
    title = str(cast(Row, metrics[name]).get("title", TITLES[name]))
    return title.partition(" (")[0]


def _cost(name: str, metrics: Metrics) -> str:
    """Return what a model costs that is no network."""
    row = cast(Row, metrics[name])
    speed = rows_per_s(row, metrics)
    if name != "tfidf" or speed is None:
        return ""
    return f", which trains in {cast(float, row['train_seconds']):.0f} s and predicts {speed:,.0f} rows/s"
