"""``tinybert export``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tinybert.cli.options import ColumnOptions, Flag, OutputOptions, make_recipe
from tinybert.cli.options import run as run_stage


def export(
    run: Path,
    *overrides: str,
    format: str = "onnx",
    precision: Literal["fp32", "bf16", "int8"] = "int8",
    data: str | None = None,
    columns: ColumnOptions = ColumnOptions(),
    min_kept: float | None = None,
    check: Flag = False,
    task: str | None = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Write a run or a checkpoint for another runtime, and prove on real rows that it predicts the same.

    Args:
        run: Run or checkpoint folder; the export goes to RUN/exports/FORMAT-PRECISION.
        overrides: Settings as key.path=value.
        format: onnx (ONNX Runtime, browsers), openvino (Intel and AMD processors) or litert (phones).
        precision: fp32; bf16 (openvino); int8.
        data: Rows to prove it on, file or folder; those the run was trained and validated on when not given.
        columns: Columns of --data.
        min_kept: Share of the checkpoint's metric that must be kept, for example 0.98.
        check: Export nothing; measure the exports that are there once more.
        task: package.module:attr, for a run of a task of your own; its code is run.
        output: What is printed.
    """
    section = {"format": format, "precision": precision, "min_kept": min_kept, "check": check}
    recipe = make_recipe("export", data, columns, overrides, task=task, model=str(run), export=section)
    run_stage(recipe, None, output)
