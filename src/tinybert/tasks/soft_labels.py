"""Teacher outputs in a file: what a row says, and its logits. Legend: N rows, C outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from tinybert.data.labels import LabelScheme, tidy, whole_numbers
from tinybert.errors import DataError

TINY = 1e-6
Record = Mapping[str, object]


@dataclass(frozen=True)
class SoftLabels:
    """How a task reads a file of teacher outputs.

    Attributes:
        scores: ``(row of the file, labels) -> C numbers``; raises ValueError.
        to_logits: ``((N, C) numbers, file) -> (N, C) logits``; raises DataError.
    """

    scores: Callable[[Record, LabelScheme], list[float]]
    to_logits: Callable[[np.ndarray, str], np.ndarray]


def named_scores(record: Record, labels: LabelScheme) -> list[float]:
    """Read ``scores``, a mapping of label to number.

    Raises:
        ValueError: A label is missing, unknown, or has no finite number.
    """
    given = record.get("scores")
    if not isinstance(given, Mapping):
        raise ValueError("no scores")
    scores = {tidy(str(name)): value for name, value in cast("Mapping[object, object]", given).items()}
    digits = whole_numbers([*scores, *labels.names])
    scores = {digits.get(name, name): value for name, value in scores.items()}
    if set(scores) != set(labels.names):
        raise ValueError(f"scores must name exactly the labels {list(labels.names)}; got {sorted(scores)}")
    return [finite(scores[name], name) for name in labels.names]


def one_score(record: Record, labels: LabelScheme) -> list[float]:
    """Read ``score``, one number.

    Raises:
        ValueError: It is missing or not finite.
    """
    return [finite(record.get("score"), "score")]


def finite(value: object, name: str) -> float:
    """Return a finite number.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} = {value!r} is not a finite number")
    return float(value)


def unchanged(table: np.ndarray, path: str) -> np.ndarray:
    """Return numbers that are outputs already."""
    return table


def logits_of_classes(table: np.ndarray, path: str) -> np.ndarray:
    """Turn probabilities of classes into logits by their logarithm; logits stay.

    Raises:
        DataError: Only some rows add up to 1.
    """
    sums = table.sum(axis=1, keepdims=True)
    # people round to two decimals, each score by up to half a hundredth
    adds_up = np.abs(sums[:, 0] - 1) <= 0.005 * table.shape[1] + 1e-3
    if not in_unit_interval(table) or not adds_up.any():
        return table
    if not adds_up.all():
        odd = int((~adds_up).sum())
        raise DataError(
            path,
            f"{odd:,} of {len(table):,} rows have scores that do not add up to 1 (the first to "
            f"{sums[~adds_up][0, 0]:.3f}), the others do; give probabilities everywhere, or logits",
        )
    return np.log(np.clip(table / sums, TINY, 1))


def logits_of_labels(table: np.ndarray, path: str) -> np.ndarray:
    """Turn a probability of each label into logits; logits stay."""
    if not in_unit_interval(table):
        return table
    clipped = np.clip(table, TINY, 1 - TINY)
    return np.log(clipped) - np.log1p(-clipped)


def in_unit_interval(table: np.ndarray) -> bool:
    """Return whether all numbers lie in [0, 1]."""
    return bool(((table >= 0) & (table <= 1)).all())
