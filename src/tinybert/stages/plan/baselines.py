"""What a student is compared with."""

from __future__ import annotations

from collections.abc import Callable

from tinybert.config import Recipe
from tinybert.errors import RecipeError
from tinybert.lookup import nearest
from tinybert.tasks import Task

BASELINES: dict[str, Callable[[Task], bool]] = {
    "fine_tune_only": lambda task: True,
    "tfidf": lambda task: task.linear is not None,
}
"""Name → whether a task has it; how each is trained: :mod:`tinybert.stages.steps.baselines`."""


def plan_baselines(recipe: Recipe, task: Task) -> tuple[str, ...]:
    """Return the names of the baselines; auto is all that the task has.

    Raises:
        RecipeError: The task has no such baseline.
    """
    known = [name for name, fits in BASELINES.items() if fits(task)]
    allowed = ("auto", *known)
    problems = [
        f"baseline = {name!r}: {task.name} allows {', '.join(allowed)}{nearest(name, allowed)}"
        for name in recipe.baseline
        if name not in allowed
    ]
    if problems:
        raise RecipeError("recipe", problems)
    names = [each for name in recipe.baseline for each in (known if name == "auto" else [name])]
    return tuple(dict.fromkeys(names))
