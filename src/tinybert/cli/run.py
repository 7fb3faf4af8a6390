"""``tinybert run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def run(
    recipe: Path,
    *overrides: str,
    out: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Run a recipe file.

    Args:
        recipe: A YAML file; keys left out keep their defaults.
        overrides: Settings as key.path=value.
        out: The run directory; runs/NAME of the recipe file when not given.
        json: Print metrics.json instead of the table.
        dry_run: Print the plan and stop.
    """
    from tinybert.cli.options import carry_out
    from tinybert.config import load_recipe

    carry_out(
        load_recipe(recipe, overrides), out or Path("runs") / recipe.stem, dry_run=dry_run, as_json=json
    )
