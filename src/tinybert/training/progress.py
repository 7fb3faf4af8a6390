"""What people see while a model trains: a bar with examples/s and time left, and one line an epoch."""

from __future__ import annotations

from contextlib import ExitStack

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tinybert.console import progress, say
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


def step_line(step: int, num_steps: int, loss: float, metric: str, value: float, speed: float) -> str:
    """Return the line printed after an evaluation in the middle of the data.

    Example:
        >>> step_line(500, 8000, 4.31, "perplexity", 51.23456, 5123.4)
        'Step 500/8000, Loss: 4.3100, Val Perplexity: 51.2346, 5,123 tokens/s'
    """
    shown = f"Val {metric_title(metric)}: {value:.4f}"
    return f"Step {step}/{num_steps}, Loss: {loss:.4f}, {shown}, {speed:,.0f} tokens/s"


class EpochLines(TrainerCallback):
    """Print one line an evaluation: training loss (mean over its steps) and the main validation metric."""

    def __init__(self, main_metric: str, *, by_step: bool = False) -> None:
        self.main_metric = main_metric
        self.by_step = by_step

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Print the line of the epoch just scored."""
        metrics = kwargs["metrics"]
        logged = [entry for entry in state.log_history if "loss" in entry]
        if not (isinstance(metrics, dict) and logged and state.is_world_process_zero):
            return
        value, loss, metric = float(metrics[f"eval_{self.main_metric}"]), logged[-1]["loss"], self.main_metric
        if self.by_step:
            speed = logged[-1].get("tokens_per_second", 0.0)
            line = step_line(state.global_step, state.max_steps, loss, metric, value, speed)
        else:
            line = epoch_line(round(state.epoch or 0), loss, metric, value)
        say(line)


class Progress(TrainerCallback):
    """Shows how many examples are done, with examples/s and time left."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.shown = ExitStack()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Begin where the run (or its resumption) begins."""
        self.rows_a_step = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        total, done = (steps * self.rows_a_step for steps in (state.max_steps, state.global_step))
        self.advance = self.shown.enter_context(progress(self.name, total, unit="examples", done=done))

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Count a step's examples."""
        self.advance(self.rows_a_step)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Close the bar."""
        self.shown.close()


class GiveBack(TrainerCallback):
    """Gives memory back after each epoch."""

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Give back what the epoch's steps left."""
        give_back_memory()


class LastStep(TrainerCallback):
    """Scores and saves the last step too, where it is no multiple of the steps between two evaluations."""

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Ask for all that an evaluation brings."""
        if args.eval_strategy == "steps" and state.global_step >= state.max_steps:
            control.should_log = control.should_evaluate = control.should_save = True
