"""From a recipe to a finished run, whatever its stage; what is already done is not done again."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import datasets
import transformers

from tinybert.config import Recipe, dump_recipe
from tinybert.corpus.documents import is_pipe
from tinybert.errors import RecipeError
from tinybert.runs import Run, RunInProgress, digest_input, refuse_inside
from tinybert.sources.locate import refuse_missing
from tinybert.stages.distill import distill
from tinybert.stages.finetune import finetune, resolve_finetune
from tinybert.stages.general import GeneralPlan, distill_general, plan_general
from tinybert.stages.plan.distillation import plan_distill
from tinybert.stages.plan.student import GENERAL
from tinybert.stages.pretrain import models_of_pretrain, pretrain, resolve_pretrain


def run_recipe(recipe: Recipe, out: str | Path, *, source: object = None) -> Run:
    """Run a recipe's stage and return its run directory.

    The same call again returns the finished run, or goes on after a kill.

    Args:
        recipe: What to do; every "auto" in it is decided here.
        out: The run directory.
        source: Rows given as Python objects; otherwise ``recipe.data.path`` is read.

    Raises:
        TinyBertError: What is wrong, all at once, before anything is trained.
    """
    quiet_libraries()
    rows = _source(recipe, source)
    place = Path(out)
    resolved, models, carry_out = _settle(recipe)
    is_text = resolved.stage == "pretrain" or resolved.task == GENERAL
    if is_text:
        refuse_inside(place, rows)
    inputs = {"data": digest_input(rows, is_text=is_text)} | {
        name: digest_input(path) for name, path in models.items()
    }
    with RunInProgress(place, resolved, inputs, is_comparable=not is_pipe(rows)) as run:
        return run.finished or carry_out(run, rows)


def _settle(recipe: Recipe) -> tuple[Recipe, dict[str, str], Callable[[RunInProgress, object], Run]]:
    """Return the resolved recipe, the models it reads by name, and what carries it out."""
    if recipe.stage == "finetune":
        resolved = resolve_finetune(recipe)
        return resolved, {"model": str(resolved.model)}, partial(finetune, resolved)
    if recipe.stage == "pretrain":
        resolved = resolve_pretrain(recipe)
        return resolved, models_of_pretrain(resolved), partial(pretrain, resolved)
    if recipe.task == GENERAL:
        general = plan_general(recipe)
        return general.recipe, general.models(), partial(distill_general, general)
    plan = plan_distill(recipe)
    return plan.recipe, plan.models(), partial(distill, plan)


def describe_plan(recipe: Recipe) -> str:
    """Return what a recipe would do, every "auto" decided, for ``--dry-run``; nothing is written."""
    if recipe.data.path is not None:
        refuse_missing(recipe.data.path)
    if recipe.stage == "finetune":
        return dump_recipe(resolve_finetune(recipe))
    if recipe.stage == "pretrain":
        return dump_recipe(resolve_pretrain(recipe))
    plan = plan_general(recipe) if recipe.task == GENERAL else plan_distill(recipe)
    teacher = plan.teacher if isinstance(plan, GeneralPlan) else f"{plan.teacher.path} ({plan.teacher.kind})"
    shape = plan.shape
    lines = [
        f"# teacher: {teacher}",
        f"# student: {shape.num_hidden_layers} layers × {shape.hidden_size}, "
        f"{shape.num_attention_heads} heads, feed-forward {shape.intermediate_size}; "
        f"start: {plan.start} from {plan.source}",
    ]
    if plan.layer_map:
        lines.append(f"# student layers 1–{len(plan.layer_map)} ← teacher layers {list(plan.layer_map)}")
    return "\n".join(lines) + "\n" + dump_recipe(plan.recipe)


def _source(recipe: Recipe, source: object) -> object:
    if source is not None:
        return source
    if recipe.data.path is None:
        raise RecipeError(
            "recipe", "data.path is missing; give the data a file, a folder, a hub name or bundled:NAME"
        )
    return recipe.data.path


def quiet_libraries() -> None:
    """Keep other libraries' chatter off the terminal: what matters, we say."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.utils.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="torch.utils.data")
