"""From a recipe to what it makes, whatever its stage; what is already done is not done again."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from pathlib import Path

import datasets
import transformers

from tinybert.config import Recipe, given_settings, make_recipe, settings
from tinybert.corpus.places import is_pipe
from tinybert.errors import RecipeError, TinyBertError
from tinybert.runs import Run, RunInProgress, digest_input, refuse_inside
from tinybert.sources.locate import refuse_missing
from tinybert.sources.objects import source_of
from tinybert.stages import STAGES
from tinybert.stages.plan.vocabulary import TEXT
from tinybert.stages.stage import Made, Plan, problems_of
from tinybert.storage import partial_path
from tinybert.training import one_at_a_time


@one_at_a_time()
def run_recipe(recipe: Recipe, out: str | Path | None = None, *, source: object = None) -> Run | Made:
    """Run a recipe's stage and return what it made: a run directory, a folder or a file.

    The same call again returns what is finished, or resumes it after a kill. Of several threads one runs at a
    time, the others wait.

    Args:
        recipe: What to do; every "auto" in it is decided here.
        out: Where it goes; an export and a comparison have a place of their own.
        source: Rows or texts given as Python objects; otherwise ``recipe.data.path`` is read.

    Raises:
        TinyBertError: What is wrong, all at once, before anything is trained.
    """
    quiet_libraries()
    stage = STAGES[recipe.stage]
    data = recipe.data.path if source is None else source_of(source)
    if data is None and stage.needs_data:
        raise RecipeError(
            "recipe", "data.path is missing; give the data a file, a folder, a hub name or bundled:NAME"
        )
    plan = make_plan(recipe)
    target = stage.target(plan) if out is None else Path(out)
    if not stage.makes_run:
        return stage.run(plan, target, data)
    if stage.reads_raw_text:
        refuse_inside(target, data)
    if TEXT in plan.inputs():
        refuse_inside(target, plan.inputs()[TEXT])
    with _run_at(target, plan, data, is_text=stage.reads_raw_text) as run:
        return run.finished or stage.run(plan, run, data)


def _run_at(target: Path, plan: Plan, data: object, *, is_text: bool) -> RunInProgress:
    inputs = {"data": digest_input(data, is_text=is_text)} | {
        name: digest_input(path, is_text=name == TEXT) for name, path in plan.inputs().items()
    }
    return RunInProgress(target, plan.recipe, inputs, is_comparable=not is_pipe(data))


def make_plan(recipe: Recipe) -> Plan:
    """Return what a recipe would do, every "auto" decided; ``describe()`` says it. Nothing is written.

    Raises:
        TinyBertError: What is wrong, and every setting that the stage does not use, all at once.
    """
    stage = STAGES[recipe.stage]
    unused, used = stage.unused(recipe), stage.used(recipe)
    given = {name: value for name, value in given_settings(recipe).items() if name in used}
    try:
        plan = stage.plan(make_recipe(given))
    except TinyBertError as error:
        if not unused:
            raise
        raise RecipeError("recipe", [*unused, *problems_of(error)]) from error
    if unused:
        raise RecipeError("recipe", unused)
    decided = settings(plan.recipe)
    return replace(plan, recipe=make_recipe({name: decided[name] for name in used}))


def describe_plan(recipe: Recipe, out: Path | None = None) -> str:
    """Return what a recipe would do, for ``--dry-run``; nothing is written.

    Args:
        recipe: What to do.
        out: Where it would go: what is there already, finished or half made, is said, or refused.

    Raises:
        TinyBertError: What is wrong, all at once.
    """
    quiet_libraries()
    stage, data = STAGES[recipe.stage], recipe.data.path
    if data is not None:
        refuse_missing(data)
    plan = make_plan(recipe)
    if out is not None and stage.makes_run and data is not None and _is_taken(out):
        _run_at(out, plan, data, is_text=stage.reads_raw_text).look()
    return plan.describe()


def _is_taken(out: Path) -> bool:
    return out.exists() or partial_path(out).exists()


def quiet_libraries() -> None:
    """Keep other libraries' chatter off the terminal: what matters, we say."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.utils.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="torch.utils.data")
