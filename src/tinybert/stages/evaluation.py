"""Score a finished model on a split of some data."""

from __future__ import annotations

import numpy as np

from tinybert.config import DataSection
from tinybert.data import load
from tinybert.evaluate import text_rows
from tinybert.predict import Predictor
from tinybert.runs import Json


def evaluate_split(run: str, source: object, *, split: str, settings: DataSection) -> Json:
    """Return a model's metrics on one split; a single file is scored whole.

    Args:
        run: Run, checkpoint or hub name.
        source: Anything :func:`tinybert.data.load` reads.
        split: train, validation or test.
        settings: Columns and what to do with bad rows.

    Raises:
        DataError: The split is missing, or rows are bad, or a label is one the model does not know.
        ModelError: The checkpoint cannot be used.
    """
    predictor = Predictor(run)
    data = load(
        source,  # pyright: ignore[reportArgumentType]
        settings=settings,
        label_kind=predictor.task.label_kind,
        need=(split,),
        known_labels=predictor.labels,
    )
    rows = data.splits[split]
    scores = predictor.task.metrics(predictor.logits(text_rows(rows)), np.asarray(rows["label"]))
    return {"split": split, "num_rows": len(rows), "num_rows_refused": len(data.bad_rows), **scores}
