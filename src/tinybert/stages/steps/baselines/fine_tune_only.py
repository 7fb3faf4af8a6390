"""The fine-tuning baseline: the same small model, hard labels only, given every chance.

Two learning rates are tried for as many steps as the student took. The one with the better validation score
is kept, and continues while that score rises, up to three times the student's steps.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from datasets import Dataset
from transformers import PreTrainedModel

from tinybert.console import say
from tinybert.runs import CHECKPOINTS
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.steps.baselines.compared import Compared
from tinybert.stages.steps.distillation import Distillation
from tinybert.stages.steps.fit import MODEL, fit, history_of, in_steps, settings_of
from tinybert.stages.steps.head import begin_head, with_head
from tinybert.stages.steps.labels import label_objective
from tinybert.stages.steps.prepare import labelled_only
from tinybert.stages.steps.start import StartPlan, has_new_head, start_student
from tinybert.storage import Json

RATES = (1.0, 4.0)
"""The learning rates that are tried, in multiples of the student's."""
MIN_SCORES = 3
"""How often a trial is scored at least: fewer do not tell whether the score rises."""
NAME = "fine_tune_only"


def fine_tune_only(work: Distillation, student: Json) -> Compared | None:
    """Train the baseline: same shape and start, pre-trained weights, hard labels.

    Args:
        work: The distillation.
        student: The summary of the student's training.

    Returns:
        The model and what was done; None without labels.
    """
    rows = labelled_only(work.encoded.train, work.plan.task)
    if len(rows) == 0:
        say("no training row has a label: there is no fine-tune-only baseline")
        return None
    start, description = baseline_start(work.plan)

    def make(folder: Path) -> Json:
        plan, seed = work.plan, work.recipe.train.seed
        collator = work.encoded.collator
        model = start_student(
            start, plan.task, work.data.labels, rows=rows, collator=collator, seed=seed
        ).model
        begun = begin_head(
            folder,
            model,
            replace(work.encoded, train=rows),
            work.recipe,
            is_new=has_new_head(start, plan.task, work.data.labels),
            name=NAME,
            source=start.source,
            bf16=work.bf16,
        )
        baseline = Baseline(work, rows, model, student, folder, begun, start.source)
        return with_head(begun, train_better(baseline))

    folder, summary = work.run.step(NAME, make)
    description += how_it_was_trained(summary, work.plan.task.main_metric)
    return Compared(description, trained=(folder / MODEL, summary))


@dataclass(frozen=True)
class Baseline:
    """The model before its first step, and what it is trained on.

    Attributes:
        work: The distillation.
        rows: The encoded rows with a label.
        model: The first weights; each training has a copy.
        student: The summary of the student's training.
        folder: The step's folder in the run.
        begun: How its head began.
        source: The checkpoint it was cut from.
    """

    work: Distillation
    rows: Dataset
    model: PreTrainedModel
    student: Json
    folder: Path
    begun: Json
    source: str

    @property
    def num_steps(self) -> int:
        """The student's."""
        return cast(int, self.student["num_steps"])

    def fit(self, learning_rate: float, *, extends: bool) -> Json:
        """Train for the student's steps; a call that extends continues what the same rate has begun."""
        recipe, encoded = self.work.recipe, replace(self.work.encoded, train=self.rows)
        pace = in_steps(self.num_steps, max(MIN_SCORES, len(history_of(self.student))))
        settings = settings_of(
            recipe,
            replace(self.work.plan.training, learning_rate=learning_rate),
            rows=encoded,
            name=f"{NAME} at {learning_rate:g}",
            bf16=self.work.bf16,
            **pace | {"extends": extends, "early_stopping_patience": None},
        )
        model = deepcopy(self.model)
        return fit(
            self.folder,
            model,
            label_objective(model, encoded, recipe, begun=self.begun, source=self.source),
            rows=encoded,
            evaluator=encoded.evaluator(),
            settings=settings,
            work_dir=self.folder / CHECKPOINTS / f"{learning_rate:g}",
        )


def train_better(baseline: Baseline) -> Json:
    """Try each learning rate, continue with the better one, and return the summary of its training."""
    metric = baseline.work.plan.task.main_metric
    rates = [multiple * baseline.work.plan.training.learning_rate for multiple in RATES]
    trials = {rate: baseline.fit(rate, extends=False) for rate in rates}
    scores = {rate: best_score(trial, metric, baseline.num_steps) for rate, trial in trials.items()}
    best = max(rates, key=lambda rate: scores[rate])
    summary = baseline.fit(best, extends=True)
    others = sum(cast(float, trials[rate]["train_seconds"]) for rate in rates if rate != best)
    return {
        **summary,
        "train_seconds": round(cast(float, summary["train_seconds"]) + others, 1),
        "learning_rate": best,
        "trials": [{"learning_rate": rate, metric: scores[rate][0]} for rate in rates],
        "student_steps": baseline.num_steps,
    }


def best_score(summary: Json, metric: str, num_steps: int) -> tuple[float, float]:
    """Return the best validation score of a training's first steps, with the loss there, negative."""
    rows = [row for row in history_of(summary) if row["step"] <= num_steps]
    return max((row[f"val_{metric}"], -row["val_loss"]) for row in rows)


def how_it_was_trained(summary: Json, metric: str) -> str:
    """Return the sentence on its learning rate and its steps."""
    trials = cast(list[dict[str, float]], summary["trials"])
    tried = " and ".join(f"{trial['learning_rate']:g} ({trial[metric]:.4f})" for trial in trials)
    steps, planned = cast(int, summary["num_steps"]), cast(int, summary["student_steps"])
    rest = f"continued to {steps:,} while that score rose" if steps > planned else "did not rise after them"
    return (
        f" Learning rates tried, with the best validation {metric} in the student's {planned:,} steps: "
        f"{tried}; the better one {rest}."
    )


def baseline_start(plan: DistillPlan) -> tuple[StartPlan, str]:
    """Return the baseline's start and the sentence that describes it."""
    same = "Fine-tune only: the same shape, hard labels only, "
    pretrained = plan.pretrained
    size = plan.shape, plan.family
    if plan.start == "checkpoint":
        return StartPlan("checkpoint", plan.source, *size, (), False), same + "from the same checkpoint."
    if plan.start == "random":
        return StartPlan("random", plan.source, *size, (), False), same + "from the same random start."
    if pretrained is None:
        owner, how = "the teacher", "name it with teacher.pretrained=…"
        if plan.recipe.student.source is not None:
            owner, how = plan.source, "give student.source a run of `tinybert finetune`"
        return (
            StartPlan("random", plan.source, *size, (), False),
            same + f"from a random start, because what {owner} was fine-tuned from is not known "
            f"({how}): a weaker baseline than it could be.",
        )
    description = (
        same + f"started the same way ({plan.start}) from the pre-trained weights, no task teacher anywhere."
    )
    return StartPlan(plan.start, pretrained, *size, plan.layer_map, False), description
