"""What a label may be, and how a person's label becomes the number a model is trained on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, cast

from tinybert.errors import DataError
from tinybert.lookup import nearest

LabelKind = Literal["single", "multi", "value", "tags", "span"]
SEPARATORS = ("|", ";", ",")
MAX_NAMES_SHOWN = 20
SPAN_NAMES = ("start", "end")
"""The two outputs of a model that answers questions, for every token."""


Label = int | float | list[float] | list[int] | list[list[int]]


@dataclass(frozen=True)
class LabelScheme:
    """The labels of a task, in the order of the model's outputs.

    Attributes:
        kind: ``single`` (one of the names), ``multi`` (any of the names), ``value`` (a number), ``tags`` (one
            BIO tag a word), ``span`` (where an answer begins and ends).
        names: Sorted (whole numbers by size); empty for ``value``. Tags stand as O, B-X, I-X, B-Y, I-Y, …: an
            odd number begins an entity and the next goes on with it. Saved through the model's ``id2label``.
        separator: What parts several labels written in one cell, such as ``angry|sad``.
    """

    kind: LabelKind
    names: tuple[str, ...] = ()
    separator: str = field(default="|", compare=False)

    @classmethod
    def of(cls, raw_labels: Iterable[object], kind: LabelKind) -> LabelScheme:
        """Collect the names that stand in these raw labels; ``None`` is an unlabelled row.

        Example:
            >>> LabelScheme.of(["10", "9", None, 9], "single").names
            ('9', '10')

        Raises:
            DataError: A label is nested, or a number with a fraction where a class is expected.
        """
        if kind in ("value", "span"):
            return cls(kind, SPAN_NAMES if kind == "span" else ())
        raw = list(raw_labels)
        if kind == "tags":
            return cls(kind, tag_names(str(tag) for tag in raw if tag is not None))
        separator = find_separator(raw) if kind == "multi" else "|"
        return cls(kind, sort_names(_names_in(raw, kind, separator)), separator)

    @classmethod
    def from_config(cls, id2label: Mapping[int, str], kind: LabelKind) -> LabelScheme:
        """Rebuild the scheme of a saved model from its config's ``id2label``."""
        names = () if kind == "value" else tuple(id2label[index] for index in sorted(id2label))
        return cls(kind, names)

    @property
    def num_labels(self) -> int:
        """Number of model outputs: one for ``value``."""
        return 1 if self.kind == "value" else len(self.names)

    @property
    def id2label(self) -> dict[int, str]:
        """Output index → name, as the model's config keeps it; empty for ``value``."""
        return dict(enumerate(self.names))

    @cached_property
    def label2id(self) -> dict[str, int]:
        """Name → output index; empty for ``value``."""
        return {name: index for index, name in enumerate(self.names)}

    def convert(self, raw: object) -> Label:
        """Turn one label as written into what the model is trained on.

        Example:
            >>> scheme = LabelScheme.of(["negative", "positive"], "single")
            >>> scheme.convert("positive")
            1
            >>> LabelScheme.of(["angry|sad", "glad"], "multi").convert("sad|glad")
            [0.0, 1.0, 1.0]
            >>> LabelScheme("value").convert("2.5")
            2.5

        Raises:
            DataError: The label is missing, unknown, nested or not a finite number.
        """
        try:
            return self._convert(raw)
        except ValueError as error:
            raise DataError("label", str(error)) from error

    def _convert(self, raw: object) -> Label:
        if self.kind == "value":
            return parse_value(raw)
        if self.kind == "span":
            return cast("list[list[int]]", json.loads(str(raw)))
        if self.kind == "tags":
            return [self._index(name) for name in split_labels(raw, self.separator)]
        if self.kind == "single":
            return self._index(label_name(raw))
        chosen = {self._index(name) for name in split_labels(raw, self.separator)}
        return [float(index in chosen) for index in range(len(self.names))]

    def _index(self, name: str | None) -> int:
        if name is None:
            raise ValueError("no label")
        if name not in self.label2id:
            raise ValueError(f"unknown label {name!r}{nearest(name, self.names)} (allowed: {self.allowed()})")
        return self.label2id[name]

    def allowed(self) -> str:
        """Return the names as one line, shortened when there are many."""
        more = len(self.names) - MAX_NAMES_SHOWN
        return ", ".join(self.names[:MAX_NAMES_SHOWN]) + (f", … {more} more" if more > 0 else "")


