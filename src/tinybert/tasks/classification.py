"""One class a row: sentiment, intent, topic, entailment of a pair."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard, cast

import numpy as np

from tinybert.data.findings import name_some
from tinybert.data.label_cells import (
    SEPARATORS,
    begins_like_list,
    combined_by,
    is_list_text,
    joined_by_others,
    listed,
)
from tinybert.data.labels import LabelScheme, label_name, sort_names
from tinybert.data.row_format import Balance
from tinybert.errors import DataError
from tinybert.losses import cross_entropy, focal_cross_entropy, mse_over_classes
from tinybert.metrics import classification_metrics
from tinybert.tasks.class_weights import balanced
from tinybert.tasks.linear import LOGISTIC_REGRESSION
from tinybert.tasks.prediction import TextPrediction
from tinybert.tasks.soft_labels import SoftLabels, logits_of_classes, named_scores
from tinybert.tasks.task import Task, require_finite, require_width
from tinybert.tasks.text_rows import TextRows

if TYPE_CHECKING:
    import pyarrow as pa
    from transformers import PreTrainedConfig


RARE_LABEL_ROWS, IMBALANCE = 5, 10.0
MIN_ROWS_DOUBTED = 20


def decode(logits: np.ndarray, labels: LabelScheme) -> list[TextPrediction]:
    """Name the class of each row.

    Args:
        logits: (N, C).
        labels: C names.

    Raises:
        ModelError: C differs, or a logit is NaN or infinite.

    Example:
        >>> decode(np.array([[0.0, 2.0]]), LabelScheme(("negative", "positive")))[0].label
        'positive'
    """
    require_width(logits, len(labels.names))
    names = labels.names
    rows = zip(logits.argmax(-1).tolist(), softmax(require_finite(logits)).tolist(), strict=True)
    return [
        TextPrediction(names[best], probabilities[best], dict(zip(names, probabilities, strict=True)))
        for best, probabilities in rows
    ]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return each row's probabilities, (N, C)."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def metrics(logits: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    """Score logits (N, C) against classes (N); −100 is no label.

    Raises:
        ModelError: A logit is NaN or infinite.
        DataError: No row has a label.
    """
    predictions = require_finite(logits).argmax(-1)
    return classification_metrics(predictions, gold, num_labels=logits.shape[-1])


def majority_share(gold: np.ndarray) -> float:
    """Return the accuracy of always predicting the most frequent class; −100 is no label.

    Example:
        >>> majority_share(np.array([0, 1, 1, 1, -100]))
        0.75
    """
    counts = np.bincount(gold[gold >= 0])
    return float(counts.max() / counts.sum())


def balanced_weights(given: Sequence[int], labels: LabelScheme) -> list[float]:
    """Return the weight of each class by its rows; see :func:`balanced`."""
    return balanced(np.bincount(np.asarray(given, dtype=np.int64), minlength=labels.num_labels))


@dataclass(frozen=True)
class ClassRows(TextRows):
    """Texts or pairs with one class each; an unlabelled row has -100."""

    @property
    def label_type(self) -> pa.DataType:
        """A whole number."""
        import pyarrow as pa

        return pa.int64()

    def stored_label(self, raw: object) -> object:
        """Return the name of the class; a list is none, written as text or not."""
        return label_name(listed(raw) if _is_list(raw) else raw)

    def scheme(self, raw_labels: Iterable[object]) -> LabelScheme:
        """Collect the classes.

        Example:
            >>> ClassRows().scheme(["10", "9", None, 9]).names
            ('9', '10')

        Raises:
            DataError: A label is nested, or a number with a fraction.
        """
        try:
            names = [label_name(raw) for raw in raw_labels]
        except ValueError as error:
            raise DataError("label", str(error)) from error
        return LabelScheme(sort_names(name for name in names if name is not None))

    def label_of(self, raw: object, labels: LabelScheme) -> int:
        """Return the class's number."""
        return labels.index(label_name(raw))

    def scheme_problem(self, labels: LabelScheme, num_labelled: int) -> str | None:
        """Say that a column of measured numbers was taken for classes: fractions, nearly each row its own."""
        if 2 * labels.num_labels <= num_labelled or not _are_fractions(labels.names):
            return super().scheme_problem(labels, num_labelled)
        return (
            f"the labels are numbers, {labels.num_labels:,} different ones in {num_labelled:,} rows "
            f"({', '.join(labels.names[:3])}, …); for numbers set the task to regression (--task "
            "regression), or name another column as the label"
        )

    def scheme_warnings(self, labels: LabelScheme) -> list[str]:
        """Name classes that look alike, that are numbers with a fraction, or like several labels each."""
        warnings = super().scheme_warnings(labels)
        if _are_fractions(labels.names):
            fractions = [name for name in labels.names if not float(name).is_integer()]
            warnings.append(
                f"labels that are numbers with a fraction: {name_some(fractions)}; each is a class of its "
                "own here, and --task regression learns them as numbers"
            )
        mark = combined_by(labels.names)
        if mark is None:
            combined, fix = joined_by_others(labels.names), " with '|' between them"
            written = f"with {next(iter(combined.values()), '')!r} between them"
        else:
            combined = {name: match[0] for name in labels.names if (match := SEPARATORS[mark].search(name))}
            written = f"with {next(iter(combined.values()))!r} between them" if combined else "in a list"
            combined, fix = combined or [name for name in labels.names if is_list_text(name)], ""
        if not combined:
            return warnings
        return [
            *warnings,
            f"{len(combined):,} of {labels.num_labels:,} labels look like several {written} "
            f"({name_some([*map(repr, combined)], 3)}): each combination is a class of its own here; where a "
            f"row has several labels, --task multilabel learns each of them{fix}",
        ]

    def variety_problem(self, present: Sequence[str], num_labelled: int) -> str | None:
        """Refuse rows that all have the same class."""
        return self.one_value_problem(present, num_labelled, kind="label")

    def variety_warning(self, present: Sequence[str], num_labelled: int) -> str | None:
        """Doubt rows that mostly have a class of their own."""
        if num_labelled < MIN_ROWS_DOUBTED or len(present) <= num_labelled / 2:
            return None
        return (
            f"{len(present):,} different labels in {num_labelled:,} rows; is data.label the right column? "
            "for numbers set task=regression"
        )

    def written_label(self, label: object, labels: LabelScheme) -> object:
        """Return the name of the class."""
        return labels.names[cast(int, label)]

    def balance(self, given: Iterable[int], labels: LabelScheme) -> Balance | None:
        """Compare the most frequent class with the rarest."""
        return balance_of(Counter(labels.names[label] for label in given), "train rows")


