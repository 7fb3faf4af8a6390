"""A number a row: similarity, rating, valence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tinybert.data.findings import name_some
from tinybert.data.labels import LabelScheme, parse_value
from tinybert.errors import ModelError
from tinybert.losses import mse
from tinybert.metrics import regression_metrics
from tinybert.tasks.linear import RIDGE_REGRESSION
from tinybert.tasks.prediction import TextPrediction
from tinybert.tasks.soft_labels import SoftLabels, one_score, unchanged
from tinybert.tasks.task import Task, require_finite, require_width
from tinybert.tasks.text_rows import TextRows

if TYPE_CHECKING:
    import pyarrow as pa
    from transformers import PreTrainedConfig


def decode(logits: np.ndarray, labels: LabelScheme) -> list[TextPrediction]:
    """Give each row's number.

    Args:
        logits: (N, 1).
        labels: A scheme without names.

    Raises:
        ModelError: There is more than one output, or one is NaN or infinite.

    Example:
        >>> decode(np.array([[2.5]]), LabelScheme())
        [TextPrediction(label=None, score=2.5, scores={})]
    """
    require_width(logits, 1)
    return [TextPrediction(None, value, {}) for value in require_finite(logits)[:, 0].tolist()]


def metrics(logits: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    """Score outputs (N, 1) against numbers (N); NaN is no label.

    Raises:
        ModelError: There is more than one output, or one is NaN or infinite.
        DataError: No row has a label.
    """
    require_width(logits, 1)
    return regression_metrics(require_finite(logits)[:, 0], gold)


@dataclass(frozen=True)
class NumberRows(TextRows):
    """Texts or pairs with a number each; an unlabelled row is NaN. The numbers of windows are averaged."""

    settings: ClassVar[tuple[str, ...]] = ("long_text", "max_windows")
    kept: ClassVar[tuple[str, ...]] = ("long_text", "max_windows")
    missing_label: ClassVar[str] = "give the row a number, or remove the row"
    has_numbers: ClassVar[bool] = True

    @property
    def label_type(self) -> pa.DataType:
        """A number."""
        import pyarrow as pa

        return pa.float64()

    def stored_label(self, raw: object) -> object:
        """Return a finite number."""
        return parse_value(raw)

    def scheme(self, raw_labels: Iterable[object]) -> LabelScheme:
        """Return a scheme without names."""
        return LabelScheme()

    def scheme_of_outputs(self, names: Sequence[str], *, subject: str) -> LabelScheme:
        """Return a scheme without names, whatever the output is called.

        Raises:
            ModelError: There are several outputs.
        """
        if len(names) > 1:
            raise ModelError(
                subject,
                f"regression with {len(names)} outputs ({name_some(names)}), where a number has one; if they "
                'are classes, write "problem_type": "single_label_classification" into its config.json, or '
                '"multi_label_classification" where several apply at once',
            )
        return LabelScheme()

    def scheme_problem(self, labels: LabelScheme, num_labelled: int) -> str | None:
        """Return None: numbers have no names."""
        return None

    def variety_problem(self, present: Sequence[str], num_labelled: int) -> str | None:
        """Refuse rows that all have the same number."""
        return self.one_value_problem(present, num_labelled, kind="number")

    def label_of(self, raw: object, labels: LabelScheme) -> float:
        """Return a finite number.

        Example:
            >>> NumberRows().convert("2.5", LabelScheme())
            2.5
        """
        return parse_value(raw)


def matches(config: PreTrainedConfig) -> bool:
    """Say that a saved head of whole texts is of a number: it says so, or has one output."""
    if config.problem_type is None:
        return config.num_labels == 1
    return config.problem_type == REGRESSION.problem_type


REGRESSION = Task(
    name="regression",
    format=NumberRows(),
    matches=matches,
    problem_type="regression",
    main_metric="pearson",
    hard_losses={"mse": mse},
    soft_losses=("mse_logits",),
    soft_labels=SoftLabels(one_score, unchanged),
    head_start="ridge",
    decode=decode,
    metrics=metrics,
    is_bounded=False,
    linear=RIDGE_REGRESSION,
)
