"""What the trainer needs to know, and the same as ``transformers`` names it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from transformers import TrainerCallback, TrainingArguments

from tinybert.training.evaluator import Evaluator
from tinybert.training.schedule import cycle_ends


@dataclass(frozen=True)
class Settings:
    """Every number of a training, decided.

    ``max_steps`` > 0 overrides ``num_epochs``. ``eval_steps`` says how often the model is scored and a
    checkpoint written; None: once an epoch. ``extends``: the training continues after ``max_steps`` while its
    validation score rises (:mod:`tinybert.training.schedule`); both must be set then. With ``batch_tokens``
    batches hold so many tokens, and ``batch_size`` is the mean number of their rows. The lowest
    ``frozen_layers`` and the embeddings are not trained; ``layer_decay`` below 1 lowers the rate with the
    depth.
    """

    num_epochs: int
    learning_rate: float
    batch_size: int = 32
    batch_tokens: int | None = None
    gradient_accumulation_steps: int = 1
    weight_decay: float = 0.01
    warmup_ratio: float = 0.1
    schedule: Literal["linear", "cosine"] = "linear"
    max_grad_norm: float = 1.0
    layer_decay: float = 1.0
    frozen_layers: int = 0
    gradient_checkpointing: bool = False
    early_stopping_patience: int | None = None
    bf16: bool = False
    seed: int = 42
    trackers: tuple[str, ...] = ()
    max_steps: int = -1
    eval_steps: int | None = None
    extends: bool = False
    line: Literal["epoch", "step"] = "epoch"
    name: str = "train"
    keep_best: bool = True
    callbacks: tuple[TrainerCallback, ...] = field(default_factory=tuple)

    @property
    def ends(self) -> list[int]:
        """Return the steps at which cycles of the learning rate end; none where epochs are counted."""
        if self.extends and self.eval_steps is not None:
            return cycle_ends(self.max_steps, self.eval_steps)
        return [self.max_steps] if self.max_steps > 0 else []


def training_arguments(
    settings: Settings, evaluator: Evaluator, work_dir: Path, *, num_rows: int
) -> TrainingArguments:
    """Translate our settings into those of ``transformers``."""
    num_batches = math.ceil(num_rows / settings.batch_size / settings.gradient_accumulation_steps)
    num_steps = settings.max_steps if settings.max_steps > 0 else num_batches * settings.num_epochs
    on_cpu = not torch.cuda.is_available()
    rhythm = "epoch" if settings.eval_steps is None else "steps"
    return TrainingArguments(
        output_dir=str(work_dir),
        run_name=settings.name,
        num_train_epochs=settings.num_epochs,
        max_steps=max(settings.ends, default=-1),
        learning_rate=settings.learning_rate,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        weight_decay=settings.weight_decay,
        warmup_steps=round(settings.warmup_ratio * num_steps),
        lr_scheduler_type=settings.schedule,
        max_grad_norm=settings.max_grad_norm,
        bf16=settings.bf16,
        use_cpu=on_cpu,
        seed=settings.seed,
        eval_strategy=rhythm,
        save_strategy=rhythm,
        logging_strategy=rhythm,
        eval_steps=settings.eval_steps,
        save_steps=settings.eval_steps or 500,
        logging_steps=settings.eval_steps or 500,
        save_total_limit=2 if settings.keep_best else 1,  # at 1 the last one goes where it is not the best
        load_best_model_at_end=settings.keep_best,
        metric_for_best_model=f"eval_{evaluator.main_metric}" if settings.keep_best else None,
        greater_is_better=evaluator.greater_is_better if settings.keep_best else None,
        report_to=list(settings.trackers) or "none",
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=not on_cpu,
        disable_tqdm=True,
    )
