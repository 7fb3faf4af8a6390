"""Which column of a table is the text, the second text and the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinybert.config import DataSection
from tinybert.data.row_format import Column, ColumnNames, RowFormat
from tinybert.lookup import nearest


@dataclass(frozen=True)
class _Wish:
    setting: str
    name: str | None
    known: tuple[str, ...]
    what: str


def find_columns(
    present: Sequence[str], settings: DataSection, *, format: RowFormat, label_required: bool
) -> tuple[ColumnNames | None, list[str]]:
    """Choose the columns; return them (None when the text or a needed label is not found) and the problems.

    What the settings name must be there. Else usual names are looked for, in any case. An optional second
    text is looked for only when the settings do not name the first: naming ``data.text`` alone means single
    texts.

    Args:
        present: The table's columns.
        settings: May name some.
        format: Says how columns are usually called.
        label_required: Every row must have a label.
    """
    problems: list[str] = []
    text_wish = _Wish("data.text", settings.text, format.text.names, format.text.description)
    text = _find(text_wish, present, problems, required=True)
    pair = _find_pair(present, settings, format, problems)
    label_wish = _Wish("data.label", settings.label, format.label.names, format.label.description)
    label = _find(label_wish, present, problems, required=label_required)
    chosen = [name for name in (text, pair, label) if name is not None]
    problems += [f"column {name!r} cannot be two things" for name in set(chosen) if chosen.count(name) > 1]
    return (None if problems or text is None else ColumnNames(text, pair, label)), problems


def _find_pair(
    present: Sequence[str], settings: DataSection, format: RowFormat, problems: list[str]
) -> str | None:
    column = format.text_pair or Column((), "second text")
    names = column.names if column.required or not settings.text else ()
    wish = _Wish("data.text_pair", settings.text_pair, names, column.description)
    return _find(wish, present, problems, required=column.required)


def _find(wish: _Wish, present: Sequence[str], problems: list[str], *, required: bool) -> str | None:
    there_is = f"the columns are: {', '.join(present) or 'none'}"
    if wish.name is not None:
        if wish.name in present:
            return wish.name
        if required or wish.setting != "data.label":
            hint = nearest(wish.name, present)
            problems.append(f"{wish.setting}={wish.name}: no such column{hint} ({there_is})")
        return None
    found = [column for column in present if column.strip().lower() in wish.known]
    first = [column for column in found if column.strip().lower() == wish.known[0]]
    if len(first) == 1 or len(found) == 1:
        return (first or found)[0]
    if found:
        either = " and ".join(repr(column) for column in found)
        problems.append(f"{either} could each be the {wish.what}; say which with {wish.setting}={found[0]}")
    elif required:
        problems.append(f"no column is known as the {wish.what} ({there_is}); set {wish.setting}=COLUMN")
    return None
