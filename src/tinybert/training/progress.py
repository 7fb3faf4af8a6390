"""What people see while a model trains: a bar with examples/s and time left, and one line an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tinybert.console import progress, say
from tinybert.models.memory import give_back_memory
from tinybert.training.checkpoints import scores_of
from tinybert.training.evaluator import Evaluator
from tinybert.training.schedule import is_rising

SHARE_NAMES = frozenset({"accuracy", "f1", "macro_f1", "micro_f1"})
TITLES = {
    **{name: name.upper() for name in ("f1", "mcc", "mse", "mae", "bleu")},
    **{f"rouge{which}": f"ROUGE-{which}" for which in ("1", "2", "L")},
    "chrf": "chrF",
}


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
    words = (TITLES.get(word) or word.title() for word in metric.split("_"))
    return " ".join(words)


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
    """Shows how many examples are done, with examples/s and time left; the total grows with each cycle."""

    def __init__(self, name: str, ends: Sequence[int] = ()) -> None:
        self.name, self.ends = name, ends
        self.shown = ExitStack()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Begin where the run (or its resumption) begins."""
        self.rows_a_step = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        total, done = self.total_at(state), state.global_step * self.rows_a_step
        self.advance = self.shown.enter_context(progress(self.name, total, unit="examples", done=done))

    def total_at(self, state: TrainerState) -> int:
        """Return the examples of all cycles up to the one that a step is in."""
        return self.rows_a_step * min(
            (end for end in self.ends if end >= state.global_step), default=state.max_steps
        )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Count a step's examples."""
        self.advance(self.rows_a_step, total=self.total_at(state))

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


class Cycles(TrainerCallback):
    """Scores and saves the last step of each cycle; a further one follows where the score still rose.

    Args:
        ends: The steps at which cycles end.
        evaluator: What the score is.
        name: Of the training, as it is shown.
    """

    def __init__(self, ends: Sequence[int], evaluator: Evaluator, *, name: str) -> None:
        self.ends, self.name = ends, name
        self.main_metric, self.best_score = evaluator.main_metric, evaluator.best_score

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Say what is planned, where it may become more."""
        if len(self.ends) > 1 and state.global_step == 0:
            score = f"validation {metric_title(self.main_metric).lower()}"
            most = f"at most {self.ends[-1]:,}"
            say(f"{self.name}: {self.ends[0]:,} steps, and more while the {score} rises, {most}")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Ask for all that an evaluation brings."""
        if args.eval_strategy == "steps" and state.global_step in (*self.ends, state.max_steps):
            control.should_log = control.should_evaluate = control.should_save = True

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Stop at the end of a cycle in which the score did not rise."""
        if state.global_step not in self.ends[:-1]:
            return
        scores = scores_of(state.log_history, self.main_metric)
        if is_rising(scores, self.ends, best_score=self.best_score):
            more = self.ends[self.ends.index(state.global_step) + 1] - state.global_step
            say(f"{self.name}: the score still rises: {more:,} steps more, at half the learning rate")
        else:
            control.should_training_stop = True
