"""What every training needs to know: the task, the longest row, epochs and learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tinybert.config import STAGES_AS_TASKS, Recipe, TeacherSection, TrainSection
from tinybert.data.windows import MIN_WINDOW
from tinybert.errors import RecipeError
from tinybert.lookup import nearest
from tinybert.losses import accepted
from tinybert.models import load_config, num_positions
from tinybert.models.depth import count_layers
from tinybert.models.families import FAMILIES
from tinybert.stages.stage import is_below, unused_settings
from tinybert.tasks import BUILTIN, ClassWeights, Task
from tinybert.tasks import find_task as named_task
from tinybert.training import steps_for
from tinybert.training.schedule import BOUND, MIN_STEPS, steps_an_epoch

FINE_TUNING = 3, 5e-5
"""Epochs and peak learning rate of a fine-tuning on many rows, where a task has no others of its own.

Few rows get more epochs, see :mod:`tinybert.training.schedule`.
"""

MAX_WEIGHT = 1_000_000
"""Of a class: with more the loss may leave the range of its numbers."""

LAYER_SETTINGS = ("layer_decay", "frozen_layers", "gradient_checkpointing")


@dataclass(frozen=True)
class Training:
    """What a recipe may leave open of a training, decided.

    Attributes:
        max_length: Longest row, window or block in tokens.
        num_epochs: Of the training.
        learning_rate: Its peak.
        layers: How the layers of a checkpoint are fine-tuned, where a section of the recipe says so.
        is_auto: Few rows get more epochs, and each training more while its validation score rises.
    """

    max_length: int
    num_epochs: int
    learning_rate: float
    layers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_auto: bool = False

    def settings(self) -> dict[str, object]:
        """Return the same as settings of a recipe: dotted name → value."""
        return {
            "data.max_length": self.max_length,
            "train.num_epochs": "auto" if self.is_auto else self.num_epochs,
            "train.learning_rate": self.learning_rate,
        }

    def with_epochs(self, given: int | Literal["auto"], *, default: int = 1) -> Training:
        """Return the training with the epochs that a recipe gives, or with those it has where left open."""
        if given == "auto":
            return replace(self, num_epochs=default, is_auto=True)
        return replace(self, num_epochs=given, is_auto=False)

    def steps(self, num_rows: int, rows_a_step: float) -> tuple[int, int]:
        """Return how many steps are planned for so many rows, and after how many the model is scored."""
        if self.is_auto:
            return steps_for(num_rows, rows_a_step, num_epochs=self.num_epochs)
        epoch = steps_an_epoch(num_rows, rows_a_step)
        return epoch * self.num_epochs, epoch

    def describe(self, setting: str, rows_a_step: int) -> str:
        """Return how the steps are found, where the setting leaves them open; a comment in YAML."""
        if not self.is_auto:
            return ""
        return (
            f"# {setting}: {self.num_epochs} epochs, but at least {MIN_STEPS} steps of {rows_a_step} rows; "
            f"more while the validation score rises, at most {BOUND} times as many\n"
        )


def plan_training(recipe: Recipe, *, max_length: int, defaults: tuple[int, float]) -> Training:
    """Decide learning rate and epochs, as far as that can be done before the rows are known.

    Args:
        recipe: As it was given.
        max_length: Longest row in tokens.
        defaults: Epochs and peak learning rate where the recipe does not set them.
    """
    num_epochs, learning_rate = defaults
    section = recipe.train
    training = Training(max_length, num_epochs, section.learning_rate or learning_rate)
    return training.with_epochs(section.num_epochs, default=num_epochs)


def rows_a_step(recipe: Recipe) -> int:
    """Return how many rows make a step."""
    return recipe.train.batch_size * recipe.train.gradient_accumulation_steps


def layers_of(section: TrainSection | TeacherSection, path: str) -> dict[str, Any]:
    """Return a section's settings on the layers of the checkpoint that is fine-tuned, by the trainer's names.

    Raises:
        RecipeError: More layers are frozen than it has.
        ModelError: There is no such checkpoint, or its layers cannot be told apart.
    """
    values = {name: getattr(section, name) for name in LAYER_SETTINGS}
    if all(type(section).model_fields[name].default == value for name, value in values.items()):
        return {}
    num_layers = count_layers(load_config(path))
    if section.frozen_layers > num_layers:
        name = "teacher" if isinstance(section, TeacherSection) else "train"
        raise RecipeError(
            "recipe",
            f"{name}.frozen_layers = {section.frozen_layers}: {path} has {num_layers} layers; set "
            f"{num_layers} or less",
        )
    return values


def find_task(recipe: Recipe) -> Task:
    """Return the recipe's task with its data settings; check its hard loss, and that it reads what is set.

    Raises:
        RecipeError: The task is unknown, does not allow this hard loss, or does not read a setting.
    """
    if STAGES_AS_TASKS.get(recipe.task):
        raise RecipeError(
            "recipe", "task = 'general': raw text has no labels; only `tinybert distill` takes it"
        )
    task = named_task(recipe.task)
    problems: list[str] = []
    others = {f"data.{name}" for each in BUILTIN.values() for name in each.format.settings}
    others -= {f"data.{name}" for name in task.format.settings}
    problems += unused_settings(recipe, lambda name: name in others, by=f"task {task.name}")
    if not task.writes:
        of_writing = ["generation", "distill.targets", "student.num_decoder_layers"]
        by = f"task {task.name}, whose models write no text,"
        problems += unused_settings(recipe, lambda name: is_below(name, of_writing), by=by)
    problems += _hard_loss_problems(recipe, task)
    problems += task.format.setting_problems(recipe.data)
    starts = ("auto", "random", *([task.head_start] if task.head_start else []))
    if recipe.head_start not in starts:
        problems.append(
            f"head_start = {recipe.head_start!r}: {task.name} allows {', '.join(starts)}"
            f"{nearest(recipe.head_start, starts)}"
        )
    if problems:
        raise RecipeError("recipe", problems)
    return replace(task, format=task.format.configured(recipe.data)).configured(recipe)


def _hard_loss_problems(recipe: Recipe, task: Task) -> list[str]:
    """Say why a task has no such hard loss, or which settings it does not use."""
    allowed = ("auto", *task.hard_losses)
    if recipe.hard_loss not in allowed:
        hint = nearest(recipe.hard_loss, allowed)
        return [f"hard_loss = {recipe.hard_loss!r}: {task.name} allows {', '.join(allowed)}{hint}"]
    name = find_hard_loss(recipe, task)
    used = accepted(task.hard_losses[name], class_weights=None, focal_gamma=None, label_smoothing=None)
    by_task, by_loss = f"task {task.name}", f"hard_loss={name}"
    unused = [
        ("train.class_weights", by_task, task.balanced_weights is None),
        ("train.class_weights", by_loss, task.balanced_weights is not None and "class_weights" not in used),
        ("train.focal_gamma", by_loss, "focal_gamma" not in used),
        ("train.label_smoothing", by_loss, "label_smoothing" not in used),
        ("train.contrastive_weight", by_task, not task.is_contrastive),
        ("train.contrastive_weight", "data.long_text=windows", recipe.data.long_text == "windows"),
        ("train.contrastive_weight", "train.batch_size=1", recipe.train.batch_size == 1),
    ]
    problems = _weight_problems(recipe.train.class_weights)
    for setting, by, is_unused in unused:
        if is_unused:
            problems += unused_settings(recipe, lambda name, setting=setting: name == setting, by=by)
    return problems


def _weight_problems(weights: ClassWeights) -> list[str]:
    given = weights.items() if isinstance(weights, Mapping) else ()
    return [
        f"train.class_weights.{label} = {weight}: a weight is positive, and at most {MAX_WEIGHT:,}"
        for label, weight in given
        if not 0 < weight <= MAX_WEIGHT
    ]


def find_hard_loss(recipe: Recipe, task: Task) -> str:
    """Return the name of the loss on labels."""
    return next(iter(task.hard_losses)) if recipe.hard_loss == "auto" else recipe.hard_loss


def check_head_start(recipe: Recipe, paths: Sequence[str]) -> None:
    """Refuse to fit a new head whose parts are not known.

    Args:
        recipe: As it was given; with ``auto`` such a head is drawn at random.
        paths: Checkpoints that get a new head.

    Raises:
        RecipeError: The head of one of them cannot be fitted.
    """
    if recipe.head_start not in ("auto", "random"):
        setting = f"head_start = {recipe.head_start!r}"
        _check_families(paths, setting, "only heads of {} can be fitted; set head_start=random")


def check_contrastive(recipe: Recipe, paths: Sequence[str]) -> None:
    """Refuse the contrastive loss on an encoder whose layers are not known.

    Args:
        recipe: As it was given; with ``auto`` such an encoder is trained without that loss.
        paths: Checkpoints that learn from labels alone.

    Raises:
        RecipeError: The hidden states of one of them cannot be read.
    """
    if recipe.train.contrastive_weight not in ("auto", 0):
        setting = f"train.contrastive_weight = {recipe.train.contrastive_weight:g}"
        _check_families(paths, setting, "only those of {} have a known last layer; set it to 0")


def _check_families(paths: Sequence[str], setting: str, allowed: str) -> None:
    kinds = {path: load_config(path).model_type for path in paths}
    problems = [
        f"{setting}: {path} is a {kind}; {allowed.format(', '.join(FAMILIES))}"
        for path, kind in kinds.items()
        if kind not in FAMILIES
    ]
    if problems:
        raise RecipeError("recipe", problems)


def longest_row(recipe: Recipe, task: Task, paths: Sequence[str]) -> int:
    """Return the task's longest row, but no longer than the models have positions.

    Raises:
        RecipeError: ``data.max_length`` was set to more than a model can read, or to less than a window.
    """
    given = recipe.data.max_length
    if given is not None and given < MIN_WINDOW and task.format.in_windows:
        raise RecipeError(
            "recipe", f"data.max_length = {given}: a window of {task.name} has at least {MIN_WINDOW} tokens"
        )
    return longest_input(recipe, paths, default=task.max_length)


def longest_input(recipe: Recipe, paths: Sequence[str], *, default: int) -> int:
    """Return the longest row that is read, no longer than the models have positions.

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
    return given or min([default, *limits.values()])
