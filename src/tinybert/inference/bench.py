"""How fast checkpoints and their exports predict on this machine, side by side in one run.

All subjects take turns, block by block and repeat by repeat, so that a busy moment of the machine falls on
all of them; figures are medians. Memory and start-up are measured in a process of its own each.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from datasets import Dataset

from tinybert.console import say
from tinybert.data import TextRow
from tinybert.errors import ModelError
from tinybert.inference.choice import installed, num_threads
from tinybert.inference.exports import CONFIG, METADATA, SETTINGS, exports_of
from tinybert.inference.predictor import Predictor
from tinybert.metrics.timing import seconds_of, take_turns

LATENCY_ROWS, BLOCK_ROWS, WARM_ROWS = 200, 20, 4
THROUGHPUT_ROWS = 512
FOOTPRINT_ROWS = 64
REPEATS = 3
SLOW_S = 5.0
"""A subject that has taken so long for one figure is not repeated for it."""
LENGTHS = (16, 64, 128)
CHILD_TIMEOUT_S = 600


@dataclass(frozen=True)
class Subject:
    """One point of a comparison.

    Attributes:
        name: Of the checkpoint, as people know it.
        path: Of the checkpoint.
        backend: What predicts.
        task: Name of the task, where it is one of the user's own.
    """

    name: str
    path: str
    backend: str
    task: str | None = None


@dataclass
class Measured:
    """What was measured of a subject.

    Attributes:
        name: Of the checkpoint.
        backend: What predicted.
        score: On the task's main metric; None without labelled rows.
        p50_ms: Median milliseconds of one row a call, tokenised and decoded; p95 and p99 likewise.
        rows_per_s: Batch size → rows a second, lengths as they come.
        tokens_per_s: Batch size → tokens written a second; nothing where no texts are written.
        rows_per_s_by_length: ``BATCHxTOKENS`` → rows a second, tokenised already, all equally long; nothing
            where texts are written.
        memory_mb: Most memory of a process that predicts 64 rows; libraries included.
        memory_of_libraries_mb: Of that process before it loads the model and its runtime.
        disk_mb: Of the files it needs.
        start_up_s: From the start of a process to its first prediction.
    """

    name: str
    backend: str
    score: float | None = None
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    rows_per_s: dict[str, float] = field(default_factory=dict[str, float])
    rows_per_s_by_length: dict[str, float] = field(default_factory=dict[str, float])
    memory_mb: float = 0.0
    memory_of_libraries_mb: float = 0.0
    disk_mb: float = 0.0
    start_up_s: float = 0.0
    tokens_per_s: dict[str, float] = field(default_factory=dict[str, float])


def subjects_of(path: str, *, name: str | None = None, task: str | None = None) -> list[Subject]:
    """Return a checkpoint in torch, fp32 and bf16, and all its exports whose runtime is here."""
    exports = [export.name for export in installed(exports_of(path))]
    shown = name or Path(path).name
    return [Subject(shown, path, backend, task) for backend in ("torch", "torch-bf16", *exports)]


def measure_all(subjects: Sequence[Subject], rows: Dataset, *, batch_sizes: Sequence[int]) -> list[Measured]:
    """Measure subjects side by side.

    Args:
        subjects: What is compared; all are of the same task.
        rows: Of the task; where they have labels the subjects are scored on all of them.
        batch_sizes: Rows a batch.

    Raises:
        ModelError: A subject cannot be used.
        DataError: The rows are pairs and a model was trained on single texts, or the other way round.
    """
    say(f"loading {len(subjects)} models, {num_threads()} threads each")
    first, *others = subjects
    predictors = [Predictor(first.path, backend=first.backend, task=first.task)]
    labels = predictors[0].labels  # the others may have them in another order
    predictors += [
        Predictor(each.path, backend=each.backend, labels=labels, task=each.task) for each in others
    ]
    for each in predictors:
        each.refuse_other_rows(rows)
    found = [Measured(subject.name, subject.backend) for subject in subjects]
    given = predictors[0].task.format.rows_of(rows)
    say(f"latency: {LATENCY_ROWS} rows, one a call")
    for measured, seconds in zip(found, latencies_s(predictors, given), strict=True):
        measured.p50_ms, measured.p95_ms, measured.p99_ms = (
            round(1000 * float(np.percentile(seconds, share)), 3) for share in (50, 95, 99)
        )
    for size in batch_sizes:
        say(f"throughput: batches of {size}")
        _measure_batches(predictors, found, given, batch_size=size)
    scored = _labelled(rows)
    for subject, predictor, measured in zip(subjects, predictors, found, strict=True):
        say(f"{subject.name} · {subject.backend}: score, memory, start-up")
        if scored is not None:
            measured.score = score_of(predictor, scored)
        measured.disk_mb = round(disk_bytes(predictor) / 1e6, 1)
        cost = footprint(subject, given[:FOOTPRINT_ROWS])
        measured.memory_mb = round(cost["memory_mb"], 1)
        measured.memory_of_libraries_mb = round(cost["memory_of_libraries_mb"], 1)
        measured.start_up_s = round(cost["start_up_s"], 2)
    return found


def _measure_batches(
    predictors: Sequence[Predictor], found: Sequence[Measured], rows: Sequence[TextRow], *, batch_size: int
) -> None:
    """Fill in what predictors do in a second: rows of all lengths, tokens, and rows of one length."""
    writes = predictors[0].task.writes
    speeds = throughputs(predictors, rows, batch_size=batch_size)
    for measured, (rows_per_s, tokens_per_s) in zip(found, speeds, strict=True):
        measured.rows_per_s[str(batch_size)] = round(rows_per_s, 1)
        if writes:
            measured.tokens_per_s[str(batch_size)] = round(tokens_per_s, 1)
    longest = 0 if writes else min(each.max_length for each in predictors)
    for length in (each for each in LENGTHS if each <= longest):
        of_length = throughputs_at(predictors, batch_size=batch_size, length=length)
        for measured, speed in zip(found, of_length, strict=True):
            measured.rows_per_s_by_length[f"{batch_size}x{length}"] = round(speed, 1)


def latencies_s(predictors: Sequence[Predictor], rows: Sequence[TextRow]) -> list[list[float]]:
    """Return the seconds of each predictor for one row a call.

    They take turns by blocks of rows. Row by row they would measure each other: whose turn it is would find
    its weights out of the cache, and the threads of the one before still spinning.
    """
    taken: list[list[float]] = [[] for _ in predictors]
    for block in range(LATENCY_ROWS // BLOCK_ROWS):
        chosen = [rows[(block * BLOCK_ROWS + index) % len(rows)] for index in range(BLOCK_ROWS)]
        for predictor, seconds in zip(predictors, taken, strict=True):
            for row in chosen[-WARM_ROWS:]:
                predictor([row])
            seconds += [seconds_of(partial(predictor, [row])) for row in chosen]
    return taken


def throughputs(
    predictors: Sequence[Predictor], rows: Sequence[TextRow], *, batch_size: int
) -> list[tuple[float, float]]:
    """Return the rows, and the tokens written, a second of each predictor, from texts to texts."""
    chosen = [rows[index % len(rows)] for index in range(THROUGHPUT_ROWS)]
    num_written = dict.fromkeys(map(id, predictors), 0)

    def predict(predictor: Predictor) -> None:
        predictor.batch_size = batch_size
        num_written[id(predictor)] = sum(each.tokens_written() for each in predictor(chosen))

    speeds = _speeds(predictors, predict, num_rows=len(chosen))
    return [
        (speed, speed * num_written[id(each)] / len(chosen))
        for each, speed in zip(predictors, speeds, strict=True)
    ]


def throughputs_at(predictors: Sequence[Predictor], *, batch_size: int, length: int) -> list[float]:
    """Return the rows a second of each predictor for tokens of one length."""
    num_rows = batch_size * max(2, num_threads())
    rows = {id(predictor): random_rows(predictor, num_rows, length) for predictor in predictors}

    def predict(predictor: Predictor) -> None:
        predictor.batch_size = batch_size
        predictor.run(rows[id(predictor)])

    return _speeds(predictors, predict, num_rows=num_rows)


def random_rows(predictor: Predictor, num_rows: int, length: int) -> dict[str, list[list[int]]]:
    """Return encoded rows of random tokens, all equally long."""
    ids = np.random.default_rng(0).integers(0, predictor.config.vocab_size, (num_rows, length))
    rows = {"input_ids": ids.tolist()}
    if "token_type_ids" in predictor.tokenizer.model_input_names:
        rows["token_type_ids"] = np.zeros_like(ids).tolist()
    return rows


def _speeds(
    predictors: Sequence[Predictor], predict: Callable[[Predictor], None], *, num_rows: int
) -> list[float]:
    """Return rows a second: the medians of some repeats in turns, the first of which is not counted."""
    calls = {str(index): partial(predict, each) for index, each in enumerate(predictors)}
    taken = take_turns(calls, rounds=REPEATS, enough_s=SLOW_S)
    return [num_rows / statistics.median(seconds) for seconds in taken.values()]


def score_of(predictor: Predictor, rows: Dataset) -> float:
    """Return a predictor's main metric on labelled rows."""
    task = predictor.task
    scores = task.metrics(predictor.outputs(rows), task.format.gold(rows))
    return scores[task.main_metric]


