"""Python objects → the texts in them that are to be predicted: which columns of a table these are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import cast

from tinybert.config import DataSection
from tinybert.data import RowFormat, TextRow
from tinybert.data.row_format import Column, find_name
from tinybert.errors import DataError, TinyBertError
from tinybert.runs import Run, is_run
from tinybert.sources.columns import SPLIT_NAMES
from tinybert.sources.objects import items_in, opened
from tinybert.tasks.text_rows import SUBJECT


def texts_in(given: object, format: RowFormat, *, path: str | Path) -> Iterator[TextRow]:
    """Yield the texts, pairs or rows of an object, in order; of rows with other columns their texts.

    The columns of the text are those that the run was trained on (``data.text``, ``data.text_pair``), else
    those with a usual name, else the only one.

    Args:
        given: Texts, pairs, mappings, a table, a column, an array, a data set; any iterable.
        format: Of the task.
        path: Of the model, which may be a run.

    Raises:
        DataError: It is one text, nothing that is iterated over, or no column is known as the text.
    """
    if isinstance(given, str | bytes | bytearray | Mapping):
        is_splits = isinstance(given, Mapping) and any(str(key).lower() in SPLIT_NAMES for key in given)
        fix = "give one split, such as data['test']" if is_splits else "put the one text into brackets"
        raise DataError(SUBJECT, f"expected a list of texts; {fix}")
    try:
        found = opened(given)
    except DataError as error:
        raise DataError(SUBJECT, error.problems) from error
    items = items_in(cast("Iterable[object]", given)) if found is None else iter(found)
    head = list(islice(items, 1))
    rows = cast("Iterator[TextRow]", chain(head, items))
    columns = [] if found is None or found.columns is None else list(found.columns)
    if head and isinstance(head[0], Mapping):
        columns = list(cast("Mapping[str, object]", head[0]))
    if not columns:
        return rows
    is_table = found is not None and found.columns is not None
    choose = _choice(columns, format, _own_columns(path), is_table=is_table)
    if choose is None:
        return rows
    return (choose(row) if isinstance(row, Mapping) else row for row in rows)


def _choice(
    columns: Sequence[str], format: RowFormat, own: DataSection, *, is_table: bool
) -> Callable[[Mapping[str, object]], TextRow] | None:
    """Return what takes the texts out of a row; None where a row says by its usual names which they are."""
    second = format.text_pair or Column((), "second text")
    usual = find_name(dict.fromkeys(columns), (*format.text.names, "text"))
    text = own.text if own.text in columns else usual
    text = columns[0] if text is None and len(columns) == 1 else text
    if text is None:
        raise DataError(SUBJECT, _not_found(format.text, columns))
    usual_pair = find_name(dict.fromkeys(name for name in columns if name != text), second.names)
    pair = usual_pair if second.required or text != own.text else None
    pair = own.text_pair if own.text_pair in columns else pair
    if pair is None and second.required and is_table:
        raise DataError(SUBJECT, _not_found(second, columns))
    if text == usual and pair == usual_pair:
        return None
    chosen = {"text": text} if pair is None else {"text": text, second.names[0]: pair}
    return lambda row: {name: row.get(column) for name, column in chosen.items()}


def _not_found(column: Column, columns: Sequence[str]) -> str:
    there_is = ", ".join(columns)
    return (
        f"no column is known as the {column.description} (the columns are: {there_is}); rename it to "
        f"{column.names[0]!r}, or train with data.text=COLUMN, which a run keeps"
    )


def _own_columns(path: str | Path) -> DataSection:
    """Return the names of columns that a run was trained on."""
    try:
        return Run(Path(path)).recipe.data if is_run(path) else DataSection()
    except TinyBertError:  # a recipe of an earlier version
        return DataSection()
