"""Who learns: a student's size, how it begins, and which layers it follows; read from configs alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from transformers import PreTrainedConfig

from tinybert.config import Recipe
from tinybert.errors import RecipeError, TinyBertError
from tinybert.lookup import nearest
from tinybert.models import (
    EncoderInfo,
    Shape,
    describe,
    has_task_head,
    load_config,
    resolve_layer_map,
    resolve_shape,
)
from tinybert.models.families import FAMILIES, PAIR, is_known, reader_config
from tinybert.models.shapes import BUILTIN as SHAPES
from tinybert.models.start.initialise import student_families
from tinybert.runs import Run, is_run
from tinybert.stages.plan.teacher import TeacherPlan, pretrained_of
from tinybert.tasks import Task

Start = Literal["random", "slice", "project", "checkpoint"]


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


def plan_start(recipe: Recipe, source: str) -> tuple[Start, str]:
    """Return how the student starts and from what.

    From the given model, from ``student.source`` or from the checkpoint that its shape names. For a random
    start the source gives the vocabulary.
    """
    student = recipe.student
    if student.shape not in SHAPES:
        _check_is_checkpoint(student.shape)
        if student.source is not None:
            raise RecipeError(
                "recipe",
                f"student.source = {student.source!r}: not used, because {student.shape} is a checkpoint and "
                "starts from itself; omit it",
            )
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
    if student.source is not None:
        _check_can_be_cut(student.source)
    source = student.source or source
    if student.start != "auto":
        return student.start, source
    config = load_config(source)
    if not is_known(config):
        return "random", source
    return _natural_start(plan_shape(recipe, "random"), describe(config)), source


def _natural_start(shape: Shape, info: EncoderInfo) -> Start:
    """Return project where it can be done (its refit pays at equal width too), else slice, else random."""
    own = (shape.num_hidden_layers, shape.hidden_size, shape.num_attention_heads, shape.intermediate_size)
    its = (info.num_hidden_layers, info.hidden_size, info.num_attention_heads, info.intermediate_size)
    if any(ours > theirs for ours, theirs in zip(own, its, strict=True)):
        return "random"
    is_projectable = FAMILIES[info.model_type].is_projectable
    if own == its or (own[1:] == its[1:] and not is_projectable):
        return "slice"
    return "project" if is_projectable else "random"


def plan_family(recipe: Recipe, start: Start, source: str) -> str:
    """Return the family (``model_type``) of the student.

    Args:
        recipe: The recipe.
        start: How the student begins.
        source: What from.

    Raises:
        RecipeError: It cannot be of the family that is set.
    """
    own = reader_config(load_config(source)).model_type
    allowed = student_families(own) if start in ("random", "project") else (own,)
    given = recipe.student.family
    if given not in ("auto", *allowed):
        why = f"a {start} from {source}, which is of family {own}"
        raise RecipeError(
            "recipe",
            f"student.family = {given!r}: not possible for {why}{nearest(given, allowed)} "
            f"(allowed: {', '.join(('auto', *allowed))})",
        )
    return allowed[0] if given == "auto" else given


def _own_numbers(recipe: Recipe) -> dict[str, int | None]:
    student = recipe.student
    return {
        "num_hidden_layers": student.num_hidden_layers,
        "hidden_size": student.hidden_size,
        "num_attention_heads": student.num_attention_heads,
        "intermediate_size": student.intermediate_size,
        "num_decoder_layers": student.num_decoder_layers,
    }


def with_decoder(shape: Shape, task: Task) -> Shape:
    """Return a shape with a decoder where the task's models write: a third of the encoder's layers.

    Raises:
        RecipeError: The shape has a decoder that the task has no use for.
    """
    if not task.writes and shape.num_decoder_layers:
        raise RecipeError(
            "recipe",
            f"student: {shape.num_decoder_layers} decoder layers, but a model of {task.name} writes no text; "
            "take a shape such as 4l-384d, or omit student.num_decoder_layers",
        )
    if not task.writes or shape.num_decoder_layers:
        return shape
    return replace(shape, num_decoder_layers=max(1, shape.num_hidden_layers // 3))


def _check_is_checkpoint(name: str) -> None:
    try:
        load_config(name)
    except TinyBertError as error:
        allowed = ", ".join(SHAPES)
        raise RecipeError(
            "recipe",
            f"student.shape = {name!r}: neither a named shape{nearest(name, SHAPES)} (allowed: {allowed}) "
            f"nor a checkpoint ({error})",
        ) from error


def _check_can_be_cut(name: str) -> None:
    try:
        load_config(name)
    except TinyBertError as error:
        raise RecipeError("recipe", f"student.source = {name!r}: {error}") from error


def plan_shape(recipe: Recipe, start: Start) -> Shape:
    """Return the student's size."""
    student = recipe.student
    if start == "checkpoint":
        config = load_config(student.shape)
        if not is_known(config):
            raise RecipeError(
                "recipe",
                f"student.shape = {student.shape!r}: of family {config.model_type}, which cannot be one "
                f"(allowed: {', '.join(FAMILIES)}); take a named shape ({', '.join(SHAPES)})",
            )
        info = describe(config)
        num_decoder_layers = describe(config.decoder).num_hidden_layers if config.model_type == PAIR else 0
        return Shape(
            *(info.num_hidden_layers, info.hidden_size, info.num_attention_heads, info.intermediate_size),
            num_decoder_layers,
        )
    return resolve_shape(student.shape, _own_numbers(recipe))


