"""The end of every stage: the model in its place, metrics, log, picture and report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

from datasets import Dataset

from tinybert.config import dump_recipe
from tinybert.data import TextData
from tinybert.evaluation import draw_learning_curve, latencies_ms, run_report, score_checkpoint
from tinybert.runs import Json, Run, RunInProgress
from tinybert.tasks import Task

BAD_ROWS = "bad_rows.jsonl"


def score_models(
    run: RunInProgress,
    data: TextData,
    models: Mapping[str, tuple[str, Json | None]],
    *,
    max_length: int,
) -> dict[str, Json]:
    """Score models on the same rows and measure their latency in turns.

    Args:
        run: The run being made; each model's scores are a step of it.
        data: The rows.
        models: Name → (checkpoint, what its training said, if it was trained here).
        max_length: Longest row in tokens.
    """
    split, rows = labelled_evaluation_split(data)
    scored: dict[str, Json] = {}
    for name, (path, facts) in models.items():
        _, scores = run.step(
            f"scores-{name}",
            lambda _, path=path: score_checkpoint(
                path, rows, labels=data.labels, max_length=max_length, split=split
            ),
        )
        scored[name] = scores | {"train_seconds": facts["train_seconds"] if facts else None}
    paths = {name: path for name, (path, _) in models.items()}
    _, latencies = run.step("latency", lambda _: dict(latencies_ms(paths, rows, max_length=max_length)))
    return {name: scores | {"latency_ms": latencies[name]} for name, scores in scored.items()}


def labelled_evaluation_split(data: TextData) -> tuple[str, Dataset]:
    """Return the split that scores are taken on, without rows that have no label."""
    name, rows = evaluation_split(data)
    return name, rows.filter(lambda label: label is not None, input_columns="label")


def evaluation_split(data: TextData) -> tuple[str, Dataset]:
    """Return the split that scores are taken on: test, or validation where there is no test."""
    name = "test" if "test" in data.splits else "validation"
    return name, data.splits[name]


def finish_run(
    run: RunInProgress,
    task: Task,
    data: TextData,
    metrics: Json,
    *,
    facts_by_name: Mapping[str, Json],
    model: Path,
    notes: Sequence[str] = (),
) -> Run:
    """Put everything in its place and give the run its name.

    Args:
        run: The run being made.
        task: The task.
        data: The rows it was made from.
        metrics: What ``metrics.json`` shall hold besides what is common to all stages.
        facts_by_name: What each training said: its history goes into the log and the picture.
        model: The checkpoint that becomes the run's own.
        notes: What a reader should know.
    """
    histories = {
        name: cast(list[dict[str, float]], facts["history"]) for name, facts in facts_by_name.items()
    }
    split, rows = evaluation_split(data)
    _, precision = run.step("precision", lambda _: {"precision": run.recipe.train.precision})
    metrics = {
        "stage": run.recipe.stage,
        "task": task.name,
        "main_metric": task.main_metric,
        "source": data.source,
        "split": split,
        "num_rows_scored": len(rows),
        "num_train_rows": len(data.splits["train"]),
        "labels": list(data.labels.names),
        "seed": run.recipe.train.seed,
        "precision": precision["precision"],
        **metrics,
        "notes": [*notes, *data.warnings, *_bad_row_notes(data)],
    }
    for file in model.iterdir():  # copyfile, not copy2: safetensors writes for its owner only
        shutil.copyfile(file, run.path / file.name)
    run.log([{"training": name, **row} for name, history in histories.items() for row in history])
    if data.bad_rows:
        write_bad_rows(data, run.path / BAD_ROWS)
    draw_learning_curve(histories, task.main_metric, run.path / "learning_curve.png")
    report = run_report(metrics, recipe_text=dump_recipe(run.recipe))
    (run.path / "report.md").write_text(report, encoding="utf-8")
    return run.finish(metrics)


def write_bad_rows(data: TextData, path: Path) -> None:
    """Write the refused rows, one JSON object a line."""
    with path.open("w", encoding="utf-8") as file:
        for row in data.bad_rows:
            file.write(json.dumps(asdict(row), ensure_ascii=False, default=str) + "\n")


def _bad_row_notes(data: TextData) -> list[str]:
    count = len(data.bad_rows)
    return [f"{count:,} rows were refused and set aside in {BAD_ROWS}"] if count else []
