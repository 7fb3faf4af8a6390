"""Fine-tune a model on labelled text: the teacher's way to its task, and the honest rival of distillation."""

from __future__ import annotations

from pathlib import Path

from datasets import Dataset

from tinybert.config import Recipe
from tinybert.data import TextData
from tinybert.errors import RecipeError
from tinybert.models import load_tokenizer
from tinybert.objectives import HardObjective
from tinybert.runs import Json, Run, RunInProgress
from tinybert.stages.plan.distillation import find_task, fit_length
from tinybert.stages.plan.unread import refuse_unread
from tinybert.stages.steps.finish import finish_run, score_models
from tinybert.stages.steps.fit import MODEL, fit, settings_of
from tinybert.stages.steps.prepare import Encoded, encode_rows, load_for_labels, load_rows
from tinybert.tasks import Task
from tinybert.training import check_trackers, choose_precision

DEFAULT_NUM_EPOCHS = 3
DEFAULT_LEARNING_RATE = 5e-5


def resolve_finetune(recipe: Recipe) -> Recipe:
    """Return the recipe with every "auto" decided.

    Raises:
        RecipeError: ``model`` is missing, the hard loss is not the task's, or a setting is not read here.
        ModelError: There is no such model.
    """
    if recipe.model is None:
        raise RecipeError(
            "recipe", "model is missing; give --model a checkpoint, a run, bundled:minilm or a hub name"
        )
    refuse_unread(
        recipe,
        ["teacher", "student", "distill", "corpus", "pretrain", "augment", "baseline"],
        {"train": ["num_steps", "eval_steps"]},
    )
    task = find_task(recipe)
    recipe = fit_length(recipe, task, [recipe.model])
    train = recipe.train
    return recipe.model_copy(
        update={
            "hard_loss": next(iter(task.hard_losses)) if recipe.hard_loss == "auto" else recipe.hard_loss,
            "train": train.model_copy(
                update={
                    "num_epochs": train.num_epochs or DEFAULT_NUM_EPOCHS,
                    "learning_rate": train.learning_rate or DEFAULT_LEARNING_RATE,
                }
            ),
        }
    )


def finetune(recipe: Recipe, run: RunInProgress, source: object) -> Run:
    """Fine-tune ``recipe.model``: from rows to report; what is done already is not done again.

    Args:
        recipe: A resolved recipe.
        run: The run, begun.
        source: The rows: anything :func:`tinybert.data.load` reads.
    """
    check_trackers(recipe.train.trackers)
    task = find_task(recipe)
    data = load_rows(source, recipe, task, work_dir=run.work / "rows", allow_unlabelled=False)
    assert recipe.model is not None
    tokenizer = load_tokenizer(recipe.model)
    encoded = encode_rows(data, tokenizer, section=recipe.data, folder=run.work / "encoded")
    bf16 = measured_bf16(run, recipe)
    folder, facts = run.step(
        "model",
        lambda folder: fine_tune_step(
            folder,
            recipe,
            task,
            data,
            encoded,
            path=str(recipe.model),
            train_rows=encoded.train,
            name="model",
            bf16=bf16,
        ),
    )
    metrics: Json = dict(score_models(run, data, {"model": (str(folder / MODEL), facts)}))
    return finish_run(run, task, data, metrics, facts_by_name={"model": facts}, model=folder / MODEL)


def fine_tune_step(
    folder: Path,
    recipe: Recipe,
    task: Task,
    data: TextData,
    encoded: Encoded,
    *,
    path: str,
    train_rows: Dataset,
    name: str,
    bf16: bool,
    num_epochs: int | None = None,
    learning_rate: float | None = None,
) -> Json:
    """Fine-tune a checkpoint with hard labels; a step of this stage and of distillation."""
    model = load_for_labels(path, task, data.labels, seed=recipe.train.seed, new_head=True)
    assert recipe.train.num_epochs is not None
    assert recipe.train.learning_rate is not None
    settings = settings_of(
        recipe,
        name=name,
        bf16=bf16,
        num_epochs=num_epochs or recipe.train.num_epochs,
        learning_rate=learning_rate or recipe.train.learning_rate,
    )
    return fit(
        folder,
        model,
        HardObjective(task.hard_loss(recipe.hard_loss)),
        encoded=encoded,
        train_rows=train_rows,
        task=task,
        labels=data.labels,
        hard_loss=recipe.hard_loss,
        settings=settings,
    )


def measured_bf16(run: RunInProgress, recipe: Recipe) -> bool:
    """Decide the precision once a run, so that a resumed run goes on in the same."""
    _, facts = run.step("precision", lambda _: {"precision": choose_precision(recipe.train.precision)})
    return facts["precision"] == "bf16"
