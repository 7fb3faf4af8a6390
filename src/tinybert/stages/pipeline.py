"""From a recipe to a finished run, whatever its stage; what is already done is not done again."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from pathlib import Path

import datasets
import transformers

from tinybert.config import Recipe, given_settings, make_recipe, settings
from tinybert.corpus.documents import is_pipe
from tinybert.errors import RecipeError, TinyBertError
from tinybert.runs import Run, RunInProgress, digest_input, refuse_inside
from tinybert.sources.locate import refuse_missing
from tinybert.stages import STAGES
from tinybert.stages.stage import Plan


def run_recipe(recipe: Recipe, out: str | Path, *, source: object = None) -> Run:
    """Run a recipe's stage and return its run directory.

    The same call again returns the finished run, or resumes it after a kill.

    Args:
        recipe: What to do; every "auto" in it is decided here.
        out: The run directory.
        source: Rows given as Python objects; otherwise ``recipe.data.path`` is read.

    Raises:
        TinyBertError: What is wrong, all at once, before anything is trained.
    """
    quiet_libraries()
    rows, place, stage = _source(recipe, source), Path(out), STAGES[recipe.stage]
    plan = make_plan(recipe)
    if stage.reads_raw_text:
        refuse_inside(place, rows)
    inputs = {"data": digest_input(rows, is_text=stage.reads_raw_text)} | {
        name: digest_input(path) for name, path in plan.inputs().items()
    }
    with RunInProgress(place, plan.recipe, inputs, is_comparable=not is_pipe(rows)) as run:
        return run.finished or stage.run(plan, run, rows)


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
        raise RecipeError("recipe", [*unused, *_problems_of(error)]) from error
    if unused:
        raise RecipeError("recipe", unused)
    decided = settings(plan.recipe)
    return replace(plan, recipe=make_recipe({name: decided[name] for name in used}))


def describe_plan(recipe: Recipe) -> str:
    """Return what a recipe would do, for ``--dry-run``; nothing is written."""
    if recipe.data.path is not None:
        refuse_missing(recipe.data.path)
    return make_plan(recipe).describe()


def _problems_of(error: TinyBertError) -> list[str]:
    own = error.subject == "recipe"
    return [problem if own else f"{error.subject}: {problem}" for problem in error.problems]


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
