"""From a recipe to a plan: every "auto" decided and every cross-check made, before any weights load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinybert.config import Recipe
from tinybert.data import WINDOWED
from tinybert.data.windows import MIN_WINDOW
from tinybert.errors import RecipeError
from tinybert.lookup import find, nearest
from tinybert.models import Shape, load_config, num_positions
from tinybert.objectives import is_intermediate
from tinybert.stages.plan.augmentation import augment_problems, models_of_augment
from tinybert.stages.plan.losses import plan_losses
from tinybert.stages.plan.student import (
    GENERAL,
    Start,
    Taught,
    check_start,
    choose_layer_map,
    plan_layer_map,
    plan_shape,
    plan_start,
    taught_by_layers,
)
from tinybert.stages.plan.teacher import TeacherPlan, plan_teacher
from tinybert.stages.plan.unread import refuse_relation_heads, refuse_unread
from tinybert.tasks import BUILTIN as TASKS
from tinybert.tasks import Task

ONLY_TAGS = ("label_pieces", "on_orphan_tag")
DEFAULT_TRAINING: dict[Start, tuple[int, float]] = {
    "slice": (3, 5e-5),
    "checkpoint": (3, 5e-5),
    "project": (4, 1e-4),
    "random": (4, 1e-4),
}
"""Start → epochs and peak learning rate."""

DEFAULT_DROPOUT = 0.1

EPOCHS_MORE = 2
"""That many epochs more where single tokens are answered."""


@dataclass(frozen=True)
class DistillPlan:
    """Everything a distillation needs to know before it loads weights.

    Attributes:
        recipe: The recipe with every "auto" replaced.
        source: Where the student's first weights, or only its vocabulary, come from.
        layer_map: For each student layer the teacher's, from 1; empty when no layers are matched.
        taught: What a student that is a checkpoint knows of such a teacher's layers.
    """

    recipe: Recipe
    task: Task
    teacher: TeacherPlan
    shape: Shape
    start: Start
    source: str
    layer_map: tuple[int, ...]
    taught: Taught | None = None

    @property
    def losses(self) -> dict[str, float]:
        """Loss name → weight."""
        assert isinstance(self.recipe.distill.losses, dict)
        return self.recipe.distill.losses

    def models(self) -> dict[str, str]:
        """Return what the run reads besides its rows: name → path."""
        paths = {"teacher": self.teacher.path}
        if self.start == "checkpoint":
            paths["student"] = self.source
        if self.taught is not None and self.taught.origin is not None:
            paths["origin"] = self.taught.origin
        if self.recipe.baseline and self.teacher.pretrained is not None:
            paths["pretrained"] = self.teacher.pretrained
        return paths | (models_of_augment(self.recipe.augment) if self.recipe.augment.copies else {})


def find_task(recipe: Recipe) -> Task:
    """Return the recipe's task, and check its hard loss and that the task reads what is set.

    Raises:
        RecipeError: The task is unknown, does not allow this hard loss, or does not read a setting.
    """
    if recipe.task == GENERAL:
        raise RecipeError(
            "recipe", "task = 'general': raw text has no labels; only `tinybert distill` takes it"
        )
    task = find(TASKS, recipe.task, kind="task")
    default = Recipe().data
    unread = [
        f"data.{name}: read by ner only, not by {task.name}; leave it out"
        for name in ONLY_TAGS
        if task.label_kind != "tags" and getattr(recipe.data, name) != getattr(default, name)
    ]
    if unread:
        raise RecipeError("recipe", unread)
    allowed = ("auto", *task.hard_losses)
    if recipe.hard_loss not in allowed:
        raise RecipeError(
            "recipe",
            f"hard_loss = {recipe.hard_loss!r}: {task.name} allows {', '.join(allowed)}"
            f"{nearest(recipe.hard_loss, allowed)}",
        )
    return task


def plan_distill(recipe: Recipe) -> DistillPlan:
    """Decide everything a distillation needs.

    Raises:
        RecipeError: Settings that do not go together; all are listed.
        ModelError: A shape, a checkpoint or a layer map that cannot be.
    """
    if recipe.teacher.path is None:
        raise RecipeError(
            "recipe",
            "teacher.path is missing; give --teacher a run, a checkpoint, bundled:minilm, "
            "a hub name or a file of soft labels",
        )
    refuse_unread(recipe, ["model", "corpus", "pretrain"], {"train": ["num_steps", "eval_steps"]})
    task = find_task(recipe)
    teacher = plan_teacher(recipe, task)
    if recipe.augment.copies:
        check_augment(recipe, task, teacher)
    else:
        refuse_unread(recipe, ["augment"], by="a distillation without augment.copies")
    start, source = plan_start(recipe, teacher.path if teacher.kind != "file" else str(teacher.pretrained))
    recipe = fit_length(recipe, task, [source] if teacher.kind == "file" else [source, teacher.path])
    shape = plan_shape(recipe, start)
    taught = taught_by_layers(source, teacher) if start == "checkpoint" else None
    losses = plan_losses(
        recipe,
        task,
        shape,
        teacher.info,
        teacher_is_file=teacher.kind == "file",
        follows_teacher=start in ("slice", "project") or taught is not None,
    )
    refuse_relation_heads(recipe, losses)
    maps = start in ("slice", "project") or any(is_intermediate(name) for name in losses)
    recipe = choose_layer_map(recipe, task, start, shape=shape, source=source, taught=taught)
    layer_map = plan_layer_map(recipe, shape, source, teacher) if maps else ()
    check_start(start, shape, source)
    dropout = recipe.distill.dropout
    if dropout is None:
        dropout = 0.0 if taught else DEFAULT_DROPOUT
    resolved = recipe.model_copy(
        update={
            "hard_loss": next(iter(task.hard_losses)) if recipe.hard_loss == "auto" else recipe.hard_loss,
            "student": recipe.student.model_copy(update={"start": start}),
            "distill": recipe.distill.model_copy(update={"losses": losses, "dropout": dropout}),
            "train": recipe.train.model_copy(
                update=_train_defaults(recipe, "project" if taught else start, task)
            ),
        }
    )
    return DistillPlan(resolved, task, teacher, shape, start, source, layer_map, taught)


def check_augment(recipe: Recipe, task: Task, teacher: TeacherPlan | None) -> None:
    """Say what augmentation lacks.

    Raises:
        RecipeError: All problems.
        ModelError: There is no such masked language model.
    """
    section = recipe.augment
    model = None if section.model is None else load_config(section.model)
    asks = teacher is not None and teacher.kind != "file"
    problems = augment_problems(section, model=model, has_embeddings=asks)
    if teacher is not None and not asks:
        problems.append(
            "augment.copies: a file of soft labels says nothing of copies; give a model as the teacher"
        )
    if section.max_shift is not None and not asks:
        problems.append("augment.max_shift: needs a teacher to ask")
    if section.max_shift is not None and task.label_kind != "single":
        problems.append(f"augment.max_shift: compares the probabilities of classes; {task.name} has none")
    if problems:
        raise RecipeError("recipe", problems)


def fit_length(recipe: Recipe, task: Task, paths: Sequence[str]) -> Recipe:
    """Return the recipe with the task's longest row, but no longer than the models have positions.

    Raises:
        RecipeError: ``data.max_length`` was set to more than a model can read, or to less than a window.
    """
    given = recipe.data.max_length
    if given is not None and given < MIN_WINDOW and task.label_kind in WINDOWED:
        raise RecipeError(
            "recipe", f"data.max_length = {given}: a window of {task.name} has at least {MIN_WINDOW} tokens"
        )
    return fit_positions(recipe, paths, default=task.max_length)


def fit_positions(recipe: Recipe, paths: Sequence[str], *, default: int) -> Recipe:
    """Return the recipe with its longest row decided, no longer than the models have positions.

    A longer row would fail when it comes, maybe hours later. The default gives way; a length that was asked
    for is refused.

    Raises:
        RecipeError: ``data.max_length`` was set to more than a model can read.
    """
    limits = {path: limit for path in paths if (limit := num_positions(load_config(path))) is not None}
    path = min(limits, key=lambda path: limits[path], default="")
    given = recipe.data.max_length
    if given is not None and limits and given > limits[path]:
        raise RecipeError(
            "recipe",
            f"data.max_length = {given}: {path} has {limits[path]} positions; set {limits[path]} or less",
        )
    chosen = given or min([default, *limits.values()])
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"max_length": chosen})})


def _train_defaults(recipe: Recipe, start: Start, task: Task) -> dict[str, object]:
    """Epochs and rate by the start: weights that already fit together need less of both.

    Tags and answers go on rising for longer than a label of the whole text.
    """
    num_epochs, learning_rate = DEFAULT_TRAINING[start]
    if task.label_kind in WINDOWED:
        num_epochs += EPOCHS_MORE
    return {
        "num_epochs": recipe.train.num_epochs or num_epochs,
        "learning_rate": recipe.train.learning_rate or learning_rate,
    }
