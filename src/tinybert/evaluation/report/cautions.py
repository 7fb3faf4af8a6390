"""What the figures of a run do not say: a model that was still learning, a teacher that never learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from tinybert.evaluation.scores import is_above_chance, is_above_constant
from tinybert.training import metric_title

MAX_RETENTION = 1.03
"""A student a little above its teacher may be chance; above this the teacher is at fault."""
SETTINGS = {"teacher": "teacher.num_epochs", "student": "train.num_epochs", "model": "train.num_epochs"}
"""Training → the setting that makes it longer."""
NAMES = {"fine_tune_only": "fine-tuning baseline", "not_augmented": "student without augmentation"}
"""Training → how it is called, where that is not its name."""


def cautions(metrics: Mapping[str, object], trainings: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return what a reader must know before believing the figures.

    Args:
        metrics: Of the run: its main metric, and the retention of a distillation.
        trainings: Name → summary of each training.
    """
    score = f"validation {metric_title(str(metrics['main_metric'])).lower()}"
    lines = [
        _still_rising(name, summary, score) for name, summary in trainings.items() if summary.get("is_rising")
    ]
    names = [name for name in ("teacher", "model") if learned_nothing(name, metrics)]
    lines += [_learned_nothing(name, metrics) for name in names]
    retention = metrics.get("retention")
    if isinstance(retention, float) and retention > MAX_RETENTION:
        lines.append(
            f"A retention of {retention:.1%} says that the teacher has not learnt the task, not that the "
            "student is great: train the teacher for longer or on more rows, or take a better one."
        )
    return lines


def learned_nothing(name: str, metrics: Mapping[str, object]) -> bool:
    """Return whether a model is not above always predicting the same.

    Neither on the main metric nor on the task's chance-corrected one: of unequal classes a model may tell the
    rare ones apart and still have the accuracy of the majority class.

    Args:
        name: Of the model.
        metrics: Of a run; one of an earlier version does not say what a constant prediction scores.
    """
    row, constant = metrics.get(name), metrics.get("constant_score")
    if not isinstance(row, Mapping) or not isinstance(constant, float):
        return False
    num_rows, best = cast(int, metrics["num_rows_scored"]), best_score(metrics)
    if is_above_constant(_score(name, metrics), constant, num_rows=num_rows, best_score=best):
        return False
    scores = cast(Mapping[str, float], row[str(metrics["split"])])
    corrected = scores.get(str(metrics.get("chance_corrected")), 0.0)
    return not is_above_chance(corrected, num_rows=num_rows)


def best_score(metrics: Mapping[str, object]) -> float:
    """Return what a perfect model scores on the main metric; runs of earlier versions do not say it."""
    return cast(float, metrics.get("best_score", 1.0))


def _score(name: str, metrics: Mapping[str, object]) -> float:
    row = cast(Mapping[str, Mapping[str, float]], metrics[name])
    return row[str(metrics["split"])][str(metrics["main_metric"])]


def _learned_nothing(name: str, metrics: Mapping[str, object]) -> str:
    said = f"{metrics['split']} {metrics['main_metric']} {_score(name, metrics):.4f}"
    text = (
        f"The {name} is not above always predicting the same by more than chance ({said} against "
        f"{cast(float, metrics['constant_score']):.4f} on {metrics['num_rows_scored']:,} rows)"
    )
    if name == "teacher":
        text += ", so what the student keeps of it says nothing"
    return f"{text}: more rows, epochs, or another model; of unequal classes, judge by mcc or macro_f1."


def _still_rising(name: str, summary: Mapping[str, object], score: str) -> str:
    text = f"The {NAMES.get(name, name)}'s {score} was still rising at its last epoch"
    if name not in SETTINGS:
        return f"{text}; with more epochs it may come out higher."
    phases = cast(Sequence[Mapping[str, object]], summary.get("phases") or [summary])
    history = cast(Sequence[Mapping[str, float]], phases[-1]["history"])  # the setting is the last phase's
    epochs = max(2, 2 * round(history[-1]["epoch"]))
    return f"{text}; more epochs may help: {SETTINGS[name]}={epochs}"
