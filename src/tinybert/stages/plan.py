"""From a recipe to a plan: every "auto" decided and every cross-check made, before any weights load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from transformers import PreTrainedConfig

from tinybert.config import Recipe
from tinybert.data import WINDOWED, fetch, is_bundled
from tinybert.data.hub import hub_problem
from tinybert.data.windows import MIN_WINDOW
from tinybert.errors import RecipeError, TinyBertError
from tinybert.lookup import find, nearest
from tinybert.models import (
    EncoderInfo,
    Shape,
    describe,
    has_task_head,
    load_config,
    num_positions,
    resolve_layer_map,
    resolve_shape,
)
from tinybert.models.families import FAMILIES
from tinybert.models.shapes import BUILTIN as SHAPES
from tinybert.runs import Run, is_run
from tinybert.stages.objective import is_intermediate
from tinybert.stages.plan_augment import augment_problems, models_of_augment
from tinybert.stages.plan_losses import plan_losses
from tinybert.stages.unread import refuse_relation_heads, refuse_unread
from tinybert.tasks import BUILTIN as TASKS
from tinybert.tasks import Task
from tinybert.teachers import is_soft_label_file

Start = Literal["random", "slice", "project", "checkpoint"]

DEFAULT_PRETRAINED = "bundled:minilm"
KEPT_TEACHER = "teacher"
GENERAL = "general"
ONLY_TAGS = ("label_pieces", "on_orphan_tag")
PROJECTABLE = ("bert", "roberta", "xlm-roberta", "camembert", "distilbert")
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


@dataclass(frozen=True)
class Taught:
    """What a student has learnt by general distillation.

    Attributes:
        layers: For each of its layers its teacher's, from 1.
        by: That teacher, as its run names it.
        origin: The same, where the task's teacher is known to be this one fine-tuned; else None.
    """

    layers: tuple[int, ...]
    by: str
    origin: str | None


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


def resolve_path(name: str) -> str:
    """Return the folder of a bundled source; any other name is returned as it is."""
    return str(fetch(name)) if is_bundled(name) else name


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
    recipe = _choose_layer_map(recipe, task, start, shape=shape, source=source, taught=taught)
    layer_map = _plan_layer_map(recipe, shape, source, teacher) if maps else ()
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
    model = None if section.model is None else plan_config(section.model)
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


def plan_teacher(recipe: Recipe, task: Task) -> TeacherPlan:
    """Say what kind of teacher stands at ``teacher.path``, reading configs only.

    Raises:
        ModelError: There is no such checkpoint.
        DataError: There is no such file of soft labels.
        RecipeError: It has no task head and may not be fine-tuned.
    """
    path = str(recipe.teacher.path)
    if is_soft_label_file(path):
        if task.label_kind in WINDOWED:
            raise RecipeError(
                "recipe",
                f"teacher.path = {path}: a file of soft labels says nothing of single tokens, which "
                f"{task.name} learns from; give a model",
            )
        pretrained = recipe.teacher.pretrained or DEFAULT_PRETRAINED
        return TeacherPlan("file", path, pretrained, None)
    local = resolve_path(path)
    config = load_config(local)
    info = describe(config) if config.model_type in FAMILIES else None
    if has_task_head(config, task.head):
        return TeacherPlan("classifier", path, recipe.teacher.pretrained or pretrained_of(local), info)
    if recipe.teacher.fine_tune == "never":
        raise RecipeError(
            path,
            "has no task head and teacher.fine_tune is never; fine-tune it first with "
            "`tinybert finetune`, or set teacher.fine_tune=auto",
        )
    return TeacherPlan("encoder", path, path, info)


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
    limits = {path: limit for path in paths if (limit := num_positions(plan_config(path))) is not None}
    path = min(limits, key=lambda path: limits[path], default="")
    given = recipe.data.max_length
    if given is not None and limits and given > limits[path]:
        raise RecipeError(
            "recipe",
            f"data.max_length = {given}: {path} has {limits[path]} positions; set {limits[path]} or less",
        )
    chosen = given or min([default, *limits.values()])
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"max_length": chosen})})


def plan_config(name: str) -> PreTrainedConfig:
    """Return a checkpoint's config by any of its names."""
    return load_config(resolve_path(name))


def plan_start(recipe: Recipe, source: str) -> tuple[Start, str]:
    """Return how the student starts and from what: the given model, or the checkpoint that its shape names.

    For a random start the source gives the vocabulary.
    """
    student = recipe.student
    if student.shape not in SHAPES:
        _check_is_checkpoint(student.shape)
        if numbers := [name for name, value in _own_numbers(recipe).items() if value is not None]:
            raise RecipeError(
                "recipe",
                [f"student.{name}: {student.shape} is a checkpoint and has its own" for name in numbers],
            )
        if student.start not in ("auto", "checkpoint"):
            raise RecipeError(
                "recipe",
                f"student.start = {student.start!r}: {student.shape} is a checkpoint; "
                "the start is then the checkpoint itself (auto)",
            )
        return "checkpoint", student.shape
    if student.start == "checkpoint":
        raise RecipeError(
            "recipe",
            f"student.start = 'checkpoint' needs student.shape to be a checkpoint, not {student.shape!r}",
        )
    if student.start != "auto":
        return student.start, source
    config = plan_config(source)
    if config.model_type not in FAMILIES:
        return "random", source
    return _natural_start(plan_shape(recipe, "random"), describe(config)), source


