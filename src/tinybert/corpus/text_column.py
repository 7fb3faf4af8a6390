"""Which column of a table is the text, and the texts in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

from tinybert.errors import DataError
from tinybert.lookup import nearest
from tinybert.sources.columns import TEXT_NAMES
from tinybert.sources.readers import Table
from tinybert.sources.text_files import Fault

COLUMN_NAMES = (*TEXT_NAMES, "passage", "body", "article")
ROWS_LOOKED_AT = 200
ROWS_OF_NUMBERS = 1000
NUMBERS_SHARE = 0.5
MAX_FAULTS = 20


def texts_of(table: Table, wanted: str | None, problems: list[str]) -> Iterator[str]:
    """Yield the texts of a table's column, and add what is wrong with its rows to the problems.

    Args:
        table: The rows.
        wanted: The column; detected when not given.
        problems: One line for each bad row, at most 20.

    Raises:
        DataError: There is no such column, none can be found, or it holds numbers.
    """
    rows = iter(table.rows)
    head = list(islice(rows, ROWS_LOOKED_AT))
    column = _choose(table, head, wanted)
    num_faults = num_texts = num_numbers = 0
    for row in chain(head, rows):
        if not isinstance(row, Fault):
            value = row[1].get(column)
            num_texts += value not in (None, "")
            num_numbers += num_texts < ROWS_OF_NUMBERS and _is_number(value)
            if num_texts == ROWS_OF_NUMBERS and num_numbers > NUMBERS_SHARE * num_texts:
                raise DataError(table.file, _full_of_numbers(table, column, value))
            if value is None or isinstance(value, str | int | float):
                yield "" if value is None else str(value)
                continue
        num_faults += 1
        if num_faults <= MAX_FAULTS:
            problems.append(_fault_line(table, row, column))
        if num_faults > MAX_FAULTS or (isinstance(row, Fault) and row.is_fatal):
            problems.append(f"{table.file}: the rest of it was not read")
            return


def check_column(table: Table, wanted: str | None) -> None:
    """Look for the column in the first rows only.

    Raises:
        DataError: As for :func:`texts_of`.
    """
    _choose(table, list(islice(table.rows, ROWS_LOOKED_AT)), wanted)


def _fault_line(table: Table, row: Fault | tuple[int, Mapping[str, object]], column: str) -> str:
    if isinstance(row, Fault):
        return f"{table.file}, {table.unit} {row.number:,}: {row.why}"
    kind = type(row[1].get(column)).__name__
    return f"{table.file}, {table.unit} {row[0]:,}, {column}: a {kind}, not a text; give --text COLUMN"


def _choose(
    table: Table, head: Sequence[Fault | tuple[int, Mapping[str, object]]], wanted: str | None
) -> str:
    """Return the column of the text.

    Raises:
        DataError: It is not there, cannot be found, or holds numbers.
    """
    if not table.columns:
        raise DataError(table.file, _why_no_columns(table, head))
    there_is = f"the columns are: {', '.join(table.columns)}"
    if wanted is not None and wanted not in table.columns:
        hint = nearest(wanted, table.columns)
        raise DataError(table.file, f"no column {wanted!r} ({there_is}){hint}; give --text COLUMN")
    rows = [row[1] for row in head if not isinstance(row, Fault)]
    by_name = {name.strip().lower(): name for name in reversed(table.columns)}
    known = [by_name[name] for name in COLUMN_NAMES if name in by_name]
    texts = [name for name in table.columns if _holds_text([row.get(name) for row in rows])]
    column = wanted or (known[0] if known else texts[0] if len(texts) == 1 else None)
    if column is None:
        raise DataError(table.file, f"which column is the text? ({there_is}); give --text COLUMN")
    values = [row.get(column) for row in rows if row.get(column) not in (None, "")]
    if values and sum(map(_is_number, values)) > NUMBERS_SHARE * len(values):
        raise DataError(table.file, _full_of_numbers(table, column, values[0]))
    return column


def _why_no_columns(table: Table, head: Sequence[object]) -> list[str]:
    faults = [row for row in head if isinstance(row, Fault)]
    if not faults:
        return ["no row in it; at least one is needed"]
    return [f"{table.unit} {fault.number:,}: {fault.why}" for fault in faults[:MAX_FAULTS]]


def _full_of_numbers(table: Table, column: str, example: object) -> str:
    return (
        f"column {column!r} is full of numbers, such as {example!r} (the columns are: "
        f"{', '.join(table.columns)}); give --text COLUMN"
    )


def _holds_text(values: Sequence[object]) -> bool:
    filled = [value for value in values if value not in (None, "")]
    texts = [value for value in filled if isinstance(value, str) and not _is_number(value)]
    return len(texts) > (1 - NUMBERS_SHARE) * len(filled)


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
