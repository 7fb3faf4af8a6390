"""Tables with a column of 0 and 1 for each label: read as rows with a list of labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice

from tinybert.advice import is_taken, setting
from tinybert.config import DataSection
from tinybert.data.fields import FieldError
from tinybert.data.findings import Findings, name_some
from tinybert.data.label_cells import FLAGS
from tinybert.data.labels import LabelScheme, label_name, tidy
from tinybert.data.row_format import Record, RowFormat
from tinybert.sources.locate import Tables
from tinybert.sources.readers import ROWS_PEEKED, Table, relaid
from tinybert.sources.text_files import Fault, RawRow

MIN_COLUMNS = 2
ALSO_WRITTEN = frozenset(["-1", "2", "yes", "no", "y", "n", "t", "f", "x", "✓", "✔", "√", "是", "否"])
"""What people write instead of 0 and 1, in lower case; it is not read, as other columns hold it too."""


@dataclass(frozen=True)
class _Peek:
    """A table that is yet to be read, and its columns that hold 0 and 1 only, or something else, at first.

    ``odd`` are those that hold what is written instead of 0 and 1, each with the first such cell.
    """

    table: Table
    flags: frozenset[str]
    others: frozenset[str]
    odd: Mapping[str, str]


def read_indicators(
    tables: Tables,
    settings: DataSection,
    *,
    format: RowFormat,
    findings: Findings,
    known: LabelScheme | None = None,
) -> Tables:
    """Return tables with a column of labels, where there is none but a column of 0 and 1 for each label.

    A format of one label a row does not read such columns: ``findings`` keeps a hint.

    Args:
        tables: By split.
        settings: May name columns.
        format: What a row is.
        findings: Where what is wrong, and what was read, goes.
        known: The labels of a model that is used; other columns are then none.
    """
    every = [table for parts in tables.values() for table in parts]
    if format.windowed or settings.label or any(_named(table, format.label.names) for table in every):
        return tables
    taken = {settings.text, settings.text_pair, settings.group}
    peeks = {split: [_peek(table, taken) for table in parts] for split, parts in tables.items()}
    names = _flag_columns([peek for parts in peeks.values() for peek in parts], known)
    tables = {split: [peek.table for peek in parts] for split, parts in peeks.items()}
    odd = _odd_columns([peek for parts in peeks.values() for peek in parts], known)
    cell = next(iter(odd.values()), "")
    if len(names) < MIN_COLUMNS:
        if format.has_label_sets and len(names) + len(odd) >= MIN_COLUMNS:
            findings.label_hint = (
                f"if each of the columns {name_some([*names, *odd], 10)} is a label, write 0 or 1 in each of "
                f"their cells; {cell} is neither"
            )
        return tables
    said = f"the columns {name_some(names, 10)} hold 0 and 1 only"
    if not format.has_label_sets:
        fix = ": if each is a label, --task multilabel reads them" if is_taken("task") else ""
        findings.label_hint = f"{said}{fix}"
        return tables
    one = f"to read one column instead: {setting('data.label')}"
    more = f"; if {name_some([*odd], 10)} is one too, write 0 or 1 in each: {cell} is neither" if odd else ""
    findings.warn(f"{said}: each is read as a label; {one}{more}")
    return {
        split: [_relaid(table, names, format, findings) for table in parts] for split, parts in tables.items()
    }


def _flag_columns(peeks: Sequence[_Peek], known: LabelScheme | None) -> list[str]:
    """Return the columns that hold 0 and 1 only, in every table that has them."""
    flags = frozenset[str]().union(*(peek.flags for peek in peeks))
    flags -= frozenset[str]().union(*(peek.others for peek in peeks))
    columns = dict.fromkeys(column for peek in peeks for column in peek.table.columns)
    return [each for each in columns if each in flags and (known is None or tidy(each) in known.label2id)]


def _odd_columns(peeks: Sequence[_Peek], known: LabelScheme | None) -> dict[str, str]:
    """Return the columns that somebody may have meant as labels, each with the first cell that is odd."""
    others = frozenset[str]().union(*(peek.others - peek.odd.keys() for peek in peeks))
    odd = {column: cell for peek in reversed(peeks) for column, cell in peek.odd.items()}
    return {
        column: cell
        for column, cell in odd.items()
        if column not in others and (known is None or tidy(column) in known.label2id)
    }


def _named(table: Table, names: Sequence[str]) -> bool:
    return any(column.strip().lower() in names for column in table.columns)


def _peek(table: Table, taken: set[str | None]) -> _Peek:
    head = list(islice(table.rows, ROWS_PEEKED))
    flags: set[str] = set()
    others: set[str] = {name for name in taken if name} | set(table.class_names)
    odd: dict[str, str] = {}
    no_flags = set(others)
    for number, raw in (row for row in head if not isinstance(row, Fault)):
        for column, value in raw.items():
            if _is_missing(value):
                continue
            if flag_of(value) is not None:
                flags.add(column)
                continue
            others.add(column)
            odd.setdefault(column, f"{value!r:.60} ({table.file}, {table.unit} {number:,}, {column})")
            if str(value).strip().lower() not in ALSO_WRITTEN:
                no_flags.add(column)
    return _Peek(
        replace(table, rows=chain(head, table.rows)),
        frozenset(flags - others),
        frozenset(others),
        {column: cell for column, cell in odd.items() if column not in no_flags},
    )


def flag_of(value: object) -> bool | None:
    """Return what a cell of such a column says; None where it holds anything but 0 or 1."""
    try:
        return FLAGS.get((label_name(value) or "").lower())
    except ValueError:
        return None


def _is_missing(value: object) -> bool:
    try:
        return label_name(value) is None
    except ValueError:
        return False


def _relaid(table: Table, names: Sequence[str], format: RowFormat, findings: Findings) -> Table:
    missing = [name for name in names if name not in table.columns]
    if len(missing) == len(names):
        return table  # rows without labels
    if missing:
        findings.problems.append(
            f"{table.file}: no column {name_some(missing)}, which in another file holds 0 and 1 for a label; "
            "add it here, or remove it there"
        )
    return relaid(table, partial(_with_labels, names=names, column=format.label.names[0]))


def _with_labels(
    rows: Iterator[RawRow | Fault], names: Sequence[str], column: str
) -> Iterator[RawRow | Fault]:
    for row in rows:
        if isinstance(row, Fault):
            yield row
            continue
        number, raw = row
        try:
            yield number, {**raw, column: _labels_in(raw, names)}
        except FieldError as error:
            yield Fault(number, f"{error.field}: {error}", raw)


def _labels_in(raw: Record, names: Sequence[str]) -> list[str] | None:
    """Return the labels whose column is 1; None where all are empty."""
    if all(_is_missing(raw.get(name)) for name in names):
        return None
    flags = {name: flag_of(raw.get(name)) for name in names}
    for name, flag in flags.items():
        if flag is None:
            raise FieldError(name, f"{raw.get(name)!r:.60} where 0 or 1 is expected; write 0 or 1 in each")
    return [name for name, flag in flags.items() if flag]