def _natural_start(shape: Shape, info: EncoderInfo) -> Start:
    """Return project where it can be done (its refit pays at equal width too), else slice, else random."""
    own = (shape.num_hidden_layers, shape.hidden_size, shape.num_attention_heads, shape.intermediate_size)
    its = (info.num_hidden_layers, info.hidden_size, info.num_attention_heads, info.intermediate_size)
    if any(ours > theirs for ours, theirs in zip(own, its, strict=True)):
        return "random"
    if own == its or (own[1:] == its[1:] and info.model_type not in PROJECTABLE):
        return "slice"
    return "project" if info.model_type in PROJECTABLE else "random"


def _own_numbers(recipe: Recipe) -> dict[str, int | None]:
    student = recipe.student
    return {
        "num_hidden_layers": student.num_hidden_layers,
        "hidden_size": student.hidden_size,
        "num_attention_heads": student.num_attention_heads,
        "intermediate_size": student.intermediate_size,
    }


def _check_is_checkpoint(name: str) -> None:
    try:
        plan_config(name)
    except TinyBertError as error:
        allowed = ", ".join(SHAPES)
        raise RecipeError(
            "recipe",
            f"student.shape = {name!r}: neither a named shape{nearest(name, SHAPES)} (allowed: {allowed}) "
            f"nor a checkpoint ({error})",
        ) from error


def plan_shape(recipe: Recipe, start: Start) -> Shape:
    """Return the student's size."""
    student = recipe.student
    if start == "checkpoint":
        info = describe(plan_config(student.shape))
        return Shape(
            info.num_hidden_layers, info.hidden_size, info.num_attention_heads, info.intermediate_size
        )
    return resolve_shape(student.shape, _own_numbers(recipe))


def taught_by_layers(student: str, teacher: TeacherPlan) -> Taught | None:
    """Return what a student has learnt, by general distillation, of the layers of such a teacher."""
    if teacher.info is None or not is_run(Path(student)):
        return None
    said = Run(Path(student)).metrics
    size = (said.get("teacher_layers"), said.get("teacher_hidden_size"))
    if said.get("task") != GENERAL or size != (teacher.info.num_hidden_layers, teacher.info.hidden_size):
        return None
    layers, by = tuple(cast(list[int], said["layer_map"])), str(said["teacher_path"])
    known = teacher.pretrained is not None and _same_model(by, teacher.pretrained)
    return Taught(layers, by, by if known else None)


def _same_model(name: str, other: str) -> bool:
    paths = Path(name), Path(other)
    return name == other or (all(path.exists() for path in paths) and paths[0].samefile(paths[1]))


def _choose_layer_map(
    recipe: Recipe, task: Task, start: Start, *, shape: Shape, source: str, taught: Taught | None
) -> Recipe:
    """Return the recipe with the layer map's name in place of "auto", or the one by which it was taught.

    What a token is is known low in a fine-tuned encoder: a student of its lowest layers that are refitted
    starts better, and stays better, than one of layers spread over it (docs/results.md).
    """
    if recipe.student.layer_map != "auto":
        return recipe
    kept = shape.num_hidden_layers if start in ("slice", "project") else 0
    lowest = task.label_kind in WINDOWED and 2 * kept >= describe(plan_config(source)).num_hidden_layers
    name = list(taught.layers) if taught else ("first" if lowest and kept else "uniform")
    return recipe.model_copy(update={"student": recipe.student.model_copy(update={"layer_map": name})})


def _plan_layer_map(recipe: Recipe, shape: Shape, source: str, teacher: TeacherPlan) -> tuple[int, ...]:
    info = teacher.info or describe(plan_config(source))
    return tuple(resolve_layer_map(recipe.student.layer_map, shape.num_hidden_layers, info.num_hidden_layers))


def check_start(start: Start, shape: Shape, source: str) -> None:
    """Say early that a slice or a projection is impossible."""
    if start not in ("slice", "project"):
        return
    info = describe(plan_config(source))
    widths = {
        "hidden_size": (shape.hidden_size, info.hidden_size),
        "num_attention_heads": (shape.num_attention_heads, info.num_attention_heads),
        "intermediate_size": (shape.intermediate_size, info.intermediate_size),
    }
    if start == "slice":
        wrong = [
            f"student.{name} = {own}: a slice keeps the teacher's {its}; use student.start=project or random"
            for name, (own, its) in widths.items()
            if own != its
        ]
    else:
        wrong = [
            f"student.{name} = {own}: a projection cannot be wider than the teacher's {its}; use "
            "student.start=random"
            for name, (own, its) in widths.items()
            if own > its
        ]
    if wrong:
        raise RecipeError("recipe", wrong)


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
