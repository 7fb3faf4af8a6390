"""``tinybert demo``."""

from __future__ import annotations

from pathlib import Path

from tinybert.cli.options import OutputOptions, run


def demo(
    *overrides: str,
    quick: bool = False,
    out: Path | None = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Fine-tune a real BERT teacher on movie reviews, distil it, and show the table.

    Args:
        overrides: Settings as key.path=value.
        quick: Train on 500 reviews only; for a first look.
        out: The run directory; runs/demo or runs/demo-quick when not given.
        output: What is printed.
    """
    from tinybert.config import build_recipe
    from tinybert.stages.demo import demo_recipe

    recipe = build_recipe(demo_recipe(quick=quick).model_dump(mode="json"), overrides, subject="command line")
    folder = out or Path("runs") / ("demo-quick" if quick else "demo")
    run(recipe, folder, output)
