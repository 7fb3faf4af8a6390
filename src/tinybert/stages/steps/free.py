"""What costs nothing and is scored beside a model: predictors of a task that need none, such as the lead."""

from __future__ import annotations

from typing import cast

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from tinybert.evaluation import score_outputs
from tinybert.storage import Json
from tinybert.tasks import Task
from tinybert.tasks.task import Columns


def free_scores(
    task: Task,
    rows: Dataset,
    *,
    validation_rows: Dataset | None,
    split: str,
    leaked: NDArray[np.bool_] | None = None,
) -> dict[str, Json]:
    """Score what a task predicts without a model.

    Args:
        task: The task.
        rows: The labelled rows that are scored.
        validation_rows: The labelled rows by which a predictor chooses what there is to choose; maybe none.
        split: The key the metrics get.
        leaked: True at rows that are also in the train split.

    Returns:
        Name → its title, and its metrics as :func:`tinybert.evaluation.score_checkpoint` returns them.
    """
    found: dict[str, Json] = {}
    for name, fit in task.free.items():
        some = validation_rows is not None
        predictor = fit(_columns(validation_rows), task.format.gold(validation_rows)) if some else fit({}, [])
        scores, clean = score_outputs(task, predictor.predict(_columns(rows)), rows, leaked=leaked)
        without = {f"{split}_without_leakage": clean} if clean else {}
        found[name] = {"title": predictor.title, split: scores, **without}
    return found


def _columns(rows: Dataset) -> Columns:
    return cast(Columns, rows.select_columns([name for name in rows.column_names if name != "label"])[:])