def plain(raw: object) -> object:
    """Return a numpy scalar as Python's own; anything else as it is."""
    item = getattr(raw, "item", None)
    return item() if callable(item) and getattr(raw, "ndim", 0) == 0 else raw


def label_name(raw: object) -> str | None:
    """Return the name of one class as written, without outer white space; None when there is no label.

    Whole numbers keep their digits (``1.0`` is ``1``: a column with gaps turns whole numbers into
    fractions), truth values become ``true`` and ``false``.

    Raises:
        ValueError: The label is nested, or a number with a fraction.
    """
    raw = plain(raw)
    if raw is None or (isinstance(raw, float) and math.isnan(raw)):
        return None
    if isinstance(raw, str):
        return raw.strip() or None
    if isinstance(raw, bool):
        return str(raw).lower()
    if isinstance(raw, int) or (isinstance(raw, float) and raw.is_integer()):
        return str(int(raw))
    if isinstance(raw, float):
        raise ValueError(f"{raw} is a number with a fraction, not a class; for numbers set task=regression")
    raise ValueError(f"a {kind_of(raw)} where one label is expected; for several labels set task=multilabel")


def split_labels(raw: object, separator: str) -> list[str]:
    """Return the names in one multi-label cell: a list, a JSON list, or names with a separator.

    Raises:
        ValueError: There is no label at all (an empty list is one: it says "none of them"), or it is nested.
    """
    raw = raw.tolist() if hasattr(raw, "tolist") else raw  # type: ignore[attr-defined]
    if isinstance(raw, str) and raw.strip().startswith("["):
        try:
            raw = json.loads(raw)
        except json.JSONDecodeError as error:
            raise ValueError(f"{raw!r} starts like a JSON list but is none: {error.msg}") from error
    if isinstance(raw, str):
        raw = raw.split(separator) if raw.strip() else None
    parts = cast(list[object], list(raw)) if isinstance(raw, list | tuple | set) else [raw]
    names = [label_name(part) for part in parts]
    if any(name is None for name in names):
        raise ValueError("no label; write [] for a row to which none applies")
    return cast(list[str], names)


def find_separator(raw_labels: Iterable[object]) -> str:
    """Return the first of ``|``, ``;`` and ``,`` that occurs in any label written as plain text."""
    texts = [raw for raw in raw_labels if isinstance(raw, str) and not raw.strip().startswith("[")]
    return next((mark for mark in SEPARATORS if any(mark in text for text in texts)), "|")


def parse_value(raw: object) -> float:
    """Return a finite number.

    Raises:
        ValueError: It is none.
    """
    raw = plain(raw)
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        raise ValueError("no label")
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError(f"a {kind_of(raw)} where a number is expected")
    try:
        value = float(raw)
    except (ValueError, OverflowError):
        hint = "; write a decimal point" if isinstance(raw, str) and "," in raw else ""
        raise ValueError(f"{raw!r} is not a number{hint}") from None
    if not math.isfinite(value):
        raise ValueError(f"{raw!r} is not a finite number")
    return value


def sort_names(names: Iterable[str]) -> tuple[str, ...]:
    """Sort label names: by size when all are whole numbers, else by their characters.

    Example:
        >>> sort_names({"10", "9"}), sort_names({"b", "10", "9"})
        (('9', '10'), ('10', '9', 'b'))
    """
    unique = set(names)
    if all(name.removeprefix("-").isascii() and name.removeprefix("-").isdigit() for name in unique):
        return tuple(sorted(unique, key=lambda name: (int(name), name)))
    return tuple(sorted(unique))


def tag_names(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that a model of these tags needs: O, and for each type B- and I-.

    Example:
        >>> tag_names(["B-PER", "O", "B-LOC"])
        ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    """
    kinds = sorted({tag[2:] for tag in tags if tag != "O"})
    return ("O", *(f"{letter}-{kind}" for kind in kinds for letter in "BI"))


def _names_in(raw_labels: Sequence[object], kind: LabelKind, separator: str) -> set[str]:
    names: set[str] = set()
    try:
        for raw in raw_labels:
            if kind == "single":
                names.update(name for name in [label_name(raw)] if name is not None)
            elif raw is not None:
                names.update(split_labels(raw, separator))
    except ValueError as error:
        raise DataError("label", str(error)) from error
    return names


def kind_of(raw: object) -> str:
    """Return what a value is, in words a user knows."""
    names = {"dict": "mapping", "tuple": "list", "bool": "truth value", "int": "whole number"}
    return names.get(type(raw).__name__, type(raw).__name__)
