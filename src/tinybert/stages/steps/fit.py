"""Train one model as one step of a run and leave an ordinary checkpoint."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from datasets import Dataset
from torch import nn
from transformers import PreTrainedModel
from transformers.trainer_utils import set_seed

from tinybert.config import Recipe
from tinybert.data import LabelScheme
from tinybert.evaluation import RowsEvaluator
from tinybert.inference import Predictor
from tinybert.objectives import remove_projections
from tinybert.runs import CHECKPOINTS, Json
from tinybert.stages.plan.training import Training
from tinybert.stages.steps.prepare import Encoded
from tinybert.tasks import Task
from tinybert.training import Objective, Settings, tracked, train

MODEL = "model"


def settings_of(recipe: Recipe, training: Training, *, name: str, bf16: bool, **changes: object) -> Settings:
    """Return the trainer's settings for one training of a run.

    Args:
        recipe: The resolved recipe.
        training: Epochs and learning rate.
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
    }
    return Settings(**(values | changes))  # pyright: ignore[reportArgumentType]


def in_steps(num_steps: int | None, num_epochs: int) -> dict[str, object]:
    """Return the settings of a training of so many steps that is scored as often as one of so many epochs."""
    if num_steps is None:
        return {}
    return {"max_steps": num_steps, "eval_steps": math.ceil(num_steps / num_epochs)}


def fit(
    folder: Path,
    model: PreTrainedModel,
    objective: Objective,
    *,
    encoded: Encoded,
    train_rows: Dataset,
    task: Task,
    labels: LabelScheme,
    hard_loss: str,
    settings: Settings,
) -> Json:
    """Train, save the checkpoint under ``folder/model``, and return history and seconds.

    Run again after a kill it goes on from the last epoch's checkpoint.
    """
    set_seed(settings.seed)
    with tracked(settings.trackers, folder.parent.parent, settings.name):
        trained = train(
            model,
            objective,
            train_rows=train_rows,
            collator=encoded.collator,
            evaluator=RowsEvaluator(
                task,
                encoded.validation,
                encoded.validation_rows,
                labels=labels,
                collator=encoded.collator,
                hard_loss=hard_loss,
            ),
            settings=settings,
            work_dir=folder / CHECKPOINTS,
        )
    remove_projections(model)
    save_checkpoint(model, encoded, folder / MODEL)
    settle(folder / MODEL, task, encoded.validation_rows, labels)
    return {
        "history": trained.history,
        "num_steps": trained.num_steps,
        "train_seconds": round(trained.seconds, 1),
        "best": trained.best,
    }


def settle(folder: Path, task: Task, rows: Dataset, labels: LabelScheme) -> None:
    """Choose a model's thresholds on the validation rows and write them into its config."""
    if labels.kind != "span" or all(rows["label"]):
        return
    predictor = Predictor(folder, backend="torch", labels=labels)
    _, chosen = task.settle(predictor.outputs(rows), rows["label"])
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**config, **chosen}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def save_checkpoint(model: PreTrainedModel, encoded: Encoded, folder: Path) -> None:
    """Write an ordinary Hugging Face checkpoint in fp32, tokenizer included."""
    nn.Module.to(model, torch.float32)
    model.save_pretrained(folder)
    encoded.tokenizer.save_pretrained(folder)