def check_start(start: Start, shape: Shape, source: str, *, owner: str = "the teacher") -> None:
    """Say early that a slice or a projection is impossible; the owner is what the source is called."""
    if start not in ("slice", "project"):
        return
    info = describe(load_config(source))
    widths = {
        "hidden_size": (shape.hidden_size, info.hidden_size),
        "num_attention_heads": (shape.num_attention_heads, info.num_attention_heads),
        "intermediate_size": (shape.intermediate_size, info.intermediate_size),
    }
    if start == "slice":
        wrong = [
            f"student.{name} = {own}: a slice keeps {owner}'s {its}; use student.start=project or random"
            for name, (own, its) in widths.items()
            if own != its
        ]
    else:
        wrong = [
            f"student.{name} = {own}: a projection cannot be wider than {owner}'s {its}; use "
            "student.start=random"
            for name, (own, its) in widths.items()
            if own > its
        ]
    if wrong:
        raise RecipeError("recipe", wrong)


def check_source(recipe: Recipe, start: Start, shape: Shape) -> None:
    """Check the model that the student is cut from instead of its teacher.

    Raises:
        RecipeError: No such student can be cut from it, or it is named what the teacher was fine-tuned from.
    """
    source, problems = recipe.student.source, list[str]()
    if source is None:
        return
    if start == "random" and recipe.student.start == "auto":
        problems += _why_not_cut(source, load_config(source), shape)
    if recipe.teacher.pretrained is not None:
        problems.append(
            f"teacher.pretrained: not used, because the student is cut from student.source = {source}; "
            "omit it"
        )
    if problems:
        raise RecipeError("recipe", problems)


def _why_not_cut(source: str, config: PreTrainedConfig, shape: Shape) -> list[str]:
    """Say why a student of a shape cannot be cut from the model that is set as its source."""
    fix = "use student.start=random, which reads its vocabulary only, or another source"
    if not is_known(config):
        return [
            f"student.source = {source!r}: layers of family {config.model_type} are not known here; {fix}"
        ]
    info = describe(config)
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")
    larger = [(name, getattr(shape, name), getattr(info, name)) for name in names]
    found = [
        f"student.{name} = {own}: student.source = {source!r} has {its}; use a smaller shape, or {fix}"
        for name, own, its in larger
        if own > its
    ]
    return found or [f"student.source = {source!r}: such a student cannot be cut from it; {fix}"]


def plan_pretrained(recipe: Recipe, teacher: TeacherPlan, task: Task) -> str | None:
    """Return the weights before any fine-tuning of what a student is cut from; None when nobody knows."""
    source = recipe.student.source
    if source is None:
        return teacher.pretrained
    return pretrained_of(source) if has_task_head(load_config(source), task.head) else source


def taught_by_layers(student: str, teacher: TeacherPlan) -> Taught | None:
    """Return what a student has learnt, by general distillation, of the layers of such a teacher."""
    if teacher.info is None or not is_run(Path(student)):
        return None
    metrics = Run(Path(student)).metrics
    size = (metrics.get("teacher_layers"), metrics.get("teacher_hidden_size"))
    if size != (teacher.info.num_hidden_layers, teacher.info.hidden_size):
        return None
    layers, by = tuple(cast(list[int], metrics["layer_map"])), str(metrics["teacher_path"])
    known = teacher.pretrained is not None and _same_model(by, teacher.pretrained)
    return Taught(layers, by, by if known else None)


def _same_model(name: str, other: str) -> bool:
    paths = Path(name), Path(other)
    return name == other or (all(path.exists() for path in paths) and paths[0].samefile(paths[1]))


def choose_layer_map(
    recipe: Recipe, task: Task, start: Start, *, shape: Shape, source: str, taught: Taught | None
) -> str | list[int]:
    """Return the layer map's name in place of "auto", or the map by which the student was taught.

    What a token is is known low in a fine-tuned encoder: a student of its lowest layers that are refitted
    starts better, and stays better, than one of layers spread over it (docs/results.md).
    """
    if recipe.student.layer_map != "auto":
        return recipe.student.layer_map
    kept = shape.num_hidden_layers if start in ("slice", "project") else 0
    if taught:
        return list(taught.layers)
    is_lower = task.format.windowed and kept > 0
    lowest = is_lower and 2 * kept >= describe(load_config(source)).num_hidden_layers
    return "first" if lowest else "uniform"


def plan_layer_map(
    name: str | list[int], shape: Shape, source: str, info: EncoderInfo | None
) -> tuple[int, ...]:
    """Return for each student layer the teacher's of that size, from 1; or the source's where it is None."""
    info = info or describe(load_config(source))
    return tuple(resolve_layer_map(name, shape.num_hidden_layers, info.num_hidden_layers))


def describe_student(
    teacher: str,
    shape: Shape,
    start: Start,
    source: str,
    layer_map: Sequence[int],
    *,
    family: str,
    cut_from: str = "teacher",
) -> str:
    """Return who teaches whom, as comments above a recipe."""
    lines = [
        f"# teacher: {teacher}",
        f"# student: {family}, {shape.num_hidden_layers} layers × {shape.hidden_size}, "
        f"{shape.num_attention_heads} heads, feed-forward {shape.intermediate_size}"
        f"{f', decoder of {shape.num_decoder_layers} layers' if shape.num_decoder_layers else ''}; "
        f"start: {start} from {source}",
    ]
    if layer_map:
        lines.append(f"# student layers 1–{len(layer_map)} ← {cut_from} layers {list(layer_map)}")
    return "\n".join(lines) + "\n"
