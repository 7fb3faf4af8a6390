"""``tinybert bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tinybert.cli.options import OutputOptions, RowOptions, make_recipe, run


def bench(
    *runs: str,
    against: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    batch: str = "1,32",
    data: str | None = None,
    rows: RowOptions = RowOptions(),
    out: Path | None = None,
    task: str | None = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Measure runs and all their exports side by side: score, latency, throughput, memory, size, start-up.

    Args:
        runs: Runs or checkpoints.
        against: Other models beside them: the teacher, any checkpoint.
        batch: Rows a batch, with commas between.
        data: Rows, file or folder; those the first run was validated on when not given.
        rows: How the rows of --data are read.
        out: Folder of bench.png, bench.html and bench.json; RUN/bench when not given.
        task: package.module:attr, for runs of a task of your own; its code is run.
        output: What is printed.
    """
    from tinybert.advice import advise

    sizes: list[object] = [int(size) if size.isdigit() else size for size in batch.split(",")]
    section = {"runs": list(runs), "against": against, "batch_sizes": sizes}
    with advise("option"):
        run(make_recipe("bench", data, rows, (), task=task, bench=section), out, output)
