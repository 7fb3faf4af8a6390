"""Which of some rows a finished run was trained on: it predicts those from memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from tinybert.console import warn
from tinybert.data import row_hashes
from tinybert.runs import Run, is_run, missing_files

NOT_KNOWN = "whether it was trained on these rows is not known: all are scored"


def run_of(path: str | Path) -> Run | None:
    """Return the run that a checkpoint is, or lies in: as its teacher, or as an export."""
    folder = Path(path).expanduser().resolve()
    if not folder.is_dir():
        return None
    return next((Run(each) for each in (folder, *folder.parents[:2]) if is_run(each)), None)


def seen_rows(path: str | Path, rows: Dataset) -> NDArray[np.bool_] | None:
    """Return which rows a run was trained on, but for case and white space; None where that is not known.

    A run that should know and does not is reported.

    Args:
        path: Run, checkpoint or hub name.
        rows: As :func:`tinybert.data.load` has them.
    """
    if missing := missing_files(Path(path).expanduser()):
        warn(f"{path}: {' and '.join(missing)} missing; {NOT_KNOWN}")
        return None
    run = run_of(path)
    if run is None:
        return None
    if run.train_rows is None:
        warn(f"{path}: the run keeps no record of its training rows, or a damaged one; {NOT_KNOWN}")
        return None
    return np.isin(row_hashes(rows), run.train_rows)


def warn_if_seen(path: str | Path, seen: NDArray[np.bool_], *, name: str) -> None:
    """Say what share of some rows a run was trained on.

    Args:
        path: The run.
        seen: What :func:`seen_rows` has returned.
        name: Of the rows.
    """
    if seen.any():
        rest = "; none of them is new" if seen.all() else ""
        warn(
            f"{name}: {int(seen.sum()):,} of {len(seen):,} rows ({seen.mean():.1%}) are among those that "
            f"{path} was trained on, and are predicted from memory{rest}"
        )
