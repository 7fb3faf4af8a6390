"""``tinybert demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def demo(
    *overrides: str,
    quick: bool = False,
    out: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Fine-tune a real BERT teacher on movie reviews, distil it, and show the table.

    Args:
        overrides: Settings as key.path=value.
        quick: Train on 500 reviews only; for a first look.
        out: The run directory; runs/demo or runs/demo-quick when not given.
        json: Print metrics.json instead of the table.
        dry_run: Print the plan and stop.
    """
    from tinybert.cli.options import carry_out
    from tinybert.config import build_recipe
    from tinybert.stages.demo import demo_recipe

    recipe = build_recipe(demo_recipe(quick=quick).model_dump(mode="json"), overrides, subject="command line")
    place = out or Path("runs") / ("demo-quick" if quick else "demo")
    carry_out(recipe, place, dry_run=dry_run, as_json=json)
