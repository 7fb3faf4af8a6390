"""What a stage is: which settings it reads, how it is planned, and how a plan is run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from tinybert.config import Recipe, changed_settings, dump_recipe, settings
from tinybert.console import warn
from tinybert.errors import RecipeError, TinyBertError
from tinybert.storage import Json

A = TypeVar("A")
B = TypeVar("B")
Switches = Mapping[str, tuple[str, object]]
"""Settings by their prefix → the setting that switches them off, and the value that does."""


@dataclass(frozen=True)
class Plan:
    """Everything that a stage needs to know before it loads weights.

    Attributes:
        recipe: The recipe with every "auto" decided: the settings that the stage reads, and no other.
    """

    recipe: Recipe

    def inputs(self) -> dict[str, str]:
        """Return what is read besides the data: name → path."""
        return {}

    def describe(self) -> str:
        """Return what would be done, for ``--dry-run``."""
        return dump_recipe(self.recipe)


@dataclass(frozen=True)
class Made:
    """What a stage has made that is no run directory.

    Attributes:
        path: The file or the folder.
        metrics: What was measured, as its report keeps it.
    """

    path: Path
    metrics: Json


def unnamed() -> RecipeError:
    """Return the error of an output without a path."""
    return RecipeError(
        "command line", "--out is missing; give the run a folder, for example --out runs/first"
    )


def _unnamed(_: Plan) -> Path:
    raise unnamed()


@dataclass(frozen=True)
class Stage:
    """One kind of work.

    Attributes:
        name: As recipes give it.
        reads: The settings it reads, by dotted names or their beginnings: ``data`` or ``data.path``.
        plan: From a recipe that holds these settings to a plan; every problem is raised here.
        run: From a plan, its output and the data to what is made. The output is a run that was begun, or,
            where no run directory is made, the path.
        switches: Settings that are read only while a part of the stage is on.
        makes_run: Whether the output is a run directory.
        needs_data: Whether it reads data that must be named.
        target: Where the output goes when no folder is given.
    """

    name: str
    reads: tuple[str, ...]
    plan: Callable[[Recipe], Plan]
    run: Callable[..., Any]
    switches: Switches = field(default_factory=dict[str, tuple[str, object]])
    makes_run: bool = True
    needs_data: bool = True
    target: Callable[[Any], Path] = _unnamed

    @property
    def reads_raw_text(self) -> bool:
        """Whether its data is raw text, not labelled rows."""
        return any(is_below(name, ["corpus"]) for name in self.reads)

    def unused(self, recipe: Recipe) -> list[str]:
        """Return what is wrong with the settings of a recipe that this stage does not read."""
        return unused_settings(recipe, self._is_unread, by=f"stage {self.name}")

    def used(self, recipe: Recipe) -> list[str]:
        """Return the names of the settings that this stage reads of a recipe.

        A setting of a part that is switched off is reported and not used: a recipe may be tried with the part
        and without.
        """
        given = settings(recipe)
        off = {part: switch for part, (switch, value) in self.switches.items() if given[switch] == value}
        is_off = [name for name in given if is_below(name, off) and name not in off.values()]
        for name in changed_settings(recipe):
            if name in is_off and not self._is_unread(name):
                switch = next(switch for part, switch in off.items() if is_below(name, [part]))
                warn(f"{name}: not used with {switch}={given[switch]}")
        return [name for name in given if not self._is_unread(name) and name not in is_off]

    def _is_unread(self, name: str) -> bool:
        return name != "stage" and not is_below(name, self.reads)


def is_below(name: str, prefixes: Iterable[str]) -> bool:
    """Return whether a dotted name is one of some prefixes, or begins with one.

    Example:
        >>> is_below("train.seed", ["train"]), is_below("trainer", ["train"])
        (True, False)
    """
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def unused_settings(recipe: Recipe, is_unused: Callable[[str], bool], *, by: str) -> list[str]:
    """Return one problem for each setting that is set and not used: silence would look like obedience.

    Args:
        recipe: As the user gave it.
        is_unused: By dotted name.
        by: What does not use it.
    """
    return [f"{name}: {by} does not use it; omit it" for name in changed_settings(recipe) if is_unused(name)]


def problems_of(error: TinyBertError) -> list[str]:
    """Return an error's problems as those of a recipe."""
    own = error.subject == "recipe"
    return [problem if own else f"{error.subject}: {problem}" for problem in error.problems]


def all_of(one: Callable[[], A], other: Callable[[], B], *checks: Callable[[], object]) -> tuple[A, B]:
    """Return what two steps of a plan return, once these and some checks are all without a problem.

    Raises:
        TinyBertError: The problems of all of them.
    """
    results: list[object] = []
    errors: list[TinyBertError] = []
    for step in (one, other, *checks):
        try:
            results.append(step())
        except TinyBertError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise RecipeError("recipe", [problem for error in errors for problem in problems_of(error)])
    return cast(A, results[0]), cast(B, results[1])
