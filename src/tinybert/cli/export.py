"""``tinybert export``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tinybert.cli.options import Flag


def export(
    run: Path,
    *,
    format: str = "onnx",
    precision: Literal["fp32", "bf16", "int8"] = "int8",
    data: str | None = None,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    min_kept: float | None = None,
    check: Flag = False,
    json: Flag = False,
) -> None:
    """Write a run or a checkpoint for another runtime, and prove on real rows that it answers the same.

    Args:
        run: Run or checkpoint folder; the export goes to RUN/exports/FORMAT-PRECISION.
        format: onnx (ONNX Runtime, browsers), openvino (Intel and AMD processors) or litert (phones).
        precision: fp32; bf16 (openvino); int8.
        data: Rows to prove it on, file or folder; those the run was trained and validated on when not given.
        text: Column of the text in --data.
        text_pair: Column of the second text in --data.
        label: Column of the label in --data.
        min_kept: Share of the checkpoint's metric that must be kept, for example 0.98.
        check: Export nothing; measure the exports that are there once more.
        json: Print the figures as JSON.
    """
    import json as json_module
    from dataclasses import asdict

    from tinybert.config import DataSection
    from tinybert.evaluation import plain_table
    from tinybert.inference.export import parity_of, tolerance_of
    from tinybert.inference.parity import parity_table
    from tinybert.stages import export as stage
    from tinybert.stages.pipeline import quiet_libraries

    quiet_libraries()
    settings = DataSection(text=text, text_pair=text_pair, label=label)
    if check:
        found = stage.check_exports(run, data=data, settings=settings, min_kept=min_kept)
    else:
        made = stage.export(
            run, to=format, precision=precision, data=data, settings=settings, min_kept=min_kept
        )
        found = {made.name: parity_of(made)}
    if json:
        print(json_module.dumps({name: asdict(parity) for name, parity in found.items()}, indent=2))
        return
    for name, parity in found.items():
        allowed = tolerance_of(name.rpartition("-")[2], min_kept)  # pyright: ignore[reportArgumentType]
        print(f"\n{name}: {parity.num_rows:,} rows\n" + plain_table(parity_table(parity, allowed)))
        print(f"\nexport: {run / 'exports' / name}   report: {run / 'exports' / name / 'parity.md'}")
