"""``tinybert demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tinybert.cli.options import OutputOptions, run


def demo(
    *overrides: str,
    quick: bool = False,
    teacher: Literal["minilm", "mpnet", "e5"] | None = None,
    language: Literal["en", "zh"] = "en",
    out: Path | None = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Fine-tune a real BERT teacher on reviews, distil it, and show the table.

    Args:
        overrides: Settings as key.path=value.
        quick: Train on fewer reviews; for a first look.
        teacher: The bundled teacher: minilm for English reviews, e5 for Chinese ones when not given.
        language: Of the reviews: English films, or Chinese ones of many things.
        out: The run directory; runs/demo, runs/demo-zh, runs/demo-quick, … when not given.
        output: What is printed.
    """
    from tinybert.config import build_recipe
    from tinybert.stages.demo import demo_folder, demo_recipe

    recipe = demo_recipe(quick=quick, teacher=teacher, language=language)
    recipe = build_recipe(recipe.model_dump(mode="json"), overrides, subject="command line")
    run(recipe, out or demo_folder(quick=quick, teacher=teacher, language=language), output)
