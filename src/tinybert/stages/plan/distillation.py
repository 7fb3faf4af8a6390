"""From a recipe to a plan: every "auto" decided and every cross-check made, before any weights load."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinybert.config import Recipe, dump_recipe, with_settings
from tinybert.data.columns import group_setting
from tinybert.models import Shape, load_tokenizer
from tinybert.models.tokenizers import same_tokenizer
from tinybert.objectives import is_intermediate
from tinybert.stages.plan.augmentation import check_augment, models_of_augment
from tinybert.stages.plan.baselines import plan_baselines
from tinybert.stages.plan.losses import TeacherKind, check_loss_settings, plan_losses
from tinybert.stages.plan.student import (
    Start,
    Taught,
    check_source,
    check_start,
    choose_layer_map,
    describe_student,
    plan_family,
    plan_layer_map,
    plan_pretrained,
    plan_shape,
    plan_start,
    taught_by_layers,
    with_decoder,
)
from tinybert.stages.plan.teacher import TeacherPlan, check_teacher_settings, plan_teacher
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
from tinybert.stages.plan.vocabulary import TEXT, check_trimming, describe_vocabulary
from tinybert.stages.stage import Plan, all_of
from tinybert.tasks import Task

DEFAULT_TRAINING: dict[Start, tuple[int, float]] = {
    "slice": (3, 5e-5),
    "checkpoint": (3, 5e-5),
    "project": (4, 1e-4),
    "random": (4, 1e-4),
}
"""Start → epochs and peak learning rate."""

DEFAULT_DROPOUT = 0.1

EPOCHS_MORE = 2
"""That many epochs more where single tokens have labels."""


@dataclass(frozen=True)
class DistillPlan(Plan):
    """Everything a distillation needs to know before it loads weights.

    Attributes:
        training: Its longest row, epochs and learning rate.
        task: The task.
        teacher: Who teaches.
        shape: The student's size.
        family: Its ``model_type``.
        start: How the student begins.
        source: Where the student's first weights, or only its vocabulary, come from.
        layer_map: For each student layer the teacher's, from 1; empty when no layers are matched. Of a
            student that is cut from another model, that model's.
        pretrained: What the source was before any fine-tuning; None when nobody knows.
        losses: Loss name → weight.
        dropout: Of the student's hidden states while it is taught.
        taught: What a student that is a checkpoint knows of such a teacher's layers.
    """

    training: Training
    task: Task
    teacher: TeacherPlan
    shape: Shape
    family: str
    start: Start
    source: str
    layer_map: tuple[int, ...]
    losses: dict[str, float]
    dropout: float
    pretrained: str | None
    taught: Taught | None = None

    @property
    def cut_from(self) -> str:
        """Whose layers the student is cut from, as it is shown."""
        return self.recipe.student.source or "teacher"

    @property
    def baselines(self) -> tuple[str, ...]:
        """Names of what the student is compared with."""
        return plan_baselines(self.recipe, self.task)

    def inputs(self) -> dict[str, str]:
        """Return what the run reads besides its rows: name → path."""
        paths = {"teacher": self.teacher.path}
        if self.start == "checkpoint":
            paths["student"] = self.source
        if self.taught is not None and self.taught.origin is not None:
            paths["origin"] = self.taught.origin
        if self.recipe.student.source is not None:
            paths["source"] = self.source
        if "fine_tune_only" in self.baselines and self.pretrained is not None:
            paths["pretrained"] = self.pretrained
        if self.recipe.student.vocabulary_text is not None:
            paths[TEXT] = self.recipe.student.vocabulary_text
        return paths | (models_of_augment(self.recipe.augment) if self.recipe.augment.copies else {})

    @property
    def teacher_training(self) -> Training:
        """How a teacher without a task head is fine-tuned."""
        section = self.recipe.teacher
        num_epochs, learning_rate = self.task.training or FINE_TUNING
        training = replace(
            self.training,
            learning_rate=section.learning_rate or learning_rate,
            layers=layers_of(section, self.teacher.path),
        )
        return training.with_epochs(section.num_epochs, default=num_epochs)

    def describe(self) -> str:
        """Return who teaches whom, how the steps are found, and the recipe as it would be run."""
        teacher = f"{self.teacher.path} ({self.teacher.kind})"
        student = describe_student(
            teacher,
            self.shape,
            self.start,
            self.source,
            self.layer_map,
            family=self.family,
            cut_from=self.cut_from,
        )
        batch = rows_a_step(self.recipe)
        student += describe_vocabulary(self.recipe)
        if self.teacher.kind == "encoder":
            student += self.teacher_training.describe("teacher.num_epochs", batch)
        decided = with_settings(self.recipe, {"baseline": list(self.baselines)})
        return student + self.training.describe("train.num_epochs", batch) + dump_recipe(decided)


def plan_distill(recipe: Recipe) -> DistillPlan:
    """Decide everything a distillation needs.

    Raises:
        RecipeError: Settings that do not go together; all are listed.
        ModelError: A shape, a checkpoint or a layer map that cannot be.
    """
    task = find_task(recipe)
    teacher = plan_teacher(recipe, task)
    is_file = teacher.kind == "file"
    start, source = plan_start(recipe, str(teacher.pretrained) if is_file else teacher.path)
    shape = with_decoder(plan_shape(recipe, start), task)
    taught = taught_by_layers(source, teacher) if start == "checkpoint" else None
    is_cut, own_source = start in ("slice", "project"), recipe.student.source is not None
    follows = (is_cut and not own_source) or taught is not None
    pretrained = plan_pretrained(recipe, teacher, task)
    teaching = TeacherKind(is_file, follows, not task.writes or reads_alike(source, teacher.path))
    max_length, losses = all_of(
        lambda: longest_row(recipe, task, [source] if is_file else [source, teacher.path]),
        lambda: plan_losses(recipe, task, shape, teacher.info, teaching),
        lambda: plan_family(recipe, start, source),
        lambda: check_start(start, shape, source, owner=recipe.student.source or "the teacher"),
        lambda: check_teacher_settings(recipe, teacher),
        lambda: check_new_heads(recipe, start, source, teacher),
        lambda: check_augment(recipe, task, teacher) if recipe.augment.copies else None,
        lambda: check_trimming(recipe, source, teacher, before=pretrained if is_cut else None),
        lambda: plan_baselines(recipe, task),
        lambda: check_source(recipe, start, shape),
    )
    baselines = plan_baselines(recipe, task)
    learns_labels = teacher.kind == "encoder" or "fine_tune_only" in baselines
    check_loss_settings(recipe, losses, learns_labels=learns_labels)
    family = plan_family(recipe, start, source)
    matched = is_cut or any(is_intermediate(name) for name in losses)
    name = choose_layer_map(recipe, task, start, shape=shape, source=source, taught=taught)
    layer_map = plan_layer_map(name, shape, source, None if own_source else teacher.info) if matched else ()
    dropout = choose_dropout(recipe, taught)
    defaults = _default_training("project" if taught else start, task)
    training = plan_training(recipe, max_length=max_length, defaults=defaults)
    decided = {
        "student.start": start,
        "student.layer_map": name,
        "distill.losses": losses,
        "distill.dropout": dropout,
    }
    return DistillPlan(
        with_settings(recipe, {**task_settings(recipe, task, training), **decided}),
        training,
        task,
        teacher,
        shape,
        family,
        start,
        source,
        layer_map,
        losses,
        dropout,
        pretrained,
        taught,
    )


def reads_alike(source: str, teacher: str) -> bool:
    """Return whether a student has the pieces of its teacher, so that their distributions can be compared."""
    return source == teacher or same_tokenizer(load_tokenizer(source), load_tokenizer(teacher))


def check_new_heads(recipe: Recipe, start: Start, source: str, teacher: TeacherPlan) -> None:
    """Check the settings of heads that are drawn here, and of what learns from labels alone.

    Raises:
        RecipeError: A head cannot be fitted, or hidden states cannot be read.
    """
    taught = [teacher.path] if teacher.kind == "encoder" else []
    drawn = [*taught, *([source] if start == "checkpoint" else [])]
    all_of(lambda: check_head_start(recipe, drawn), lambda: check_contrastive(recipe, taught))


def targets_of(recipe: Recipe) -> str:
    """Return what a student that writes learns to write, in place of "auto"."""
    return "teacher" if recipe.distill.targets == "auto" else recipe.distill.targets


def choose_dropout(recipe: Recipe, taught: Taught | None) -> float:
    """Return the dropout that is set, or none for a student that learnt without."""
    if recipe.distill.dropout is not None:
        return recipe.distill.dropout
    return 0.0 if taught else DEFAULT_DROPOUT


def task_settings(recipe: Recipe, task: Task, training: Training) -> dict[str, object]:
    """Return what is decided by the task alone."""
    return {
        **training.settings(),
        "hard_loss": find_hard_loss(recipe, task),
        "data.group": group_setting(recipe.data, task.format),
        "teacher.learning_rate": recipe.teacher.learning_rate or (task.training or FINE_TUNING)[1],
        "distill.temperature": recipe.distill.temperature or task.temperature,
        **({"distill.targets": targets_of(recipe)} if task.writes else {}),
    }


def _default_training(start: Start, task: Task) -> tuple[int, float]:
    """Return epochs and rate by the start: weights that already fit together need less of both.

    Scores of tags and of answers rise for longer than those of a label of the whole text.
    """
    if task.training is not None:
        return task.training
    num_epochs, learning_rate = DEFAULT_TRAINING[start]
    return num_epochs + (EPOCHS_MORE if task.format.windowed else 0), learning_rate
