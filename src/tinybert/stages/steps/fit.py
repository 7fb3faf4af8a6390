"""Train one model as one step of a run and leave an ordinary checkpoint."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from datasets import Dataset
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.trainer_utils import set_seed

from tinybert.config import Recipe
from tinybert.data import Collator, TokenBatches, WholeRows, tokens_with_targets
from tinybert.models.seq2seq import whole_state
from tinybert.objectives import remove_projections
from tinybert.runs import CHECKPOINTS, RunInProgress
from tinybert.stages.plan.training import Training, rows_a_step
from tinybert.storage import Json, write_json
from tinybert.training import Evaluator, Objective, Settings, choose_precision, tracked, train

MODEL = "model"


@dataclass(frozen=True)
class TrainingRows:
    """What a model is trained on: labelled rows, or blocks of raw text.

    Attributes:
        train: The encoded rows.
        collator: Rows to a padded batch.
        tokenizer: What they were encoded with.
    """

    train: Dataset
    collator: Collator
    tokenizer: PreTrainedTokenizerBase

    def batched(self) -> Dataset | WholeRows:
        """Return what batches are drawn from: the encoded rows."""
        return self.train

    def config(self, checkpoint: Path) -> Json:
        """Return what the config of a checkpoint that was trained on them holds besides the model's own."""
        return {}


def settings_of(
    recipe: Recipe,
    training: Training,
    *,
    rows: TrainingRows,
    name: str,
    bf16: bool,
    **changes: object,
) -> Settings:
    """Return the trainer's settings for one training of a run.

    Args:
        recipe: The resolved recipe.
        training: Epochs, learning rate, and what differs by layer.
        rows: What is trained on; the number of steps may depend on theirs.
        name: Shown on the progress bar and in trackers.
        bf16: What ``precision`` came out as.
        changes: Settings of this training that differ from the recipe's.
    """
    section = recipe.train
    values: dict[str, object] = {
        "num_epochs": training.num_epochs,
        "learning_rate": training.learning_rate,
        "batch_size": section.batch_size,
        "gradient_accumulation_steps": section.gradient_accumulation_steps,
        "weight_decay": section.weight_decay,
        "warmup_ratio": section.warmup_ratio,
        "schedule": section.schedule,
        "max_grad_norm": section.max_grad_norm,
        "early_stopping_patience": section.early_stopping_patience,
        "bf16": bf16,
        "seed": section.seed,
        "trackers": tuple(section.trackers),
        "name": name,
        **training.layers,
    }
    a_step = rows_a_step(recipe)
    if section.batch_tokens is not None:
        lengths = tokens_with_targets(rows.batched())
        num_batches = len(TokenBatches(lengths, max_tokens=section.batch_tokens, seed=section.seed))
        a_batch = len(lengths) / num_batches
        values |= {"batch_tokens": section.batch_tokens, "batch_size": max(1, round(a_batch))}
        a_step = a_batch * section.gradient_accumulation_steps
    if training.is_auto:
        num_steps, eval_steps = training.steps(len(rows.batched()), a_step)
        values |= {"max_steps": num_steps, "eval_steps": eval_steps, "extends": True}
    return Settings(**(values | changes))  # pyright: ignore[reportArgumentType]


def precision_of(run: RunInProgress) -> str:
    """Decide the precision once a run, so that a resumed run continues in the same."""
    _, kept = run.step("precision", lambda _: {"precision": choose_precision(run.recipe.train.precision)})
    return str(kept["precision"])


def in_steps(num_steps: int, num_scores: int) -> dict[str, object]:
    """Return the settings of a training of so many steps that is scored so often."""
    eval_steps = math.ceil(num_steps / max(1, num_scores))
    return {"max_steps": num_steps, "eval_steps": eval_steps, "extends": False}


def fit(
    folder: Path,
    model: PreTrainedModel,
    objective: Objective,
    *,
    rows: TrainingRows,
    evaluator: Evaluator,
    settings: Settings,
    work_dir: Path | None = None,
) -> Json:
    """Train, save the checkpoint under ``folder/model``, and return the training's summary.

    Run again after a kill it resumes from the last checkpoint.

    Args:
        folder: The step's folder in the run.
        model: Trained in place.
        objective: What is minimised.
        rows: What it is trained on.
        evaluator: What it is validated by.
        settings: Of the trainer.
        work_dir: Where checkpoints go; by default into the step's folder.
    """
    set_seed(settings.seed)
    with tracked(settings.trackers, folder.parent.parent, settings.name):
        trained = train(
            model,
            objective,
            train_rows=rows.batched(),
            collator=rows.collator,
            evaluator=evaluator,
            settings=settings,
            work_dir=work_dir or folder / CHECKPOINTS,
        )
    remove_projections(model)
    save_checkpoint(model, rows.tokenizer, folder / MODEL)
    add_to_config(folder / MODEL, rows.config(folder / MODEL))
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    return {
        "history": trained.history,
        "num_steps": trained.num_steps,
        "train_seconds": round(trained.seconds, 1),
        "best": trained.best,
        "is_rising": trained.is_rising,
        "num_parameters": num_parameters,
        "size_mb": round(num_parameters * 4 / 1e6, 1),
    }


def history_of(summary: Json) -> list[dict[str, float]]:
    """Return a training's history: one row an epoch or evaluation."""
    return cast(list[dict[str, float]], summary["history"])


def save_checkpoint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write an ordinary Hugging Face checkpoint in fp32, tokenizer included."""
    nn.Module.to(model, torch.float32)
    model.save_pretrained(folder, state_dict=whole_state(model))
    tokenizer.save_pretrained(folder)


def add_to_config(checkpoint: Path, entries: Mapping[str, object]) -> None:
    """Write entries into a checkpoint's ``config.json``; one that is None is removed from it."""
    file = checkpoint / "config.json"
    config = {**json.loads(file.read_text(encoding="utf-8")), **entries}
    write_json(file, {name: value for name, value in config.items() if entries.get(name, "") is not None})
