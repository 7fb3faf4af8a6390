"""Any number of classes a row: emotions, tags. Each class is a yes-or-no question of its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np

from tinybert.data.findings import name_some
from tinybert.data.label_cells import (
    SURE,
    are_vectors,
    begins_like_list,
    find_separator,
    is_list_text,
    is_vector,
    joined_by_others,
    label_in,
    parts_of,
    smallest_parts,
    split_labels,
    with_other_marks,
    written_with,
)
from tinybert.data.labels import LabelScheme, sort_names, tidy
from tinybert.data.row_format import Balance
from tinybert.errors import DataError
from tinybert.losses import binary_cross_entropy, focal_binary_cross_entropy
from tinybert.metrics import multilabel_metrics
from tinybert.tasks.classification import balance_of
from tinybert.tasks.linear import LOGISTIC_REGRESSION_A_LABEL
from tinybert.tasks.prediction import TextPrediction
from tinybert.tasks.soft_labels import SoftLabels, logits_of_labels, named_scores
from tinybert.tasks.task import Task, require_finite, require_width
from tinybert.tasks.text_rows import TextRows

if TYPE_CHECKING:
    import pyarrow as pa
    from transformers import PreTrainedConfig


NOT_CALLED = (
    'which do not say what the labels are called; write the names that apply (["joy", "fear"], and ["010"] '
    "where that is a name), or a column of 0 and 1 for each label"
)


def decode(logits: np.ndarray, labels: LabelScheme) -> list[TextPrediction]:
    """Name the classes of each row whose probability is at least 0.5; there may be none.

    Args:
        logits: (N, C).
        labels: C names.

    Raises:
        ModelError: C differs, or a logit is NaN or infinite.

    Example:
        >>> decode(np.array([[3.0, -3.0, 1.0]]), LabelScheme(("angry", "glad", "sad")))[0].label
        ['angry', 'sad']
    """
    require_width(logits, len(labels.names))
    rows = sigmoid(require_finite(logits)).tolist()
    return [_answer(dict(zip(labels.names, probabilities, strict=True))) for probabilities in rows]


def _answer(scores: dict[str, float]) -> TextPrediction:
    chosen = [name for name, probability in scores.items() if probability >= 0.5]
    return TextPrediction(chosen, max(scores.values()), scores)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return each logit's probability; by tanh, which cannot overflow."""
    return 0.5 * (1 + np.tanh(logits / 2))


