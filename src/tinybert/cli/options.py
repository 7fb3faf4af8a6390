"""From words on the command line to a recipe, and from a run to what is printed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tinybert.config import Recipe

OnBadRow = Literal["stop", "skip"]
Tree = dict[str, object]


def make_recipe(
    stage: str,
    data: str | None,
    overrides: Sequence[str],
    *,
    task: str,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    on_bad_row: OnBadRow | None = None,
    **rest: object,
) -> Recipe:
    """Lay options and overrides together; options left out keep the recipe's defaults."""
    from tinybert.config import build_recipe

    section = {"path": data, "text": text, "text_pair": text_pair, "label": label, "on_bad_row": on_bad_row}
    tree: Tree = {"stage": stage, "task": task, "data": _given(section)}
    for key, value in rest.items():
        tree[key] = _given(value) if isinstance(value, Mapping) else value
    return build_recipe(_given(tree), overrides, subject="command line")


def _given(section: Mapping[str, object]) -> Tree:
    return {key: value for key, value in section.items() if value is not None}


def carry_out(recipe: Recipe, out: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Run a recipe, or with ``dry_run`` only show its plan; then print the table or the metrics."""
    from tinybert.errors import RecipeError
    from tinybert.stages.pipeline import describe_plan, quiet_libraries, run_recipe

    if dry_run:
        quiet_libraries()
        print(describe_plan(recipe), end="")
        return
    if out is None:
        raise RecipeError(
            "command line", "--out is missing; give the run a folder, for example --out runs/first"
        )
    run = run_recipe(recipe, out)
    if as_json:
        print(json.dumps(run.metrics, indent=2, ensure_ascii=False))
    else:
        print_run(run.path, run.metrics)


def print_run(path: Path, metrics: Mapping[str, object]) -> None:
    """Print a run's table and where to look next."""
    from tinybert.evaluate import plain_table, table_rows

    print("\n" + plain_table(table_rows(metrics)))
    if metrics.get("retention"):
        print(
            f"\nretention: {float(str(metrics['retention'])):.1%} of the teacher's {metrics['main_metric']} "
            f"on the {metrics['split']} split"
        )
    print(f"\nrun: {path}   report: {path / 'report.md'}")
    print(f'try: tinybert predict {path} "a text of yours"')
