"""The end of every stage: the model in its place, metrics, log, picture and report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Literal, cast

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from tinybert.config import dump_recipe
from tinybert.data import TextData, row_hashes
from tinybert.evaluation import gain_kept, latencies_ms, score_checkpoint
from tinybert.evaluation.report import cautions, draw_learning_curve, run_report, verdicts
from tinybert.runs import Run, RunInProgress
from tinybert.runs.directory import REPORT
from tinybert.stages.steps.fit import history_of, precision_of
from tinybert.stages.steps.free import free_scores
from tinybert.stages.steps.head import head_line
from tinybert.storage import Json, write_text
from tinybert.tasks import Task

BAD_ROWS = "bad_rows.jsonl"
LEARNING_CURVE = "learning_curve.png"


def score_models(
    run: RunInProgress,
    data: TextData,
    task: Task,
    models: Mapping[str, tuple[str, Json | None]],
    *,
    max_length: int,
) -> Json:
    """Score models on the same rows, with and without leaked ones, and measure their latency in turns.

    What the task predicts without a model is scored beside them.

    Args:
        run: The run being made; each model's scores are a step of it.
        data: The rows.
        task: The task.
        models: Name → (checkpoint, the summary of its training, if it was trained here).
        max_length: Longest row in tokens.
    """
    split = evaluation_split(data)
    rows, leaked = scored_rows(data, split)
    score = partial(score_checkpoint, task=task, labels=data.labels, max_length=max_length)
    scored: dict[str, Json] = {}
    for name, (path, summary) in models.items():
        _, scores = run.step(
            f"scores-{name}", lambda _, path=path: score(path, rows, split=split, leaked=leaked)
        )
        scored[name] = scores | {"train_seconds": summary["train_seconds"] if summary else None}
    paths = {name: path for name, (path, _) in models.items()}
    _, latencies = run.step(
        "latency", lambda _: dict(latencies_ms(paths, rows, task=task, max_length=max_length))
    )
    found: Json = {name: scores | {"latency_ms": latencies[name]} for name, scores in scored.items()}
    validation_rows, _ = scored_rows(data, "validation")
    found |= free_scores(task, rows, validation_rows=validation_rows, split=split, leaked=leaked)
    return found if leaked is None else {"num_rows_leaked": int(leaked.sum()), **found}


def evaluation_split(data: TextData) -> str:
    """Return the name of the split that scores are taken on: test, or validation where there is no test."""
    return "test" if "test" in data.splits else "validation"


def scored_rows(data: TextData, split: str) -> tuple[Dataset, NDArray[np.bool_] | None]:
    """Return the rows of a split that have a label, and which of these are also in train; None if none is."""
    rows = data.splits[split]
    labelled = [label is not None for label in rows["label"]]
    leaked = data.leaked.get(split)
    if leaked is not None:
        leaked = leaked[labelled]
    return rows.select(np.flatnonzero(labelled)), leaked if leaked is not None and leaked.any() else None


def finish_rows(
    run: RunInProgress,
    data: TextData,
    task: Task,
    metrics: Json,
    *,
    model: Path,
    trainings: Mapping[str, Json],
    notes: Sequence[str] = (),
) -> Run:
    """Finish a run on labelled rows; see :func:`finish`.

    Args:
        run: The run being made.
        data: The rows.
        task: The task.
        metrics: Each model's scores, and what else this stage has found.
        model: The checkpoint that becomes the run's own.
        trainings: Name → summary of each training.
        notes: What a reader should know.
    """
    split = evaluation_split(data)
    rows, _ = scored_rows(data, split)
    heads = {name: cast(Json, said["head_start"]) for name, said in trainings.items() if "head_start" in said}
    metrics = {
        "task": task.name,
        "main_metric": task.main_metric,
        "best_score": task.best_score,
        "source": data.source,
        "split": split,
        "num_rows_scored": len(rows),
        "num_train_rows": len(data.splits["train"]),
        **({} if data.group is None else {"group": data.group}),
        "labels": list(data.labels.names),
        "chance_corrected": task.chance_corrected,
        "constant_score": round(float(task.constant_score(data.format.gold(rows))), 6),
        **metrics,
    }
    if metrics.get("teacher") is not None:
        metrics["gain_kept"] = _gain_kept(metrics)
    found = [*verdicts(metrics), *cautions(metrics, trainings)]
    metrics |= {
        "cautions": found,
        **({"head_start": heads} if heads else {}),
        "notes": [
            *found,
            *notes,
            *task.signatures(task.format.gold(rows)),
            *(head_line(name, said) for name, said in heads.items()),
            *data.warnings,
            *_bad_row_notes(data),
        ],
    }
    if data.bad_rows:
        write_bad_rows(data, run.path / BAD_ROWS)
    run.keep_train_rows(row_hashes(data.splits["train"]))
    report = run_report(metrics, recipe_text=dump_recipe(run.recipe))
    return finish(run, metrics, model=model, trainings=trainings, report=report)


def _gain_kept(metrics: Json) -> float | None:
    """Return the share of the teacher's gain over a constant prediction that the student has."""
    split, main = str(metrics["split"]), str(metrics["main_metric"])
    student, teacher = (
        cast("dict[str, dict[str, float]]", metrics[name])[split][main] for name in ("student", "teacher")
    )
    constant, num_rows = cast(float, metrics["constant_score"]), cast(int, metrics["num_rows_scored"])
    best_score = cast(float, metrics["best_score"])
    return gain_kept(student, teacher, constant, num_rows=num_rows, best_score=best_score)


def finish(
    run: RunInProgress,
    metrics: Json,
    *,
    model: Path,
    trainings: Mapping[str, Json],
    report: str,
    by: Literal["epoch", "step"] = "epoch",
) -> Run:
    """Put everything in its place and give the run its name.

    Args:
        run: The run being made.
        metrics: What ``metrics.json`` shall hold besides stage, seed and precision.
        model: The checkpoint that becomes the run's own.
        trainings: Name → summary of each training; the histories go into the log and the picture.
        report: The text of ``report.md``.
        by: What the picture counts.
    """
    histories = {name: history_of(summary) for name, summary in trainings.items()}
    for file in model.iterdir():  # copyfile, not copy2: safetensors writes for its owner only
        shutil.copyfile(file, run.path / file.name)
    run.log([{"training": name, **row} for name, history in histories.items() for row in history])
    draw_learning_curve(histories, str(metrics["main_metric"]), run.path / LEARNING_CURVE, by=by)
    write_text(run.path / REPORT, report)
    origin = {"stage": run.recipe.stage, "seed": run.recipe.train.seed, "precision": precision_of(run)}
    return run.finish({**origin, **metrics})


def write_bad_rows(data: TextData, path: Path) -> None:
    """Write the refused rows, one JSON object a line."""
    with path.open("w", encoding="utf-8") as file:
        for row in data.bad_rows:
            file.write(json.dumps(asdict(row), ensure_ascii=False, default=str) + "\n")


def _bad_row_notes(data: TextData) -> list[str]:
    count = len(data.bad_rows)
    return [f"{count:,} rows were refused and set aside in {BAD_ROWS}"] if count else []