def metrics(logits: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    """Score logits (N, C) against 0 and 1 (N, C); a row that holds a NaN has no label.

    Raises:
        ModelError: A logit is NaN or infinite.
        DataError: No row has a label.
    """
    return multilabel_metrics(require_finite(logits) >= 0, gold)


def constant_f1(gold: np.ndarray) -> float:
    """Return the best micro F1 of predicting the same labels for every row, the most frequent ones.

    Example:
        >>> round(constant_f1(np.array([[1, 0], [1, 1], [1, 0]])), 3)
        0.857
    """
    counts = np.sort(np.nansum(gold, axis=0))[::-1]
    num_rows = int((~np.isnan(gold).any(axis=-1)).sum())
    sizes = np.arange(1, len(counts) + 1)
    return float(np.max(2 * np.cumsum(counts) / np.maximum(sizes * num_rows + counts.sum(), 1)))


def balanced_weights(given: Sequence[Sequence[float]], labels: LabelScheme) -> list[float]:
    """Return for each label the rows without it over the rows with it: both then count alike.

    The weights of :func:`tinybert.tasks.class_weights.balanced` for one yes-or-no question, n/(2·yes) and
    n/(2·no), divided by that of "no". A label that no row has, or every row, has the weight 1.

    Example:
        >>> balanced_weights([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]], LabelScheme(("glad", "sad")))
        [2.0, 1.0]
    """
    rows = np.asarray(given, dtype=np.float64).reshape(-1, labels.num_labels)
    yes, no = rows.sum(0), (1 - rows).sum(0)
    return np.where((yes > 0) & (no > 0), no / np.maximum(yes, 1), 1.0).tolist()


@dataclass(frozen=True)
class LabelSetRows(TextRows):
    """Texts or pairs with any number of labels each; an unlabelled row is NaN."""

    missing_label: ClassVar[str] = (
        "give the row one, or write [] when none applies (in columns of 0 and 1, write 0 in each)"
    )
    has_label_sets: ClassVar[bool] = True

    @property
    def label_type(self) -> pa.DataType:
        """0.0 or 1.0 for each label."""
        import pyarrow as pa

        return pa.list_(pa.float32())

    def stored_label(self, raw: object) -> object:
        """Return a list of labels as JSON, text as it is written."""
        if isinstance(raw, str):
            return tidy(raw)
        names = [label_in(part) for part in parts_of(raw)]
        if any(name is None for name in names):
            raise ValueError("an empty name in the list of labels; remove it")
        return json.dumps(names, ensure_ascii=False)

    def names_in(self, stored: str, labels: LabelScheme) -> frozenset[str]:
        """Return the labels in one cell; a malformed one is reported with its row, later."""
        return frozenset(_split(stored, labels.separator))

    def scheme(self, raw_labels: Iterable[object]) -> LabelScheme:
        """Collect the labels.

        Raises:
            DataError: A label is nested.
        """
        raw = list(raw_labels)
        separator = find_separator(raw)
        try:
            cells = [split_labels(each, separator) for each in raw if each is not None]
        except ValueError as error:
            raise DataError("label", str(error)) from error
        refuse_vectors(cells)
        return LabelScheme(sort_names(name for cell in cells for name in cell), separator)

    def scheme_of_stored(self, stored: Sequence[str], separator: str) -> LabelScheme:
        """Collect the labels in different cells, but not from a cell with another separator than the rest.

        Its row is then one with an unknown label; nor from a single one of 0 and 1, which is refused too.

        Raises:
            DataError: The cells are vectors of 0 and 1.
        """
        refuse_vectors(smallest_parts(stored))
        stored = [cell for cell in stored if not is_vector(cell)]
        written = LabelScheme((), separator)
        of_lists = {name for cell in stored if is_list_text(cell) for name in self.names_in(cell, written)}
        names = {name for cell in stored for name in self.names_in(cell, written)}
        odd = {name for name in names - of_lists if written_with(name, names, separator=separator)}
        return LabelScheme(sort_names(names - odd), separator)

    def scheme_warnings(self, labels: LabelScheme) -> list[str]:
        """Name labels that look alike; say where cells are split, or not, at a mark that names may hold."""
        warnings = super().scheme_warnings(labels)
        if several := with_other_marks(labels.names, labels.separator):
            warnings.append(
                f"each is read as one label: {name_some([*map(repr, several)])}; where it is several, write "
                f"{labels.separator!r} between them, or a list"
            )
        if joined := joined_by_others(labels.names):
            warnings.append(
                f"{len(joined):,} of {labels.num_labels:,} labels look like several with "
                f"{next(iter(joined.values()))!r} between them ({name_some([*map(repr, joined)], 3)}): each "
                f"combination is read as a label of its own; write {labels.separator!r} between the names"
            )
        if labels.separator in SURE:
            return warnings
        return [
            *warnings,
            f"labels are split at {labels.separator!r}, which leaves {labels.num_labels:,}: "
            f"{labels.allowed()}; where a name holds {labels.separator!r}, write lists: "
            '["one name", "another"]',
        ]

    def balance(self, given: Iterable[Sequence[float]], labels: LabelScheme) -> Balance | None:
        """Compare the most frequent label with the rarest."""
        return balance_of(
            Counter(
                name for each in given for name, is_given in zip(labels.names, each, strict=True) if is_given
            ),
            "train rows",
        )

    def label_of(self, raw: object, labels: LabelScheme) -> list[float]:
        """Return 0.0 or 1.0 for each label.

        Example:
            >>> rows = LabelSetRows()
            >>> rows.convert("sad|glad", rows.scheme(["angry|sad", "glad"]))
            [0.0, 1.0, 1.0]
        """
        if isinstance(raw, str) and is_vector(raw):
            raise DataError("label", f"{raw!r:.60} is a list of 0 and 1, {NOT_CALLED}")
        names = _names_of(raw, labels)
        for name in names:
            known = labels.label2id
            mark = None if name in known else written_with(name, known, separator=labels.separator)
            if mark is not None:
                raise DataError(
                    "label",
                    f"unknown label {name!r}; labels are split at {labels.separator!r}, not {mark!r}: write "
                    f"{labels.separator!r} between all, or a list, where {mark!r} is part of a name",
                )
        chosen = {labels.index(name) for name in names}
        return [float(index in chosen) for index in range(len(labels.names))]

    def written_label(self, label: object, labels: LabelScheme) -> object:
        """Return the list of labels."""
        flags = cast("Sequence[float]", label)
        return [name for name, on in zip(labels.names, flags, strict=True) if on]


def _names_of(raw: object, labels: LabelScheme) -> list[str]:
    """Return the names in one cell; one in brackets may be a name of the model, such as ``{a, b}``."""
    if isinstance(raw, str) and not begins_like_list(raw) and is_list_text(raw):
        name = tidy(raw)
        if name in labels.label2id:
            return [name]
    return split_labels(raw, labels.separator)


def _split(stored: str, separator: str) -> list[str]:
    try:
        return split_labels(stored, separator)
    except ValueError:
        return []


def refuse_vectors(cells: Sequence[Sequence[str]]) -> None:
    """Refuse labels as vectors of 0 and 1, which would be read as two labels of these names.

    Raises:
        DataError: The cells are such vectors.
    """
    if are_vectors(cells):
        raise DataError(
            "label",
            f"the labels are lists of {max(map(len, cells))} numbers 0 and 1, {NOT_CALLED}",
        )


def matches(config: PreTrainedConfig) -> bool:
    """Say that a saved head of whole texts is of several labels."""
    return config.problem_type == MULTILABEL.problem_type


MULTILABEL = Task(
    name="multilabel",
    format=LabelSetRows(),
    matches=matches,
    problem_type="multi_label_classification",
    main_metric="micro_f1",
    hard_losses={"binary_cross_entropy": binary_cross_entropy, "focal": focal_binary_cross_entropy},
    balanced_weights=balanced_weights,
    soft_losses=("mse_logits",),
    soft_labels=SoftLabels(named_scores, logits_of_labels),
    head_start="logistic",
    decode=decode,
    metrics=metrics,
    constant_score=constant_f1,
    linear=LOGISTIC_REGRESSION_A_LABEL,
)
