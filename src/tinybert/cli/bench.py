"""``tinybert bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tinybert.cli.options import Flag


def bench(
    *runs: str,
    against: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    batch: str = "1,32",
    data: str | None = None,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    out: Path | None = None,
    json: Flag = False,
) -> None:
    """Measure runs and all their exports side by side: score, latency, throughput, memory, size, start-up.

    Args:
        runs: Runs or checkpoints.
        against: Other models to stand beside them: the teacher, any checkpoint.
        batch: Rows a batch, with commas between.
        data: Rows, file or folder; those the first run was validated on when not given.
        text: Column of the text in --data.
        text_pair: Column of the second text in --data.
        label: Column of the label in --data.
        out: Folder of bench.png, bench.html and bench.json; RUN/bench when not given.
        json: Print the figures as JSON.
    """
    import json as json_module
    from dataclasses import asdict

    from tinybert.config import DataSection
    from tinybert.errors import RecipeError
    from tinybert.evaluation import plain_table
    from tinybert.evaluation.report.bench import bench_table, length_table
    from tinybert.stages import bench as stage
    from tinybert.stages.pipeline import quiet_libraries

    quiet_libraries()
    try:
        sizes = [int(size) for size in batch.split(",")]
    except ValueError as error:
        raise RecipeError("bench", f"--batch {batch}: expected whole numbers, such as 1,32") from error
    found, metric = stage.bench(
        runs,
        against=against or (),
        data=data,
        settings=DataSection(text=text, text_pair=text_pair, label=label),
        batch_sizes=sizes,
        out=out,
    )
    if json:
        print(json_module.dumps([asdict(each) for each in found], indent=2))
        return
    print("\n" + plain_table(bench_table(found, metric)))
    print("\n" + plain_table(length_table(found)))
    place = out or Path(runs[0]) / "bench"
    print(f"\npicture: {place / 'bench.png'}   page: {place / 'bench.html'}")
