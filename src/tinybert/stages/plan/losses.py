"""Which losses teach, with every reason why some cannot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tinybert.config import Recipe
from tinybert.errors import RecipeError
from tinybert.losses import BUILTIN as LOSSES
from tinybert.losses import accepted
from tinybert.models import EncoderInfo, Shape
from tinybert.objectives import HARD, INTERMEDIATE, OF_DECODER, find_loss, is_intermediate
from tinybert.stages.stage import unused_settings
from tinybert.tasks import Task

Weights = dict[str, float]
LABEL_SETTINGS = ("hard_loss", "train.class_weights", "train.focal_gamma", "train.label_smoothing")
"""Settings that only a training which learns labels uses."""


@dataclass(frozen=True)
class TeacherKind:
    """What a student can learn of its teacher.

    Attributes:
        is_file: It is a file of scores.
        follows: The student starts from its weights, or has learnt its layers.
        reads_alike: A student that writes has the pieces of its teacher; else only texts can be compared.
    """

    is_file: bool
    follows: bool
    reads_alike: bool = True


def plan_losses(
    recipe: Recipe,
    task: Task,
    shape: Shape,
    teacher: EncoderInfo | None,
    kind: TeacherKind,
) -> Weights:
    """Return loss name → weight, every "auto" decided.

    Args:
        recipe: The recipe.
        task: Says which prediction losses have a meaning.
        shape: The student's size.
        teacher: The teacher's size; None when its layers cannot be read.
        kind: What a student can learn of it.

    Raises:
        RecipeError: Losses that are unknown or cannot be computed here; all are listed.
    """
    if not kind.reads_alike:
        return _losses_on_texts(recipe)
    if recipe.distill.losses == "auto":
        losses = _default_losses(recipe, task, shape, teacher, follows_teacher=kind.follows)
        if problems := [*_phase_problems(recipe, losses, task), *relation_problems(recipe, losses)]:
            raise RecipeError("recipe", problems)
        return losses
    losses = dict(recipe.distill.losses)
    problems = [problem for name in losses for problem in _name_problems(name, task)]
    problems += [
        f"distill.losses.{name} = {weight}: a weight is positive"
        for name, weight in losses.items()
        if weight <= 0
    ]
    if not problems:
        problems = layer_problems(recipe, losses, shape, teacher, teacher_is_file=kind.is_file)
        problems += _source_problems(recipe, losses)
        problems += _phase_problems(recipe, losses, task)
        problems += relation_problems(recipe, losses)
    if problems:
        raise RecipeError("recipe", problems)
    return losses


def _default_losses(
    recipe: Recipe, task: Task, shape: Shape, teacher: EncoderInfo | None, *, follows_teacher: bool
) -> Weights:
    """Prediction and labels; hidden states too where they can be followed at once, or have a phase of theirs.

    A random start that must follow hidden states and predictions together learns neither in a few epochs.
    """
    soft = task.soft_losses[0]
    two = recipe.distill.phases == "two"
    has_source = recipe.student.source is not None
    too_deep = has_source or teacher is None or shape.num_hidden_layers > teacher.num_hidden_layers
    if too_deep or not (follows_teacher or two) or (task.writes and not two):
        return {soft: 1.0, HARD: 0.1}
    losses = {"hidden_state_mse": 1.0, soft: 1.0, HARD: 0.1}
    if two and teacher is not None and shape.num_attention_heads == teacher.num_attention_heads:
        losses["attention_score_mse"] = 1.0
    return losses


def _losses_on_texts(recipe: Recipe) -> Weights:
    """Return the one loss of a student with other pieces than its teacher: it learns the texts it writes.

    Raises:
        RecipeError: Another is set.
    """
    given = {HARD: 1.0} if recipe.distill.losses == "auto" else dict(recipe.distill.losses)
    if others := [name for name in given if name != HARD]:
        raise RecipeError(
            "recipe",
            [
                f"distill.losses.{name}: student and teacher write with different vocabularies; only the "
                f"texts that the teacher writes can be learnt: distill.losses={{{HARD}: 1}}"
                for name in others
            ],
        )
    return given


def _name_problems(name: str, task: Task) -> list[str]:
    if name == HARD:
        return []
    try:
        _, reads = find_loss(name)
    except RecipeError as error:
        return [f"distill.losses.{error}"]
    if reads == "logits" and name in LOSSES and name not in task.soft_losses:
        return [f"distill.losses.{name}: {task.name} is taught by {', '.join(task.soft_losses)}"]
    return []


def layer_problems(
    recipe: Recipe, losses: Weights, shape: Shape, teacher: EncoderInfo | None, *, teacher_is_file: bool
) -> list[str]:
    """Say why losses on layers cannot be computed between these two models."""
    reads = {name: find_loss(name)[1] for name in losses if name != HARD and is_intermediate(name)}
    if reads_decoder(losses) and not shape.num_decoder_layers:
        return [
            f"distill.losses.{name}: reads a decoder, and a model of this task has none; omit it"
            for name, what in reads.items()
            if what in OF_DECODER
        ]
    if teacher is None:
        what = "is a file of scores" if teacher_is_file else "is of a family whose layers are not known here"
        return [
            f"distill.losses.{name}: the teacher {what}; only prediction losses can be used" for name in reads
        ]
    heads, own_heads = teacher.num_attention_heads, shape.num_attention_heads
    problems = [
        f"distill.losses.{name}: {own_heads} heads against the teacher's {heads}; use relation_kl, or set "
        f"student.num_attention_heads={heads}"
        for name, what in reads.items()
        if what in ("scores", "cross_scores") and own_heads != heads
    ]
    widths = math.gcd(shape.hidden_size, teacher.hidden_size)
    if "vectors" in reads.values() and widths % relation_heads(recipe, shape.hidden_size, teacher):
        allowed = ", ".join(str(number) for number in range(1, widths + 1) if widths % number == 0)
        problems.append(
            f"distill.num_relation_heads = {recipe.distill.num_relation_heads}: must divide both widths, "
            f"{shape.hidden_size} and {teacher.hidden_size} (allowed: {allowed})"
        )
    return problems


def reads_decoder(losses: Mapping[str, float]) -> bool:
    """Return whether one of these losses reads a decoder's layers."""
    return any(find_loss(name)[1] in OF_DECODER for name in losses if name != HARD)


