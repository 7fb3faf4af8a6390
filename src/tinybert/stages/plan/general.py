"""From a recipe to the plan of a general distillation."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinybert.config import Recipe, dump_recipe, with_settings
from tinybert.errors import RecipeError
from tinybert.models import EncoderInfo, Shape, describe, load_config, load_tokenizer, resolve_layer_map
from tinybert.models.masked_lm import refuse_without_known_head
from tinybert.models.tokenizers import same_tokenizer
from tinybert.objectives import INTERMEDIATE, MASKED_LM, find_loss, is_intermediate
from tinybert.stages.plan.losses import layer_problems, relation_problems
from tinybert.stages.plan.student import (
    Start,
    check_start,
    describe_student,
    plan_family,
    plan_shape,
    plan_start,
)
from tinybert.stages.plan.training import Training, longest_input, plan_training
from tinybert.stages.stage import Plan, all_of, is_below, unused_settings

MAX_LENGTH = 128
DEFAULT_TRAINING: dict[Start, tuple[int, float]] = {
    "slice": (1, 1e-4),
    "checkpoint": (1, 1e-4),
    "project": (1, 3e-4),
    "random": (3, 5e-4),
}
"""Start → epochs and peak learning rate."""


@dataclass(frozen=True)
class GeneralPlan(Plan):
    """Everything a general distillation needs to know before it loads weights.

    Attributes:
        training: Its block length, epochs and learning rate.
        teacher: The encoder that is learnt from.
        info: Its size.
        shape: The student's.
        family: Its ``model_type``.
        start: How the student begins.
        source: The checkpoint it begins from; the teacher for the rest.
        layer_map: For each student layer the teacher's, from 1.
        losses: Loss name → weight.
        dropout: Of the student's hidden states while it is taught.
    """

    training: Training
    teacher: str
    info: EncoderInfo
    shape: Shape
    family: str
    start: Start
    source: str
    layer_map: tuple[int, ...]
    losses: dict[str, float]
    dropout: float

    def inputs(self) -> dict[str, str]:
        """Return what the run reads besides its text: name → path."""
        student = {"student": self.source} if self.start == "checkpoint" else {}
        return {"teacher": self.teacher, **student}

    def describe(self) -> str:
        """Return who teaches whom, and the recipe as it would be run."""
        student = describe_student(
            self.teacher, self.shape, self.start, self.source, self.layer_map, family=self.family
        )
        return student + dump_recipe(self.recipe)


def plan_general(recipe: Recipe) -> GeneralPlan:
    """Decide everything a general distillation needs.

    Raises:
        RecipeError: Settings that do not go together; all are listed.
        ModelError: A shape, a checkpoint or a layer map that cannot be.
    """
    if recipe.teacher.path is None:
        raise RecipeError(
            "recipe", "teacher.path is missing; give --teacher a checkpoint, a run or bundled:minilm"
        )
    teacher = recipe.teacher.path
    info = describe(load_config(teacher))
    start, source = plan_start(recipe, teacher)
    shape = plan_shape(recipe, start)
    max_length, losses = all_of(
        lambda: longest_input(recipe, [teacher, source], default=MAX_LENGTH),
        lambda: _losses(recipe, shape, info),
        lambda: plan_family(recipe, start, source),
        lambda: check_start(start, shape, source),
        lambda: _check_same_vocabulary(source, teacher) if start == "checkpoint" else None,
    )
    family = plan_family(recipe, start, source)
    if MASKED_LM in losses:
        refuse_without_known_head(source, load_config(source))
    name = "uniform" if recipe.student.layer_map == "auto" else recipe.student.layer_map
    layer_map = resolve_layer_map(name, shape.num_hidden_layers, info.num_hidden_layers)
    training = plan_training(recipe, max_length=max_length, defaults=DEFAULT_TRAINING[start])
    training = replace(training, is_auto=False)
    dropout = recipe.distill.dropout or 0.0
    resolved = with_settings(
        recipe,
        {
            **training.settings(),
            "student.start": start,
            "student.layer_map": name,
            "distill.losses": losses,
            "distill.dropout": dropout,
        },
    )
    return GeneralPlan(
        resolved, training, teacher, info, shape, family, start, source, tuple(layer_map), losses, dropout
    )


def _check_same_vocabulary(student: str, teacher: str) -> None:
    if not same_tokenizer(load_tokenizer(student), load_tokenizer(teacher)):
        raise RecipeError(
            "recipe",
            f"student.shape = {student}: reads with another vocabulary than the teacher {teacher}; layers "
            "are compared token by token, so give a student that has the teacher's, or a shape",
        )


def _losses(recipe: Recipe, shape: Shape, info: EncoderInfo) -> dict[str, float]:
    """Return loss name → weight: hidden states and scores, or relations where there are other heads."""
    problems: list[str] = []
    if recipe.distill.losses == "auto":
        same = shape.num_attention_heads == info.num_attention_heads
        losses = {"hidden_state_mse": 1.0, "attention_score_mse" if same else "relation_kl": 1.0}
    else:
        losses = dict(recipe.distill.losses)
        problems = _name_problems(losses)
    layers = {name: weight for name, weight in losses.items() if name != MASKED_LM}
    problems = problems or [
        *layer_problems(recipe, layers, shape, info, teacher_is_file=False),
        *relation_problems(recipe, losses),
        *_masking_problems(recipe, losses),
    ]
    if problems:
        raise RecipeError("recipe", problems)
    return losses


def _name_problems(losses: dict[str, float]) -> list[str]:
    problems = [
        f"distill.losses.{name} = {weight}: a weight is positive"
        for name, weight in losses.items()
        if weight <= 0
    ]
    problems += [
        f"distill.losses.{name}: without labels a student learns layers ({', '.join(INTERMEDIATE)}) and "
        f"{MASKED_LM}"
        for name in losses
        if name != MASKED_LM and not _compares_layers(name)
    ]
    if not problems and set(losses) <= {MASKED_LM}:
        problems.append(f"distill.losses: {MASKED_LM} alone is pre-training; use `tinybert pretrain`")
    return problems


def _masking_problems(recipe: Recipe, losses: dict[str, float]) -> list[str]:
    """Refuse settings of the masks where no word is masked."""
    if MASKED_LM in losses:
        return []
    return unused_settings(
        recipe, lambda name: is_below(name, ["pretrain"]), by="a distillation without masked_lm"
    )


def _compares_layers(name: str) -> bool:
    try:
        find_loss(name)
    except RecipeError:
        return False
    return is_intermediate(name)
