"""Only rows with a gold label are scored."""

from __future__ import annotations

import numpy as np

from tinybert.errors import DataError

UNLABELLED = -100


def labelled_rows(predictions: np.ndarray, gold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Skip the rows whose gold label is −100 or holds a NaN.

    Args:
        predictions: (N, …).
        gold: (N, …), whole numbers, or floats in which NaN is no label.

    Raises:
        DataError: The numbers of rows differ, or no row has a label.
    """
    if len(predictions) != len(gold):
        raise DataError(
            "metrics", f"{len(predictions):,} predictions for {len(gold):,} gold labels: one each is needed"
        )
    if np.issubdtype(gold.dtype, np.floating):
        labelled = ~np.isnan(gold.reshape(len(gold), -1)).any(axis=1) if len(gold) else np.zeros(0, bool)
    else:
        labelled = (gold != UNLABELLED).reshape(len(gold), -1).all(axis=1) if len(gold) else np.zeros(0, bool)
    if not labelled.any():
        raise DataError("metrics", f"none of {len(gold):,} rows has a gold label; score a labelled split")
    return predictions[labelled], gold[labelled]
