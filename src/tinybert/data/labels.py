"""What a label may be, and how a person's label becomes the number a model is trained on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from tinybert.errors import DataError
from tinybert.lookup import nearest

SEPARATORS = ("|", ";", ",")
MAX_NAMES_SHOWN = 20

Label = int | float | list[Any]
"""What a model is trained on: a whole number, a number, or a list of them."""


@dataclass(frozen=True)
class LabelScheme:
    """The labels of some rows, in the order of the model's outputs.

    Attributes:
        names: Sorted (whole numbers by size); empty where the label is a number. Saved through the model's
            ``id2label``.
        separator: What separates several labels written in one cell, such as ``angry|sad``.
        by_position: Outputs are known by their position, whatever a checkpoint calls them.
        foreign: They are the outputs of a checkpoint that was not trained here: tags may be of any scheme.
    """

    names: tuple[str, ...] = ()
    separator: str = field(default="|", compare=False)
    by_position: bool = False
    foreign: bool = field(default=False, compare=False)

    @property
    def num_labels(self) -> int:
        """Number of model outputs: one where the label is a number."""
        return len(self.names) or 1

    @property
    def id2label(self) -> dict[int, str]:
        """Output index → name, as the model's config keeps it."""
        return dict(enumerate(self.names))

    @cached_property
    def label2id(self) -> dict[str, int]:
        """Name → output index."""
        return {name: index for index, name in enumerate(self.names)}

    def index(self, name: str | None) -> int:
        """Return the output of a label.

        Raises:
            DataError: There is no label, or an unknown one.
        """
        if name is None:
            raise DataError("label", "no label")
        if name not in self.label2id:
            hint = nearest(name, self.names)
            raise DataError("label", f"unknown label {name!r}{hint} (allowed: {self.allowed()})")
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


def kind_of(raw: object) -> str:
    """Return what a value is, in words a user knows."""
    names = {"dict": "mapping", "tuple": "list", "bool": "truth value", "int": "whole number"}
    return names.get(type(raw).__name__, type(raw).__name__)
