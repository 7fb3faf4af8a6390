"""What a label may be, and how a person's label becomes the number a model is trained on."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import Any

from tinybert.advice import is_taken, setting
from tinybert.errors import DataError
from tinybert.lookup import nearest
from tinybert.sources.objects import plain

FORMAT_CHARACTERS = "Cf"  # Unicode category: zero-width characters, byte-order marks, marks of direction
WHOLE_NUMBER = re.compile(r"-?[0-9]+(\.0*)?")
NUMBER = re.compile(r"(?P<sign>[-+]?)(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]*))?(?<=[0-9.])(?<![-+]\.)")
TRUTH_VALUES = {"true": "1", "false": "0"}
MISSING_NAMES = frozenset(
    ["NaN", "nan", "NAN", "NA", "N/A", "n/a", "#N/A", "None", "null", "Null", "NULL", "<NA>", "NaT"]
)
"""How programs write that there is no value; ``none`` is the name of many a class."""
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
        """Name → output index; a name that a checkpoint writes otherwise is known as :func:`tidy` too."""
        written = {name: index for index, name in enumerate(self.names)}
        return {tidy(name): index for name, index in written.items()} | written

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


def tidy(text: str) -> str:
    r"""Return a label's text without what nobody sees: every label that is read goes through here.

    Characters of the Unicode category Cf and outer white space are removed; the rest is in the form NFC.

    Example:
        >>> tidy("\ufeffcafe\u0301 ") == "caf\u00e9"
        True
    """
    if text.isascii():
        return text.strip()
    seen = "".join(mark for mark in text if unicodedata.category(mark) != FORMAT_CHARACTERS)
    return unicodedata.normalize("NFC", seen).strip()


def label_name(raw: object) -> str | None:
    """Return the name of one class as :func:`tidy` leaves it; None when there is no label.

    Whole numbers keep their digits (``1.0`` is ``1``: a column with gaps turns whole numbers into
    fractions), truth values become ``true`` and ``false``.

    Raises:
        ValueError: The label is nested, or a number with a fraction.
    """
    raw = plain(raw)
    if raw is None or (isinstance(raw, float) and math.isnan(raw)):
        return None
    if isinstance(raw, str):
        return tidy(raw) or None
    if isinstance(raw, bool):
        return str(raw).lower()
    if isinstance(raw, int) or (isinstance(raw, float) and raw.is_integer()):
        return str(int(raw))
    if isinstance(raw, float):
        raise ValueError(f"{raw} is a number with a fraction, not a class{_for('numbers', 'regression')}")
    fix = how_to_write(raw) or _for("several labels", "multilabel")
    raise ValueError(f"a {kind_of(raw)} where one label is expected{fix}")


def how_to_write(raw: object) -> str:
    """Return how to write a label that is neither text nor number; nothing for lists and mappings.

    Example:
        >>> how_to_write(["joy"]), how_to_write(Decimal(1))
        ('', '; write it as text or as a number, such as frame[COLUMN].astype(str)')
    """
    if isinstance(raw, list | tuple | set | frozenset | dict):
        return ""
    if isinstance(raw, Enum):
        return "; write its name or its value, such as frame[COLUMN].map(lambda each: each.name)"
    if hasattr(raw, "year"):
        return "; write what is to be predicted of it, such as frame[COLUMN].map(lambda each: each.year)"
    return "; write it as text or as a number, such as frame[COLUMN].astype(str)"


def _for(what: str, task: str) -> str:
    """Return the fix of labels that another task reads; nothing where a model has its task already."""
    return f"; for {what} set {setting('task', task)}" if is_taken("task") else ""


def parse_value(raw: object) -> float:
    """Return a finite number.

    Raises:
        ValueError: It is none.
    """
    raw = plain(raw)
    raw = str(raw) if isinstance(raw, Decimal) else raw
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        raise ValueError("no label")
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError(f"a {kind_of(raw)} where a number is expected{how_to_write(raw)}")
    try:
        value = float(raw)
    except (ValueError, OverflowError):
        hint = "; write a decimal point" if isinstance(raw, str) and "," in raw else ""
        raise ValueError(f"{raw!r} is not a number{hint}") from None
    if not math.isfinite(value):
        raise ValueError(f"{raw!r} is not a finite number")
    return value


def whole_numbers(names: Iterable[str]) -> dict[str, str]:
    """Return names that are whole numbers, some of them written ``1.0``, each with its digits.

    A table with gaps turns whole numbers into fractions when it is written as text. Nothing is returned where
    one of the names is anything else, or none has a point.

    Example:
        >>> whole_numbers(["1.0", "2"]), whole_numbers(["1.0", "2.5"])
        ({'1.0': '1', '2': '2'}, {})
    """
    given = list(names)
    if not all(WHOLE_NUMBER.fullmatch(name) for name in given) or not any("." in name for name in given):
        return {}
    return {name: str(int(name.partition(".")[0])) if "." in name else name for name in given}


def look_alikes(names: Iterable[str]) -> list[list[str]]:
    """Return the names that differ from others by letter case or character width only, group by group.

    Example:
        >>> look_alikes(["bad", "good", "Good"])
        [['Good', 'good']]
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(unicodedata.normalize("NFKC", name).casefold(), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def equal_numbers(names: Iterable[str]) -> list[list[str]]:
    """Return the names that are one number, or one truth value, written differently, group by group.

    Example:
        >>> equal_numbers(["1", "01", "true", "2", "1.1", "1.10", "x"])
        [['01', '1', 'true']]
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name in sorted(names):
        if found := NUMBER.fullmatch(TRUTH_VALUES.get(name.casefold(), name)):
            whole, fraction = found["whole"].lstrip("0"), found["fraction"] or ""
            fraction = fraction if fraction.strip("0") else ""
            sign = found["sign"].replace("+", "") if whole or fraction else ""
            groups.setdefault((sign + whole, fraction), []).append(name)
    return [group for group in groups.values() if len({*map(str.casefold, group)}) > 1]


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
    names = {
        **{"dict": "mapping", "tuple": "list", "bool": "truth value", "int": "whole number"},
        "bytes": "run of bytes that is not UTF-8",
    }
    return names.get(type(raw).__name__, type(raw).__name__)
