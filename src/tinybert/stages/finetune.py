"""Fine-tune a model on labelled text: the teacher's way to its task, and the baseline of distillation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tinybert.config import Recipe, with_settings
from tinybert.data.columns import group_setting
from tinybert.errors import RecipeError
from tinybert.models import load_config, load_tokenizer
from tinybert.runs import Run, RunInProgress
from tinybert.stages.doctor.finding import report_findings
from tinybert.stages.doctor.lengths import length_finding
from tinybert.stages.doctor.tokenizers import tokenizer_finding
from tinybert.stages.plan.training import (
    FINE_TUNING,
    Training,
    check_contrastive,
    check_head_start,
    find_hard_loss,
    find_task,
    layers_of,
    longest_row,
    plan_training,
    rows_a_step,
)
from tinybert.stages.stage import Plan, all_of
from tinybert.stages.steps.finish import finish_rows, score_models
from tinybert.stages.steps.fit import MODEL, fit, precision_of, settings_of
from tinybert.stages.steps.head import begin_head, with_head
from tinybert.stages.steps.labels import label_objective
from tinybert.stages.steps.prepare import Encoded, encode_rows, load_for_labels, load_rows, own_order
from tinybert.storage import Json
from tinybert.tasks import Task
from tinybert.training import check_trackers


@dataclass(frozen=True)
class FinetunePlan(Plan):
    """Everything a fine-tuning needs to know before it loads weights.

    Attributes:
        training: Its longest row, epochs and learning rate.
        task: The task.
        model: The checkpoint that is fine-tuned.
    """

    training: Training
    task: Task
    model: str

    def inputs(self) -> dict[str, str]:
        """Return what the run reads besides its rows: name → path."""
        return {"model": self.model}

    def describe(self) -> str:
        """Return how the steps are found, and the recipe as it would be run."""
        return self.training.describe("train.num_epochs", rows_a_step(self.recipe)) + super().describe()


def plan_finetune(recipe: Recipe) -> FinetunePlan:
    """Decide everything a fine-tuning needs.

    Raises:
        RecipeError: ``model`` is missing or has too few layers, or the hard loss or the start of the head is
            not the task's.
        ModelError: There is no such model.
    """
    model = recipe.model
    if model is None:
        raise RecipeError(
            "recipe", "model is missing; give --model a checkpoint, a run, bundled:minilm or a hub name"
        )
    task = find_task(recipe)
    max_length, layers = all_of(
        lambda: longest_row(recipe, task, [model]),
        lambda: layers_of(recipe.train, model),
        lambda: check_head_start(recipe, [model]),
        lambda: check_contrastive(recipe, [model]),
    )
    defaults = task.training or FINE_TUNING
    training = replace(plan_training(recipe, max_length=max_length, defaults=defaults), layers=layers)
    changes = {
        **training.settings(),
        "hard_loss": find_hard_loss(recipe, task),
        "data.group": group_setting(recipe.data, task.format),
    }
    return FinetunePlan(with_settings(recipe, changes), training, task, model)


def finetune(plan: FinetunePlan, run: RunInProgress, source: object) -> Run:
    """Fine-tune a model: from rows to report; what is done already is not done again.

    Args:
        plan: Made by :func:`plan_finetune`.
        run: The run, begun.
        source: The rows: anything :func:`tinybert.data.load` reads.
    """
    recipe, task = plan.recipe, plan.task
    check_trackers(recipe.train.trackers)
    data = load_rows(source, recipe, task, work_dir=run.work / "rows", allow_unlabelled=False)
    tokenizer, max_length = load_tokenizer(plan.model), plan.training.max_length
    rows = data.splits["train"]
    lengths = length_finding(rows, tokenizer, task.format, max_length=max_length)
    report_findings([tokenizer_finding(rows, tokenizer, task.format), lengths])
    encoded = encode_rows(
        data,
        tokenizer,
        recipe=recipe,
        task=task,
        max_length=max_length,
        folder=run.work / "encoded",
    )
    bf16 = precision_of(run) == "bf16"

    def make(folder: Path) -> Json:
        return fine_tune(folder, encoded, recipe, plan.training, path=plan.model, name="model", bf16=bf16)

    folder, summary = run.step("model", make)
    model = folder / MODEL
    scores = score_models(run, data, task, {"model": (str(model), summary)}, max_length=max_length)
    return finish_rows(run, data, task, scores, model=model, trainings={"model": summary})


def fine_tune(
    folder: Path,
    rows: Encoded,
    recipe: Recipe,
    training: Training,
    *,
    path: str,
    name: str,
    bf16: bool,
) -> Json:
    """Fine-tune a checkpoint with hard labels; a step of this stage and of distillation."""
    model = load_for_labels(path, rows.task, rows.labels, seed=recipe.train.seed, new_head=True)
    is_new = own_order(load_config(path), rows.task, rows.labels) is None
    begun = begin_head(folder, model, rows, recipe, is_new=is_new, name=name, source=path, bf16=bf16)
    summary = fit(
        folder,
        model,
        label_objective(model, rows, recipe, begun=begun, source=path),
        rows=rows,
        evaluator=rows.evaluator(),
        settings=settings_of(recipe, training, rows=rows, name=name, bf16=bf16),
    )
    return with_head(begun, summary)
