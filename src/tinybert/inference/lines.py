"""Predictions as lines of a file: JSON, or the rows of a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypedDict

from tinybert.data.fields import FieldError

if TYPE_CHECKING:
    from tinybert.tasks import Prediction

JSON_LINES, TABLES = (".jsonl", ".ndjson"), (".csv", ".tsv")
OUTPUTS = (*JSON_LINES, *TABLES)

Record = dict[str, object]


class Table(TypedDict):
    """What all windows of a table have in common.

    Attributes:
        columns: Of the input's rows.
        header: Those written beside a prediction; None before the first row.
    """

    columns: list[str]
    header: list[str] | None


class Lines:
    """Turns rows and their predictions into text, a window at a time.

    Args:
        suffix: Of the file; an empty one means JSON lines.
        table: Of a table that an earlier process began.
    """

    def __init__(self, suffix: str, *, table: Table | None = None) -> None:
        self.is_table = suffix in TABLES
        self.delimiter = "\t" if suffix == ".tsv" else ","
        self.table = table

    def missing_column(self, row: Record) -> FieldError | None:
        """Say why a table cannot take a row: it has a column that those of the first window lack."""
        lost = set(row) - set(self.table["columns"]) if self.table else set[str]()
        if not lost:
            return None
        why = f"has a column {min(lost)!r} that the first rows lack"
        return FieldError(min(lost), f"{why}; a table needs it there too, or write .jsonl")

    def text_of(
        self, rows: Sequence[Record], predictions: Sequence[Prediction], numbers: Sequence[int]
    ) -> str:
        """Return the lines of a window; a table has its header before the first of them.

        Args:
            rows: The rows.
            predictions: One each.
            numbers: Of the rows in the input, from 1.
        """
        if not self.is_table:
            lines = [
                as_json(row, prediction) + "\n" for row, prediction in zip(rows, predictions, strict=True)
            ]
            return encodable("".join(lines))
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.delimiter)
        if self.table is None:
            self.table = Table(columns=list(dict.fromkeys(name for row in rows for name in row)), header=None)
        for row, prediction, number in zip(rows, predictions, numbers, strict=True):
            writer.writerows(self._cells(row, prediction, number, self.table))
        return encodable(text.getvalue())

    def _cells(
        self, row: Record, prediction: Prediction, number: int, table: Table
    ) -> Iterator[Sequence[object]]:
        names, lines = prediction.table()
        given = kept({name: row.get(name) for name in table["columns"]}, prediction, {"row", *names})
        if table["header"] is None:
            table["header"] = list(given)
            yield ["row", *given, *names]
        cells = [cell(given.get(name)) for name in table["header"]]
        for line in lines:
            yield [number, *cells, *line]


def encodable(text: str) -> str:
    """Return a text that UTF-8 can hold: half of a surrogate pair becomes its escape, as JSON writes it."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def cell(value: object) -> object:
    """Return what a table holds of a value: lists and mappings as JSON, as training reads them."""
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value


def as_json(row: Record, prediction: Prediction) -> str:
    """Return a row and its prediction as one line of JSON."""
    fields = prediction.fields()
    return json.dumps({**kept(row, prediction, set(fields)), **fields}, ensure_ascii=False, default=str)


def kept(row: Record, prediction: Prediction, taken: set[str]) -> Record:
    """Return what is written beside a prediction: the row, without the columns that the prediction repeats.

    A column whose name the prediction takes is kept as ``input_NAME``: a gold label beside the predicted one.
    """
    repeated = prediction.columns_repeated(row)
    return {
        f"input_{name}" if name in taken else name: value
        for name, value in row.items()
        if name not in repeated
    }