def disk_bytes(predictor: Predictor) -> int:
    """Return the size of the files that a predictor needs."""
    folder = Path(predictor.place)
    if (folder / METADATA).is_file():
        files = [file for file in folder.rglob("*") if file.suffix != ".md"]
    else:
        files = [*(folder / name for name in (CONFIG, *SETTINGS[1:])), *folder.glob("*.safetensors")]
    return sum(file.stat().st_size for file in files if file.is_file())


def model_bytes(predictor: Predictor) -> int:
    """Return the size of a predictor's weights alone."""
    folder = Path(predictor.place)
    files = predictor.runtime.model_files(predictor.precision, writes=predictor.task.writes)
    if not files:
        return sum(each.stat().st_size for each in folder.glob("*.safetensors"))
    models = [folder / file for file in files]
    parts = [
        part
        for model in models
        for part in (model, model.with_suffix(".bin"), model.with_name(f"{model.name}.data"))
    ]
    return sum(each.stat().st_size for each in parts if each.is_file())


def footprint(subject: Subject, rows: Sequence[TextRow]) -> dict[str, float]:
    """Return what a process of its own takes: see :mod:`tinybert.inference.footprint`.

    Raises:
        ModelError: The process failed.
    """
    words = [subject.path, subject.backend, str(time.time()), *filter(None, [subject.task])]
    try:
        done = subprocess.run(  # noqa: S603 (this very program, no shell)
            [sys.executable, "-m", "tinybert.inference.footprint", *words],
            input=json.dumps(rows),
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # of what it complains about, in an encoding of its own
            timeout=CHILD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        slow = f"no prediction within {CHILD_TIMEOUT_S} seconds in a process of its own"
        raise ModelError(f"{subject.path} · {subject.backend}", slow) from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelError(f"{subject.path} · {subject.backend}", f"failed in a process of its own: {last}")
    return cast("dict[str, float]", json.loads(done.stdout.splitlines()[-1]))


def _labelled(rows: Dataset) -> Dataset | None:
    if "label" not in rows.column_names:
        return None
    kept = [index for index, label in enumerate(rows["label"]) if label is not None]
    return rows.select(kept) if kept else None
