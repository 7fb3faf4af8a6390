"""The one trainer: ``transformers.Trainer`` with an objective instead of a loss.

It knows nothing of teachers. It is given an *objective*, ``(model, batch) -> {name: weighted term}``,
adds the terms up, and logs each by its name. Resume, accumulation, clipping, mixed precision and trackers
come from ``transformers``. One process trains on one device.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.utils.data import DataLoader
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)
from transformers.utils import logging as transformers_logging

from tinybert.data import (
    LengthGroupedSampler,
    TokenBatches,
    WholeRows,
    num_tokens_of,
    tokens_with_targets,
)
from tinybert.data.pooling import NUM_WINDOWS
from tinybert.errors import RunError
from tinybert.models.depth import freeze_layers, gradient_checkpointing
from tinybert.models.kernel import training_attention
from tinybert.models.memory import keep_freed_memory
from tinybert.training.checkpoints import (
    STATE,
    best_checkpoint,
    checkpoint_of,
    epoch_rows,
    last_whole_checkpoint,
    num_log_entries,
    scores_of,
    write_checkpoint_checksums,
)
from tinybert.training.evaluator import Evaluator
from tinybert.training.layer_decay import decay_by_depth
from tinybert.training.progress import Cycles, EpochLines, GiveBack, Progress
from tinybert.training.schedule import best_step, is_patience_over, is_rising, rate_at
from tinybert.training.settings import Settings, training_arguments

Batch = dict[str, Tensor]


class Objective(Protocol):
    """What is minimised: named, already weighted terms of shape ()."""

    def __call__(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Run the model on the batch and return its terms."""
        ...


