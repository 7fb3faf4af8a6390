"""The folder of a search, ``OUT.budget``: what is known stays known."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

import yaml

from tinybert.config import Recipe, build_recipe, dump_recipe, settings
from tinybert.errors import RecipeError
from tinybert.evaluation.report import markdown_table
from tinybert.runs import METRICS, digest_input
from tinybert.search.budget import Budget, Candidate, budget_table
from tinybert.storage import Json, Output, read_json, write_json, write_text

STATE, REPORT = "budget.json", "budget.md"


class SearchFolder(Output):
    """The student that becomes ``OUT``, and ``OUT.budget``, where what is measured and trained stays.

    Args:
        out: The run directory.
        recipe: Of the distillation.
        budget: What is asked.
        shapes: That are tried.
        rows: The data.
    """

    def __init__(
        self, out: Path, recipe: Recipe, budget: Budget, *, shapes: Sequence[str], rows: object
    ) -> None:
        made_from = {
            "recipe": settings(recipe),
            "shapes": list(shapes),
            "data": digest_input(rows),
            "budget": asdict(budget),
        }
        super().__init__(out, made_from, report=METRICS)
        self.path = out.with_name(f"{out.name}.budget")
        self.recipe, self.budget = recipe, budget

    @property
    def work(self) -> Path:
        """The same folder: nothing is cleared away."""
        return self.path

    @property
    def state(self) -> Json:
        """What is known so far."""
        file = self.path / STATE
        return read_json(file) if file.is_file() else {}

    def known(self, *, is_finished: bool) -> Json | None:
        """Return what the search in the folder is for; None where nothing is trained, and nothing to lose."""
        state = self.state
        if "made_from" not in state or not (is_finished or state.get("begun")):
            return None
        made_from = cast(Json, state["made_from"])
        try:
            recipe = settings(build_recipe(yaml.safe_load(str(made_from["recipe"]))))
        except RecipeError:
            recipe = None
        budget = state.get("kept") if is_finished else self.made_from["budget"]
        return {**made_from, "recipe": recipe, "budget": budget}

    def mark(self) -> None:
        """Note what the search is for; what was measured for another is forgotten."""
        made_from = {name: self.made_from[name] for name in ("shapes", "data")}
        made_from = {"recipe": dump_recipe(self.recipe), **made_from}
        is_same = self.state.get("begun") or self.state.get("made_from") == made_from
        write_json(self.path / STATE, {**(self.state if is_same else {}), "made_from": made_from})

    def discard(self) -> None:
        """Leave all where it is: another budget may be met by what is trained already."""

    def measured(self, machine: str, measure: Callable[[Path], list[Candidate]]) -> list[Candidate]:
        """Return what shapes cost on a machine, measured once."""
        state, known = self.state, self.state.get("measured")
        if known and state.get("machine") == machine:
            return [Candidate(**each) for each in cast("list[dict[str, object]]", known)]  # pyright: ignore[reportArgumentType]
        found = measure(self.path)
        self.save_state(measured=[asdict(each) for each in found], machine=machine)
        return found

    def forget(self) -> None:
        """Forget what was measured: a busy machine may have been to blame."""
        self.save_state(measured=None)

    def student(self, shape: str) -> Path:
        """Return where a shape is trained: its name, or a checkpoint's path, as the name of a folder."""
        return self.path / (re.sub(r"[^\w-]+", "_", shape).strip("_") or "student")

    def write_table(self, candidates: Sequence[Candidate]) -> None:
        """Write the table so far."""
        self.save_state(candidates=[asdict(each) for each in candidates])
        limits = asdict(self.budget)
        asked = ", ".join(f"{name} = {value}" for name, value in limits.items() if value is not None)
        text = f"# Students within a budget\n\n{asked}\n\n{markdown_table(budget_table(candidates))}\n"
        write_text(self.path / REPORT, text)

    def save_state(self, **metadata: object) -> None:
        """Keep what is known."""
        write_json(self.path / STATE, self.state | metadata)
