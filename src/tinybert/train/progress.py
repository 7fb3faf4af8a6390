"""What people see while a model trains: a bar with examples/s and time left, and one line an epoch."""

from __future__ import annotations

import sys
import time

from tqdm.auto import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tinybert.models.memory import give_back_memory

SHARE_NAMES = frozenset({"accuracy", "f1", "macro_f1", "micro_f1"})


def epoch_line(epoch: int, loss: float, metric: str, value: float) -> str:
    """Return the line printed after an epoch.

    Example:
        >>> epoch_line(1, 0.0976, "accuracy", 0.9667)
        'Epoch 1, Loss: 0.0976, Val Accuracy: 96.67%'
        >>> epoch_line(2, 0.5, "pearson", 0.8712)
        'Epoch 2, Loss: 0.5000, Val Pearson: 0.8712'
    """
    shown = f"{value:.2%}" if metric in SHARE_NAMES else f"{value:.4f}"
    return f"Epoch {epoch}, Loss: {loss:.4f}, Val {metric_title(metric)}: {shown}"


def metric_title(metric: str) -> str:
    """Return a metric's name as people write it: ``macro_f1`` → ``Macro F1``."""
    return " ".join(
        word.upper() if word in ("f1", "mcc", "mse", "mae") else word.title() for word in metric.split("_")
    )


class EpochLines(TrainerCallback):
    """Print one line an epoch: training loss (mean over its steps) and the main validation metric."""

    def __init__(self, main_metric: str) -> None:
        self.main_metric = main_metric

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Print the line of the epoch just scored."""
        metrics = kwargs["metrics"]
        losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
        if isinstance(metrics, dict) and losses and state.is_world_process_zero:
            value = float(metrics[f"eval_{self.main_metric}"])
            tqdm.write(
                epoch_line(round(state.epoch or 0), losses[-1], self.main_metric, value), file=sys.stderr
            )


class Progress(TrainerCallback):
    """A bar over all examples with examples/s and time left; plain lines where output is no terminal."""

    def __init__(self, name: str, *, num_plain_lines: int = 10) -> None:
        self.name = name
        self.num_plain_lines = num_plain_lines
        self.bar: tqdm | None = None
        self.start_step = 0
        self.start_time = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Open the bar where the run (or its resumption) begins."""
        self.start_step, self.start_time = state.global_step, time.perf_counter()
        self.rows_a_step = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        if sys.stderr.isatty() and state.is_world_process_zero:
            total = state.max_steps * self.rows_a_step
            self.bar = tqdm(
                total=total,
                initial=state.global_step * self.rows_a_step,
                desc=self.name,
                unit="ex",
                dynamic_ncols=True,
                leave=False,
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Move the bar, or now and then print a line."""
        if self.bar is not None:
            self.bar.update(self.rows_a_step)
        elif (
            state.is_world_process_zero
            and state.global_step % max(1, state.max_steps // self.num_plain_lines) == 0
        ):
            print(self.plain_line(state), file=sys.stderr, flush=True)

    def plain_line(self, state: TrainerState) -> str:
        """Return ``name: step/steps, examples/s, time left``."""
        seconds = time.perf_counter() - self.start_time
        per_second = (state.global_step - self.start_step) / max(seconds, 1e-9)
        left = round((state.max_steps - state.global_step) / max(per_second, 1e-9))
        speed = per_second * self.rows_a_step
        return (
            f"{self.name}: step {state.global_step}/{state.max_steps}, {speed:.0f} examples/s, {left} s left"
        )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()


class GiveBack(TrainerCallback):
    """Gives memory back after each epoch."""

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Give back what the epoch's steps left."""
        give_back_memory()