def check_loss_settings(recipe: Recipe, losses: Mapping[str, float], *, learns_labels: bool) -> None:
    """Refuse settings of losses that nothing computes.

    Args:
        recipe: As it was given.
        losses: Loss name → weight.
        learns_labels: A teacher or a baseline of this run learns from labels alone.

    Raises:
        RecipeError: All such settings.
    """
    problems: list[str] = []
    if not learns_labels:
        unused = ("train.contrastive_weight", *(() if HARD in losses else LABEL_SETTINGS))
        by = f"a distillation in which nothing learns labels{' alone' if HARD in losses else ''}"
        problems += unused_settings(recipe, lambda name: name in unused, by=by)
    softened = {name: find_loss(name)[0] for name in losses if name != HARD}
    if not any(accepted(loss, temperature=None) for loss in softened.values()):
        by = f"a distillation by {', '.join(losses)}"
        problems += unused_settings(recipe, lambda name: name == "distill.temperature", by=by)
    if problems:
        raise RecipeError("recipe", problems)


def relation_problems(recipe: Recipe, losses: Mapping[str, float]) -> list[str]:
    """Refuse a number of relation heads where no loss compares relations; a loss of the user's own may."""
    if any(name == "relation_kl" or ":" in name for name in losses):
        return []
    return unused_settings(
        recipe, lambda name: name == "distill.num_relation_heads", by="a distillation without relation_kl"
    )


def relation_heads(recipe: Recipe, width: int, teacher: EncoderInfo) -> int:
    """Return the relation heads of ``relation_kl``: as set, or the most that split both models' widths.

    Where they are not set, no more than the teacher has attention heads.
    """
    if recipe.distill.num_relation_heads is not None:
        return recipe.distill.num_relation_heads
    widths = math.gcd(width, teacher.hidden_size)
    return max(number for number in range(1, teacher.num_attention_heads + 1) if widths % number == 0)


def _source_problems(recipe: Recipe, losses: Weights) -> list[str]:
    """Refuse losses on layers for a student that is cut from another model's layers than its teacher's."""
    source = recipe.student.source
    return [
        f"distill.losses.{name}: with student.source = {source} the student does not follow its teacher's "
        "layers; use prediction losses, or omit student.source"
        for name in losses
        if source is not None and name != HARD and is_intermediate(name)
    ]


def _phase_problems(recipe: Recipe, losses: Weights, task: Task) -> list[str]:
    problems: list[str] = []
    if recipe.distill.phases == "two" and not any(is_intermediate(name) for name in losses):
        needs = f"needs an intermediate loss: {', '.join(INTERMEDIATE)}"
        if recipe.student.source is not None:
            needs = "cannot be used with student.source: only prediction losses can; omit one of the two"
        problems.append(f"distill.phases = 'two' {needs}")
    if all(is_intermediate(name) for name in losses):
        problems.append(
            "distill.losses: nothing teaches the task head; add one of "
            f"{', '.join(task.soft_losses)} or {HARD}"
        )
    return problems
