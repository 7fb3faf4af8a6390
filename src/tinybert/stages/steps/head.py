"""How a new head begins: drawn at random, or fitted on vectors of the frozen encoder."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import cast

import numpy as np
import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from tinybert.checksums import is_kept, record_file
from tinybert.config import Recipe
from tinybert.console import Advance, progress, say, warn
from tinybert.data import Collator, sorted_by_length
from tinybert.models.head import logits_layer, pooler_layer
from tinybert.models.pooling import POOLINGS, read_sentence_encoder
from tinybert.models.start.head_fit import can_fit_head, fit_head
from tinybert.runs import CHECKPOINTS
from tinybert.stages.steps.prepare import Encoded, labelled_only
from tinybert.storage import Json, read_json, write_json
from tinybert.tasks import Task

MAX_ROWS = 20_000
MIN_VECTORS = 2_400
"""Fewest vectors that the dense layer of a head is fitted to: few rows are run with several dropout masks."""
FEW_LABELS = 1_000
"""Up to so many labelled rows, texts of one class are pulled together by default (adr/0009)."""
CONTRASTIVE_WEIGHT = "contrastive_weight"
BATCH_SIZE = 64
WEIGHTS, SUMMARY = "head.safetensors", "head.json"


def head_method(recipe: Recipe, task: Task, model: PreTrainedModel) -> str:
    """Return how a new head of this model begins: random, or what the task calls its fit."""
    if recipe.head_start != "auto":
        return recipe.head_start
    return task.head_start if task.head_start and can_fit_head(model.config) else "random"


def begin_head(
    folder: Path,
    model: PreTrainedModel,
    rows: Encoded,
    recipe: Recipe,
    *,
    is_new: bool,
    name: str,
    source: str,
    bf16: bool,
) -> Json:
    """Fit a model's new head, once; a training that resumes finds the same head again.

    Args:
        folder: Of the training's step.
        model: Its head is set.
        rows: What it will be trained on and validated by.
        recipe: The resolved recipe.
        is_new: Its head was drawn at random, above an encoder that has learnt something.
        name: Of the model, as it is shown.
        source: The checkpoint that its encoder is from, which may say how it pools.
        bf16: Run the encoder in bf16.

    Returns:
        What the summary of the training holds besides the training's own: ``head_start``, or nothing.
    """
    if not is_new:
        if recipe.head_start != "auto":
            warn(f"{name}: head_start={recipe.head_start} is not used: it keeps its head, or is all random")
        return {}
    method = head_method(recipe, rows.task, model)
    train = labelled_only(rows.train, rows.task)
    if method == "random" or len(train) == 0:
        return {}
    files = [folder / SUMMARY, folder / WEIGHTS]
    is_begun = any(file.exists() for file in files)
    if all(is_kept(file) for file in files):
        _load_head(model, folder / WEIGHTS)
        return {"head_start": read_json(folder / SUMMARY)}
    if not is_begun and any((folder / CHECKPOINTS).glob("*")):
        # begun by an earlier version, with a random head
        return {}
    summary = _fit(model, train, rows, recipe, method=method, pooling=choose_pooling(source), bf16=bf16)
    summary[CONTRASTIVE_WEIGHT] = _contrastive_weight(recipe, rows, len(train))
    say(head_line(name, summary))
    _save_head(model, folder / WEIGHTS)
    write_json(folder / SUMMARY, summary)
    record_file(folder / WEIGHTS)
    record_file(folder / SUMMARY)
    return {"head_start": summary}


def _fit(
    model: PreTrainedModel,
    train: Dataset,
    rows: Encoded,
    recipe: Recipe,
    *,
    method: str,
    pooling: str,
    bf16: bool,
) -> Json:
    began = time.perf_counter()
    if torch.cuda.is_available():
        torch.nn.Module.to(model, "cuda")
    num_passes = math.ceil(MIN_VECTORS / min(len(train), MIN_VECTORS))
    with progress("fitting the head", num_passes * min(len(train), MAX_ROWS), unit="rows") as advance:
        batches = spread_batches(train, rows.collator)
        if num_passes > 1:  # few rows: collated once
            batches = iter([*batches] * num_passes)
        fitted = fit_head(
            model,
            _counted(batches, advance),
            loss=lambda logits, labels: rows.hard_loss(logits, {"labels": labels}),
            pooling=pooling,
            num_passes=num_passes,
            bf16=bf16,
            seed=recipe.train.seed,
        )
    seconds = round(time.perf_counter() - began, 1)
    evaluator = rows.evaluator()
    with torch.inference_mode():
        score = evaluator(model)[evaluator.main_metric]
    found: Json = {"method": method, "pooling": pooling, "seconds": seconds, **asdict(fitted)}
    return found | {"metric": evaluator.main_metric, "validation": score}


def _contrastive_weight(recipe: Recipe, rows: Encoded, num_rows: int) -> float:
    """Return what ``train.contrastive_weight`` is; kept with the head, so a resumed training has the same."""
    if recipe.train.contrastive_weight != "auto":
        return recipe.train.contrastive_weight
    is_single = not rows.origin["text_pair"] and rows.task.format.pooling is None
    return float(rows.task.is_contrastive and is_single and num_rows <= FEW_LABELS)


def _counted(batches: Iterator[Mapping[str, Tensor]], advance: Advance) -> Iterator[Mapping[str, Tensor]]:
    for batch in batches:
        yield batch
        advance(len(batch["input_ids"]))


def with_head(begun: Json, summary: Json) -> Json:
    """Add how a head began to the summary of the training that followed, and its time to the training's."""
    head = cast(Json, begun.get("head_start", {}))
    seconds = cast(float, summary["train_seconds"]) + cast(float, head.get("seconds", 0.0))
    return {**begun, **summary, "train_seconds": round(seconds, 1)}


