"""Python objects → the texts in them that are to be predicted: which columns of a table these are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import cast

from tinybert.config import DataSection
from tinybert.console import warn
from tinybert.data import RowFormat, TextRow
from tinybert.data.columns import rivals
from tinybert.data.row_format import Column, find_name
from tinybert.errors import DataError, TinyBertError
from tinybert.runs import Run, is_run
from tinybert.sources.columns import SPLIT_NAMES
from tinybert.sources.objects import items_in, opened
from tinybert.sources.readers import READERS, Table
from tinybert.tasks.text_rows import SUBJECT

IN_A_FILE = (
    "read it first, such as pandas.read_csv(path), or predict it by tinybert predict RUN --input FILE, which "
    "reads and writes it row by row"
)


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
    if isinstance(given, str | bytes | bytearray | Path | Mapping):
        raise DataError(SUBJECT, f"expected a list of texts; {_how_to_give(cast(object, given))}")
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
    chosen = _chosen(columns, format, _own_columns(path), SUBJECT, is_table=is_table)
    return (texts_of(row, chosen) if isinstance(row, Mapping) else row for row in rows)


def _how_to_give(given: object) -> str:
    """Return how texts are given that are not in a list: splits, columns, one row, a file, one text."""
    if not isinstance(given, Mapping):
        is_path = isinstance(given, Path) or is_file(given)
        return f"{given} is a file: {IN_A_FILE}" if is_path else "put the one text into brackets"
    values = cast("Mapping[object, object]", given)
    if any(str(key).lower() in SPLIT_NAMES for key in values):
        return "give one split, such as data['test']"
    if any(isinstance(value, str) for value in values.values()):
        return "put the one row into brackets"
    return "columns go into a table, such as pandas.DataFrame(data)"


def is_file(given: object) -> bool:
    """Return whether a text is the name of a file of rows that is there."""
    if not isinstance(given, str | Path) or Path(given).suffix.lower() not in (".txt", *READERS):
        return False
    try:
        return Path(given).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, a home that nobody has
        return False


def columns_of_file(table: Table, format: RowFormat, *, path: str | Path) -> dict[str, str]:
    """Return usual name → the column of a file that is read as such; nothing where rows have the usual ones.

    They are chosen as in :func:`texts_in`, but for the only column of a file of comma- or tab-separated
    values: its name may be a text, where the file has no header.

    Raises:
        DataError: No column is known as the text.
    """
    if not table.columns:
        return {}
    only = not table.file.lower().endswith((".csv", ".tsv"))
    return _chosen(table.columns, format, _own_columns(path), table.file, is_table=True, only=only)


def texts_of(row: Mapping[str, object], chosen: Mapping[str, str]) -> Mapping[str, object]:
    """Return the texts of a row by their usual names; all of it where no columns are chosen."""
    return {name: row.get(column) for name, column in chosen.items()} if chosen else row


def _chosen(
    columns: Sequence[str],
    format: RowFormat,
    own: DataSection,
    subject: str,
    *,
    is_table: bool,
    only: bool = True,
) -> dict[str, str]:
    """Return usual name → column; nothing where a row says by its usual names which they are."""
    second = format.text_pair or Column((), "second text")
    usual = find_name(dict.fromkeys(columns), (*format.text.names, "text"))
    text = own.text if own.text in columns else usual
    text = columns[0] if text is None and len(columns) == 1 and only else text
    if text is None:
        raise DataError(subject, _not_found(format.text, columns, "text", own.text))
    usual_pair = find_name(dict.fromkeys(name for name in columns if name != text), second.names)
    pair = usual_pair if second.required or text != own.text else None
    pair = own.text_pair if own.text_pair in columns else pair
    if pair is None and second.required and is_table:
        raise DataError(subject, _not_found(second, columns, "text_pair", own.text_pair))
    if is_table:
        _say_choice(columns, format, subject, text=None if text == own.text else text, pair=pair)
    if text == usual and pair == usual_pair:
        return {}
    pairs = {} if pair is None else {second.names[0]: pair}
    return {**format.other_columns(columns), "text": text, **pairs}


def _say_choice(
    columns: Sequence[str], format: RowFormat, subject: str, *, text: str | None, pair: str | None
) -> None:
    """Say which column is read as the text where others have a usual name too."""
    others = rivals(columns, format.text, {text, pair}) if text else []
    if others:
        second = f", and {pair!r} as the {format.text_pair.description}" if pair and format.text_pair else ""
        warn(
            f"{subject}: {text!r} is read as the {format.text.description}{second}; it could be "
            f"{' or '.join(map(repr, others))} too: give the file without the others, or train with "
            "data.text=COLUMN, which a run keeps"
        )


def _not_found(column: Column, columns: Sequence[str], setting: str, own: str | None) -> str:
    there_is = ", ".join(columns)
    why = f"no column is known as the {column.description} (the columns are: {there_is}); rename it to "
    if own is not None:
        return f"{why}{own!r}, as in training, or to {column.names[0]!r}"
    return f"{why}{column.names[0]!r}, or train with data.{setting}=COLUMN, which a run keeps"


def _own_columns(path: str | Path) -> DataSection:
    """Return the names of columns that a run was trained on."""
    try:
        return Run(Path(path)).recipe.data if is_run(path) else DataSection()
    except TinyBertError:  # a recipe of an earlier version
        return DataSection()
