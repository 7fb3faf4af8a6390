"""From words on the command line to a recipe, and from a run to what is printed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from tinybert.config import Recipe
    from tinybert.runs import Run
    from tinybert.search.budget import Promise

OnBadRow = Literal["stop", "skip"]
Tree = dict[str, object]
Flag = Annotated[bool, Parameter(negative=())]
Column = Annotated[str | None, Parameter(name=["--text", "--column"])]
Text = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""A name, or - for standard input, which would else pass for an option."""


@Parameter(name="*")
@dataclass(frozen=True)
class Reading:
    """How a command reads its rows.

    Args:
        task: classification, multilabel, regression, ner or qa; for distill also general: raw text, no task.
        text: Column of the text, the tokens or the question.
        text_pair: Column of the second text, or of the context of a question.
        label: Column of the label, the tags, the spans or the answers.
        on_bad_row: stop (list them all and exit) or skip (set them aside in bad_rows.jsonl).
    """

    task: str | None = None
    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    on_bad_row: OnBadRow | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class Showing:
    """What a command that makes a run prints.

    Args:
        json: Print metrics.json instead of the table.
        dry_run: Print the plan and stop.
    """

    json: Flag = False
    dry_run: Flag = False


def make_recipe(stage: str, data: str, reading: Reading, overrides: Sequence[str], **rest: object) -> Recipe:
    """Lay options and overrides together; options left out keep the recipe's defaults.

    Raises:
        RecipeError: Any setting is wrong; all are listed.
    """
    from tinybert.config import build_recipe

    section = {**asdict(reading), "path": data}
    tree: Tree = {"stage": stage, "task": section.pop("task"), "data": _given(section)}
    for key, value in rest.items():
        tree[key] = _given(value) if isinstance(value, Mapping) else value
    return build_recipe(_given(tree), overrides, subject="command line")


def make_text_recipe(
    stage: str, text: str, column: str | None, overrides: Sequence[str], **rest: object
) -> Recipe:
    """Lay options and overrides of a stage that reads raw text together.

    Raises:
        RecipeError: Any setting is wrong; all are listed.
    """
    return make_recipe(stage, text, Reading(text=column), overrides, **rest)


def _given(section: Mapping[str, object]) -> Tree:
    return {key: value for key, value in section.items() if value is not None}


def carry_out(recipe: Recipe, out: Path | None, showing: Showing) -> None:
    """Run a recipe, or only show its plan; then print the table or the metrics.

    Raises:
        TinyBertError: What is wrong, all at once, before anything is trained.
    """
    from tinybert.stages.pipeline import describe_plan, quiet_libraries, run_recipe

    if showing.dry_run:
        quiet_libraries()
        print(describe_plan(recipe), end="")
        return
    show_run(run_recipe(recipe, named(out)), showing)


def carry_out_within(
    recipe: Recipe, out: Path | None, showing: Showing, promise: Promise, *, shapes: Sequence[str]
) -> None:
    """Find the smallest student that keeps a promise; or only measure what there could be.

    Raises:
        TinyBertError: What is wrong, or that no student keeps it.
    """
    from tinybert.search.budget import distill_within

    run = distill_within(recipe, named(out), promise, shapes=shapes, dry_run=showing.dry_run)
    if not showing.dry_run:
        show_run(run, showing)


def named(out: Path | None) -> Path:
    """Return where a run goes.

    Raises:
        RecipeError: Nobody said.
    """
    if out is None or not out.name:
        from tinybert.errors import RecipeError

        raise RecipeError(
            "command line", "--out is missing; give the run a folder, for example --out runs/first"
        )
    return out


def show_run(run: Run, showing: Showing) -> None:
    """Print a finished run: its table, or its metrics as JSON."""
    if showing.json:
        print(json.dumps(run.metrics, indent=2, ensure_ascii=False))
    else:
        print_run(run.path, run.metrics)


def print_run(path: Path, metrics: Mapping[str, object]) -> None:
    """Print a run's table and where to look next."""
    from tinybert.evaluation import plain_table, table_rows, text_table
    from tinybert.runs import Run

    if "held_out" in metrics:
        print("\n" + plain_table(text_table(Run(path).log)))
        print(f"\nrun: {path}   report: {path / 'report.md'}   picture: {path / 'learning_curve.png'}")
        return
    print("\n" + plain_table(table_rows(metrics)))
    if metrics.get("retention"):
        print(
            f"\nretention: {float(str(metrics['retention'])):.1%} of the teacher's {metrics['main_metric']} "
            f"on the {metrics['split']} split"
        )
    print(f"\nrun: {path}   report: {path / 'report.md'}")
    print(f'try: tinybert predict {shlex.quote(str(path))} "a text of yours"')
