"""How far a score may be by the chance of which rows there are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

QUANTILES = (0.025, 0.975)


def percentile_interval(
    statistics: np.ndarray, scores: Callable[[np.ndarray], np.ndarray], *, resamples: int, seed: int
) -> tuple[float, float]:
    """Return the 95 % interval of a score by the percentile bootstrap over rows.

    Args:
        statistics: (N, K) numbers of each row.
        scores: Sums over rows (R, K) → scores (R).
        resamples: R, how often N rows are drawn with replacement.
        seed: Of the draws; the same seed draws the same rows for every metric.

    Returns:
        Lower and upper end, in the score's unit.

    Source: Koehn 2004, ACL W04-3250 (https://aclanthology.org/W04-3250/).

    Example:
        >>> rows = np.tile([[0.0, 1.0], [1.0, 1.0]], (50, 1))  # half of 100 rows are right
        >>> low, high = percentile_interval(rows, lambda sums: sums[:, 0] / sums[:, 1], resamples=999, seed=0)
        >>> round(low, 1), round(high, 1)
        (0.4, 0.6)
    """
    rng = np.random.default_rng(seed)
    num_rows = len(statistics)
    sums = np.empty((resamples, statistics.shape[1]))
    for resample in range(resamples):
        times_drawn = np.bincount(rng.integers(num_rows, size=num_rows), minlength=num_rows)
        sums[resample] = times_drawn @ statistics
    low, high = np.quantile(scores(sums), QUANTILES)
    return float(low), float(high)
