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
        out: The run directory; runs/NAME of the recipe file when not given; needed for RUN/recipe.yaml.
        showing: What is printed.
    """
    from tinybert.config import load_recipe

    # every run keeps its recipe as recipe.yaml: to repeat one needs a name of its own
    place = out or (None if recipe.name == "recipe.yaml" else Path("runs") / recipe.stem)
    carry_out(load_recipe(recipe, overrides), place, showing)