class ObjectiveTrainer(Trainer):
    """``Trainer`` whose loss is an objective's, with batches grouped by length.

    Args:
        objective: Named weighted terms of one batch.
        evaluator: Validates the model.
        settings: Every number decided.
        args: The same as the usual training arguments.
    """

    def __init__(
        self,
        objective: Objective,
        *,
        evaluator: Evaluator,
        settings: Settings,
        model: PreTrainedModel,
        args: TrainingArguments,
        **kwargs: object,
    ) -> None:
        super().__init__(model=model, args=args, **kwargs)  # pyright: ignore[reportArgumentType]
        self.objective = objective
        self.evaluator = evaluator
        self.settings = settings
        self.loss_is_scaled_for_ga = False
        self.term_sums: dict[str, Tensor] = {}
        self.num_rows_seen = 0
        self.num_tokens_seen = torch.zeros((), dtype=torch.int64)
        self.began = self.counted_from = time.perf_counter()
        self.num_entries_before = 0

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Make the usual optimiser, with a rate for each depth where these differ."""
        is_new = self.optimizer is None
        optimizer = super().create_optimizer(model)
        if is_new and self.settings.layer_decay != 1:
            decay_by_depth(optimizer, cast(nn.Module, self.model), self.settings.layer_decay)
        return optimizer

    def seconds_before(self) -> float:
        """Return what earlier processes took to come to the checkpoint this one began from."""
        entries = self.state.log_history[: self.num_entries_before]
        return max((entry.get("seconds", 0.0) for entry in entries), default=0.0)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Add the objective's terms up and remember each for the log."""
        terms = self.objective(model, inputs)
        num_rows = len(inputs.get(NUM_WINDOWS, inputs["input_ids"]))
        for name, term in terms.items():
            so_far = self.term_sums.get(name, torch.zeros((), device=term.device))
            self.term_sums[name] = so_far + num_rows * term.detach()
        self.num_rows_seen += num_rows
        self.num_tokens_seen = self.num_tokens_seen.to(model_device(inputs)) + inputs["attention_mask"].sum()
        loss = torch.stack([term.float() for term in terms.values()]).sum()
        if not loss.is_cuda:  # there it would wait for the device: see ``log``
            self.stop_if_diverged(float(loss.detach()))
        return loss

    def stop_if_diverged(self, loss: float) -> None:
        """Stop at a loss that is no number: nothing good comes after it.

        Raises:
            RunError: With the step and the fix.
        """
        if not math.isfinite(loss):
            why = (
                "the training has diverged; set train.learning_rate below "
                f"{self.args.learning_rate:g}, and begin again with another --out"
                if self.state.global_step
                else "before any weight was changed: the weights it begins from, or a teacher's, are "
                "damaged; take another checkpoint, or copy it here once more"
            )
            step = f"step {self.state.global_step + 1:,}"
            raise RunError(self.args.run_name or "training", f"{step}: the loss is {loss}, {why}")

    def evaluate(
        self,
        eval_dataset: object = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Score the model by the evaluator it was given."""
        model = cast(nn.Module, self.model).eval()
        with torch.no_grad():
            scores = self.evaluator(model)
        self.stop_if_diverged(scores.get("loss", 0.0))
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in scores.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        if self.is_patience_over(self.state):
            self.control.should_training_stop = True
        self.counted_from = time.perf_counter()
        return metrics

    def mean_terms(self) -> dict[str, float]:
        """Return each term's mean over the examples since the last call, and start again."""
        count = max(self.num_rows_seen, 1)
        means = {name: float(total) / count for name, total in self.term_sums.items()}
        self.term_sums, self.num_rows_seen = {}, 0
        return means

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log as usual, with every term of the objective by name, averaged over examples, not batches."""
        if "loss" in logs:
            now = time.perf_counter()
            logs["seconds"] = self.seconds_before() + now - self.began
            logs["tokens_per_second"] = float(self.num_tokens_seen) / (now - self.counted_from)
            self.num_tokens_seen, self.counted_from = self.num_tokens_seen.zero_(), now
            terms = self.mean_terms()
            self.stop_if_diverged(sum(terms.values()))
            logs |= {"loss": sum(terms.values())} | {f"loss/{name}": value for name, value in terms.items()}
        super().log(logs, start_time)

    def take_over_finished(self, checkpoint: Path) -> bool:
        """Load a checkpoint of the last step; asked to resume from it, ``transformers`` makes one step more.

        Returns:
            Whether it is one; else nothing is loaded.
        """
        state = TrainerState.load_from_json(str(checkpoint / STATE))
        if not self.is_finished(state):
            return False
        self.state = state
        self._load_from_checkpoint(str(checkpoint))
        if self.args.load_best_model_at_end and state.best_model_checkpoint is not None:
            self._load_best_model()
        return True

    def is_finished(self, state: TrainerState) -> bool:
        """Return whether no step follows: it is the last, or the score did not rise in the cycle it ends."""
        if self.is_patience_over(state):
            return True
        if state.global_step not in self.settings.ends:
            return 0 < self.args.max_steps <= state.global_step
        return state.global_step >= self.args.max_steps or not self.is_rising(state)

    def is_patience_over(self, state: TrainerState) -> bool:
        """Return whether ``early_stopping_patience`` has ended the training."""
        patience = self.settings.early_stopping_patience
        if patience is None or not self.settings.keep_best:  # else no score says what is better
            return False
        scores = scores_of(state.log_history, self.evaluator.main_metric)
        return is_patience_over(scores, patience, greater_is_better=self.evaluator.greater_is_better)

    def is_rising(self, state: TrainerState) -> bool:
        """Return whether the validation score still rose at the end of what is trained."""
        if not self.evaluator.greater_is_better:
            return False
        scores = scores_of(state.log_history, self.evaluator.main_metric)
        return is_rising(scores, self.settings.ends, best_score=self.evaluator.best_score)

    def create_scheduler(
        self, num_training_steps: int, optimizer: Optimizer | None = None
    ) -> LambdaLR | LRScheduler:
        """Return the usual schedule; where the training may go on, cycles of it."""
        settings = self.settings
        if not settings.extends:
            return super().create_scheduler(num_training_steps, optimizer)
        rate = partial(
            rate_at, ends=settings.ends, warmup_ratio=settings.warmup_ratio, schedule=settings.schedule
        )
        self.lr_scheduler = LambdaLR(cast(Optimizer, optimizer or self.optimizer), rate)
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def _determine_best_metric(self, metrics: dict[str, float], trial: object) -> bool:
        """Keep the weights of :func:`best_step` where steps are found, else the first best."""
        is_better = super()._determine_best_metric(metrics, trial)  # pyright: ignore[reportArgumentType]
        if is_better or not self.settings.ends or not self.evaluator.greater_is_better:
            return is_better
        scores = scores_of(self.state.log_history, self.evaluator.main_metric)
        num_rows, best_score = self.evaluator.num_rows, self.evaluator.best_score
        if best_step(scores, num_rows=num_rows, best_score=best_score) != self.state.global_step:
            return False
        self.state.best_global_step = self.state.global_step
        return True

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the usual loader; where batches are counted in tokens, one of such batches."""
        if self.settings.batch_tokens is None:
            return super().get_train_dataloader()
        rows = cast("Dataset | WholeRows", self.train_dataset)
        loader = DataLoader(
            cast("Any", rows),
            batch_sampler=TokenBatches(
                tokens_with_targets(rows), max_tokens=self.settings.batch_tokens, seed=self.args.seed
            ),
            collate_fn=self.data_collator,
        )
        return self.accelerator.prepare(loader)

    def _get_train_sampler(self, train_dataset: object = None) -> torch.utils.data.Sampler | None:
        rows = cast("Dataset | WholeRows", train_dataset if train_dataset is not None else self.train_dataset)
        return LengthGroupedSampler(
            num_tokens_of(rows),
            batch_size=self.args.train_batch_size * self.args.gradient_accumulation_steps,
            seed=self.args.seed,
        )

    def _save_checkpoint(self, model: nn.Module, trial: object) -> None:
        super()._save_checkpoint(model, trial)  # pyright: ignore[reportArgumentType]
        self.accelerator.wait_for_everyone()  # each process writes its own random state
        write_checkpoint_checksums(checkpoint_of(Path(self.args.output_dir or ""), self.state.global_step))

    def _load_best_model(self) -> None:
        step = cast(int, self.state.best_global_step)
        folder = best_checkpoint(Path(self.args.output_dir or ""), step)
        self.state.best_model_checkpoint = str(folder)  # where this process finds it, wherever it was begun
        super()._load_best_model()

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        super()._save(output_dir, state_dict)
        # the pickled copy of the arguments is never read: the recipe says the same
        (Path(output_dir or self.args.output_dir or ".") / "training_args.bin").unlink(missing_ok=True)


@dataclass(frozen=True)
class Trained:
    """What one training left behind.

    ``history`` holds one row an epoch: epoch, loss, its terms, validation metrics. ``is_rising``: the
    validation score still rose at the end.
    """

    history: list[dict[str, float]]
    num_steps: int
    seconds: float
    best: dict[str, float]
    is_rising: bool


def train(
    model: PreTrainedModel,
    objective: Objective,
    *,
    train_rows: Dataset | WholeRows,
    collator: Callable[[list[dict[str, object]]], Batch],
    evaluator: Evaluator,
    settings: Settings,
    work_dir: Path,
) -> Trained:
    """Train a model in place and leave its best weights in it.

    Running it again with the same ``work_dir`` after a kill resumes from the last whole checkpoint.

    Args:
        model: The model; its extra submodules (a distillation projection) are trained and checkpointed too.
        objective: Named weighted terms of one batch.
        train_rows: Encoded rows with ``length``, or all windows of each row.
        collator: Rows to a padded batch.
        evaluator: Scores the model after each epoch, or each ``eval_steps``, and says which score is best.
        settings: Every number decided.
        work_dir: Where checkpoints go.

    Raises:
        RunError: The training diverged.
    """
    checkpoint = last_whole_checkpoint(work_dir)
    freeze_layers(model, settings.frozen_layers)
    trainer = ObjectiveTrainer(
        objective,
        evaluator=evaluator,
        settings=settings,
        model=model,
        args=training_arguments(settings, evaluator, work_dir, num_rows=len(train_rows)),
        train_dataset=train_rows,
        eval_dataset=train_rows,  # transformers asks for one; what is read, the evaluator knows
        data_collator=collator,
        callbacks=callbacks_of(settings, evaluator),
    )
    trainer.remove_callback(PrinterCallback)
    keep_freed_memory()
    transformers_logging.disable_progress_bar()
    trainer.num_entries_before = num_log_entries(checkpoint)
    if checkpoint is not None and trainer.take_over_finished(checkpoint):
        num_steps, seconds = trainer.state.global_step, 0.0
    else:
        recompute = gradient_checkpointing(model) if settings.gradient_checkpointing else nullcontext()
        with training_attention(model), recompute:
            outcome = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        num_steps, seconds = outcome.global_step, float(outcome.metrics["train_runtime"])
    if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
        trainer.stop_if_diverged(math.nan)
    history = epoch_rows(trainer.state.log_history)
    seconds += trainer.seconds_before()
    is_rising = trainer.is_rising(trainer.state)
    best = _best(history, evaluator, kept=trainer.state.best_global_step)
    return Trained(history, num_steps, seconds, best, is_rising)


def _best(history: list[dict[str, float]], evaluator: Evaluator, *, kept: int | None) -> dict[str, float]:
    """Return the row of the weights that were kept; the one with the best score where the last were."""
    key, sign = f"val_{evaluator.main_metric}", 1 if evaluator.greater_is_better else -1
    rows = [row for row in history if key in row]
    of_kept = next((row for row in rows if row["step"] == kept), None)
    return of_kept or max(rows, key=lambda row: sign * row[key], default={})


def callbacks_of(settings: Settings, evaluator: Evaluator) -> list[TrainerCallback]:
    """Return what looks on: the bar, the epoch lines, the cycles, the caller's own."""
    return [
        Progress(settings.name, settings.ends),
        EpochLines(evaluator.main_metric, by_step=settings.line == "step"),
        GiveBack(),
        Cycles(settings.ends, evaluator, name=settings.name),
        *settings.callbacks,
    ]


def model_device(batch: Batch) -> torch.device:
    """Return the device of a batch."""
    return batch["input_ids"].device