def _is_list(raw: object) -> TypeGuard[str]:
    """Return whether a text holds a list; a name may begin with a bracket."""
    if not isinstance(raw, str) or not begins_like_list(raw):
        return False
    try:
        listed(raw)
    except ValueError:
        return False
    return True


def _are_fractions(names: Sequence[str]) -> bool:
    try:
        numbers = [float(name) for name in names]
    except ValueError:
        return False
    return any(not number.is_integer() for number in numbers) and all(map(math.isfinite, numbers))


def balance_of(counts: Counter[str], unit: str) -> Balance | None:
    """Compare the most frequent name with the rarest; None where nothing is counted."""
    if not counts:
        return None
    (top, most), (low, least) = counts.most_common()[0], counts.most_common()[-1]
    text = f"{top!r} has {most:,} {unit}, {low!r} has {least:,}"
    if least < RARE_LABEL_ROWS or most / least > IMBALANCE:
        return Balance("warn", f"{text}; judge by macro_f1 too, or label more of the rare ones")
    return Balance("ok", text)


def matches(config: PreTrainedConfig) -> bool:
    """Say that a saved head of whole texts is of classes: it says so, or has several outputs."""
    if config.problem_type is None:
        return int(config.num_labels or 0) > 1
    return config.problem_type == CLASSIFICATION.problem_type


CLASSIFICATION = Task(
    name="classification",
    format=ClassRows(),
    matches=matches,
    problem_type="single_label_classification",
    main_metric="accuracy",
    hard_losses={"cross_entropy": cross_entropy, "focal": focal_cross_entropy, "mse": mse_over_classes},
    balanced_weights=balanced_weights,
    soft_losses=(
        "kl_divergence",
        "soft_cross_entropy",
        "mse_logits",
    ),
    soft_labels=SoftLabels(named_scores, logits_of_classes),
    head_start="logistic",
    is_contrastive=True,
    decode=decode,
    metrics=metrics,
    constant_score=majority_share,
    chance_corrected="mcc",
    probabilities=softmax,
    linear=LOGISTIC_REGRESSION,
)