def spread_batches(rows: Dataset, collator: Collator) -> Iterator[Mapping[str, Tensor]]:
    """Yield batches of at most 20,000 rows spread over a split, grouped by length."""
    count = min(len(rows), MAX_ROWS)
    chosen = sorted_by_length(rows.select(np.arange(count) * len(rows) // count))
    for start in range(0, count, BATCH_SIZE):
        yield collator([chosen[i] for i in range(start, min(start + BATCH_SIZE, count))])


def choose_pooling(source: str) -> str:
    """Return the pooling that a checkpoint was trained with, or mean; report what of it is not used.

    Raises:
        ModelError: A file that says so is damaged.
    """
    found = read_sentence_encoder(source)
    if found is None:
        return "mean"
    if found.unused:
        warn(f"{source}: a classification head has no place for {', '.join(found.unused)}: not used")
    if found.pooling not in POOLINGS:
        known = ", ".join(POOLINGS)
        warn(f"{source}: pooling {found.pooling} is not known here ({known}): the head is fitted to the mean")
        return "mean"
    return found.pooling


def head_line(name: str, summary: Json) -> str:
    """Return the line on a fitted head, for the terminal and the report."""
    metric, score = str(summary["metric"]).replace("_", " "), cast(float, summary["validation"])
    line = (
        f"{name}: head fitted on frozen vectors of {summary['num_rows']:,} rows ({summary['method']}): "
        f"validation {metric} {score:.4f} before fine-tuning"
    )
    weight = cast(float, summary.get(CONTRASTIVE_WEIGHT, 0.0))
    return line + (f"; contrastive loss beside the hard loss: weight {weight:g}" if weight else "")


def _layers(model: PreTrainedModel) -> dict[str, torch.nn.Linear]:
    return {
        "dense": cast(torch.nn.Linear, pooler_layer(model)),
        "logits": cast(torch.nn.Linear, logits_layer(model)),
    }


def _save_head(model: PreTrainedModel, file: Path) -> None:
    parts = {
        f"{name}.{part}": tensor.contiguous()
        for name, layer in _layers(model).items()
        for part, tensor in layer.state_dict().items()
    }
    save_file(parts, file)


def _load_head(model: PreTrainedModel, file: Path) -> None:
    parts = load_file(file)
    for name, layer in _layers(model).items():
        layer.load_state_dict({part: parts[f"{name}.{part}"] for part in ("weight", "bias")})
