"""What shapes cost before any is trained: each is made with random weights, exported and measured."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from tinybert.console import say
from tinybert.data import TextData
from tinybert.inference.backends import BUILTIN, missing_packages, parse_backend
from tinybert.inference.bench import latencies_s, model_bytes
from tinybert.inference.choice import num_threads, processor_name
from tinybert.inference.export import write_unproved
from tinybert.inference.predictor import Predictor
from tinybert.models import load_config, load_tokenizer, random_start
from tinybert.models.load import count_parameters
from tinybert.search.budget import Candidate
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.steps.distillation import untrained_student
from tinybert.stages.steps.finish import evaluation_split, scored_rows

ENGINES = ("onnx-int8", "openvino-int8", "torch")
"""What may predict for a student, where it is installed."""

LATENCY_ROWS = 60


def installed_engines() -> list[str]:
    """Return the engines that are installed here."""
    return [name for name in ENGINES if not missing_packages(BUILTIN[parse_backend(name)[0]], to_write=True)]


def machine() -> str:
    """Return what a latency belongs to: the processor, its threads and the engines."""
    return f"{processor_name()}, {num_threads()} threads, {', '.join(installed_engines())}"


def measure_shapes(plans: Mapping[str, DistillPlan], data: TextData, folder: Path) -> list[Candidate]:
    """Return every shape on every engine, by size, with its latency on this machine.

    Args:
        plans: Shape → its distillation.
        data: The rows.
        folder: For what is made on the way.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        found = [
            candidate
            for number, (shape, plan) in enumerate(plans.items())
            for candidate in _measured(shape, plan, data, Path(scratch) / str(number))
        ]
    return sorted(found, key=lambda each: (each.size_mb, each.latency_ms))


def _measured(shape: str, plan: DistillPlan, data: TextData, checkpoint: Path) -> Iterator[Candidate]:
    """Yield a shape with random weights on every engine, each measured alone."""
    say(f"{shape}: latency with random weights, before any training")
    save_random(plan, data, checkpoint)
    for engine in installed_engines():
        path = (
            checkpoint
            if engine == "torch"
            else write_unproved(checkpoint, *parse_backend(engine), task=plan.task)
        )
        predictor = Predictor(path, backend=engine, check=False, task=plan.task, format=plan.task.format)
        yield Candidate(
            shape,
            engine,
            count_parameters(predictor.config),
            size_mb(predictor),
            latency_ms(predictor, data),
        )


def save_random(plan: DistillPlan, data: TextData, folder: Path) -> None:
    """Save a plan's student with random weights and its tokenizer."""
    if plan.start == "checkpoint":
        model = random_start(load_config(plan.source), seed=0)
    else:
        model = untrained_student(plan, data.labels)
    model.save_pretrained(folder)
    tokenizer = load_tokenizer(plan.source)
    tokenizer.model_max_length = plan.training.max_length
    tokenizer.save_pretrained(folder)


def latency_ms(predictor: Predictor, data: TextData) -> float:
    """Return the median milliseconds of one row a call."""
    rows, _ = scored_rows(data, evaluation_split(data))
    chosen = rows.select(np.linspace(0, len(rows) - 1, min(len(rows), LATENCY_ROWS)).astype(int))
    (seconds,) = latencies_s([predictor], predictor.task.format.rows_of(chosen))
    return round(1000 * statistics.median(seconds), 3)


def size_mb(predictor: Predictor) -> float:
    """Return the size of a model's file."""
    return round(model_bytes(predictor) / 1e6, 2)
