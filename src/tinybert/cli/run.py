"""``tinybert run``."""

from __future__ import annotations

from pathlib import Path

from tinybert.cli.options import Showing, carry_out


def run(
    recipe: Path,
    *overrides: str,
    out: Path | None = None,
    showing: Showing = Showing(),
) -> None:
    """Run a recipe file.

    Args:
        recipe: A YAML file; keys left out keep their defaults.
        overrides: Settings as key.path=value.
        out: The run directory; runs/NAME of the recipe file when not given.
        showing: What is printed.
    """
    from tinybert.config import load_recipe

    carry_out(load_recipe(recipe, overrides), out or Path("runs") / recipe.stem, showing)
