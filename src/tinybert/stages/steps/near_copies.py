"""Copies that a teacher predicts much as the row they come from; its scores are kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from tinybert.checksums import is_kept, record_file
from tinybert.console import progress, say
from tinybert.inference import Predictor
from tinybert.sources.columns import SOURCE_ROW
from tinybert.storage import whole

ROWS_A_FILE = 2048
"""Rows between two files of a teacher's scores."""


def scored_copies(
    rows: Dataset, copies: Dataset, teacher: Predictor, folder: Path, *, max_shift: float | None
) -> tuple[Dataset, NDArray[np.float32]]:
    """Return the copies that are kept, and the teacher's scores (N, C) of them.

    Args:
        rows: The originals.
        copies: Their copies, with ``source_row``.
        teacher: Who scores both.
        folder: See :func:`scores_on_disk`.
        max_shift: See :func:`near_copies`; None keeps all.
    """
    scores = scores_on_disk(teacher, copies, folder, name="copies")
    if max_shift is None:
        return copies, scores
    kept = near_copies(rows, copies, scores, teacher, folder, max_shift=max_shift)
    return copies.select(kept), scores[kept]


def scores_on_disk(teacher: Predictor, rows: Dataset, folder: Path, *, name: str) -> NDArray[np.float32]:
    """Return a teacher's scores (N, C) of whole texts; after a kill it resumes behind the last block.

    Args:
        teacher: Who scores them.
        rows: With ``text``, and perhaps ``text_pair``.
        folder: Where finished blocks of scores are kept.
        name: What the rows are.
    """
    blocks: list[NDArray[np.float32]] = []
    texts = rows.select_columns([column for column in ("text", "text_pair") if column in rows.column_names])
    files = {start: folder / f"{name}-{start:09d}.npy" for start in range(0, len(rows), ROWS_A_FILE)}
    done = sum(min(ROWS_A_FILE, len(rows) - start) for start, file in files.items() if is_kept(file))
    with progress(f"asking the teacher about {name}", len(rows), unit="rows", done=done) as advance:
        for start, file in files.items():
            if not file.is_file():
                part = texts.select(range(start, min(start + ROWS_A_FILE, len(rows))))
                scores = np.asarray(teacher.outputs(part), dtype=np.float32)
                with whole(file) as partial, partial.open("wb") as stream:
                    np.save(stream, scores, allow_pickle=False)
                record_file(file)
                advance(len(part))
            blocks.append(np.load(file, allow_pickle=False))
    return np.concatenate(blocks)


def near_copies(
    rows: Dataset,
    copies: Dataset,
    scores: NDArray[np.float32],
    teacher: Predictor,
    folder: Path,
    *,
    max_shift: float,
) -> NDArray[np.intp]:
    """Return which copies do not shift the teacher's prediction too far.

    Args:
        rows: The originals.
        copies: Their copies, with ``source_row``.
        scores: The teacher's, of the copies.
        teacher: Who scores the originals too.
        folder: See :func:`scores_on_disk`.
        max_shift: Largest total variation between the teacher's probabilities for a copy and its original.
    """
    probabilities = teacher.task.probabilities
    assert probabilities is not None  # the plan asked for it
    before, after = (
        probabilities(each) for each in (scores_on_disk(teacher, rows, folder, name="rows"), scores)
    )
    shift = 0.5 * np.abs(after - before[np.asarray(copies[SOURCE_ROW])]).sum(1)
    kept = np.flatnonzero(shift <= max_shift)
    say(
        f"{len(copies) - len(kept):,} of {len(copies):,} copies shift the teacher's prediction by "
        "more than augment.max_shift and are skipped"
    )
    return kept
