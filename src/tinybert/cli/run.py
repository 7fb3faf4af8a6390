"""``tinybert run``."""

from __future__ import annotations

from pathlib import Path

from tinybert.cli import options
from tinybert.cli.options import OutputOptions

OWN_PLACES = ("export", "bench")
"""Stages that write into the folder of a model."""
ENDINGS = {"augment": ".jsonl"}


def run(
    recipe: Path,
    *overrides: str,
    out: Path | None = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Run a recipe file.

    Args:
        recipe: A YAML file; keys that are not set keep their defaults.
        overrides: Settings as key.path=value.
        out: Where it goes; runs/NAME of the recipe file when not given; needed for RUN/recipe.yaml.
        output: What is printed.
    """
    from tinybert.config import load_recipe

    loaded = load_recipe(recipe, overrides)
    if out is None and recipe.name != "recipe.yaml" and loaded.stage not in OWN_PLACES:
        # every run keeps its recipe as recipe.yaml: to repeat one needs a name of its own
        out = Path("runs") / f"{recipe.stem}{ENDINGS.get(loaded.stage, '')}"
    options.run(loaded, out, output)
