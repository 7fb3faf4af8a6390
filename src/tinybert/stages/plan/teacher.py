"""Who teaches, read from configs alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tinybert.config import Recipe
from tinybert.errors import RecipeError
from tinybert.models import EncoderInfo, describe, has_task_head, load_config
from tinybert.models.families import is_known
from tinybert.runs import Run, is_run
from tinybert.sources import is_bundled
from tinybert.sources.hub import hub_problem
from tinybert.stages.plan.training import LAYER_SETTINGS, layers_of
from tinybert.stages.stage import unused_settings
from tinybert.tasks import Task
from tinybert.teachers import is_soft_label_file

DEFAULT_PRETRAINED = "bundled:minilm"
KEPT_TEACHER = "teacher"
FINE_TUNING_SETTINGS = ("num_epochs", "learning_rate", *LAYER_SETTINGS)
"""Settings of ``teacher`` that only a teacher which is fine-tuned here uses."""


@dataclass(frozen=True)
class TeacherPlan:
    """Who teaches.

    Attributes:
        kind: ``file`` of soft labels, a ``classifier`` that knows the task, or an ``encoder`` without a
            task head, which is fine-tuned first.
        path: The file or the checkpoint.
        pretrained: The weights before any fine-tuning; None when nobody knows.
        info: The encoder's size; None for a file, or for a family whose layers we do not know.
    """

    kind: Literal["file", "classifier", "encoder"]
    path: str
    pretrained: str | None
    info: EncoderInfo | None


def plan_teacher(recipe: Recipe, task: Task) -> TeacherPlan:
    """Say what kind of teacher is at ``teacher.path``, reading configs only.

    Raises:
        ModelError: There is no such checkpoint.
        DataError: There is no such file of soft labels.
        RecipeError: None is named, or it has no task head and may not be fine-tuned.
    """
    if recipe.teacher.path is None:
        raise RecipeError(
            "recipe",
            "teacher.path is missing; give --teacher a run, a checkpoint, bundled:minilm, "
            "a hub name or a file of soft labels",
        )
    path = recipe.teacher.path
    if is_soft_label_file(path):
        if task.soft_labels is None:
            raise RecipeError(
                "recipe",
                f"teacher.path = {path}: a file of soft labels has none for single tokens, which "
                f"{task.name} learns from; give a model",
            )
        pretrained = recipe.teacher.pretrained or DEFAULT_PRETRAINED
        return TeacherPlan("file", path, pretrained, None)
    config = load_config(path)
    info = describe(config) if is_known(config) else None
    if has_task_head(config, task.head):
        return TeacherPlan("classifier", path, recipe.teacher.pretrained or pretrained_of(path), info)
    if recipe.teacher.fine_tune == "never":
        raise RecipeError(
            path,
            "has no task head and teacher.fine_tune is never; fine-tune it first with "
            "`tinybert finetune`, or set teacher.fine_tune=auto",
        )
    return TeacherPlan("encoder", path, path, info)


def check_teacher_settings(recipe: Recipe, teacher: TeacherPlan) -> None:
    """Check the settings that only some teachers use: one that is fine-tuned here, one that knows the task.

    Raises:
        RecipeError: More layers are frozen than it has, or a setting is not used by such a teacher.
        ModelError: Its layers cannot be told apart.
    """
    is_trained = teacher.kind == "encoder"
    if is_trained:
        layers_of(recipe.teacher, teacher.path)
    unused: dict[str, str] = {}
    if not is_trained:
        unused |= dict.fromkeys(FINE_TUNING_SETTINGS, "a teacher that is not fine-tuned here")
    if teacher.kind != "classifier":
        unused["check"] = "a teacher that is fine-tuned here" if is_trained else "a file of soft labels"
    problems = [
        problem
        for name, by in unused.items()
        for problem in unused_settings(recipe, f"teacher.{name}".__eq__, by=by)
    ]
    if problems:
        raise RecipeError("recipe", problems)


def pretrained_of(path: str) -> str | None:
    """Return the weights a run of ours, or the teacher kept in one, was fine-tuned from, if still there."""
    folder = Path(path)
    if is_run(folder):
        recipe = Run(folder).recipe
        origin = recipe.model if recipe.stage == "finetune" else None
    elif folder.name == KEPT_TEACHER and is_run(folder.parent):
        origin = Run(folder.parent).recipe.teacher.path
    else:
        return None
    there = origin and (is_bundled(origin) or Path(origin).exists() or hub_problem(origin, "model") is None)
    return origin if there else None
