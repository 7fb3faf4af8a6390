"""Answers as lines of a file: JSON, or the rows of a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import TypedDict

from tinybert.data.columns import CONTEXT_NAMES
from tinybert.inference.rows import NAMES, find_name
from tinybert.tasks import AnyAnswer, Entities, FoundAnswer

NUM_BEST_SHOWN = 5
JSON_LINES, TABLES = (".jsonl", ".ndjson"), (".csv", ".tsv")
OUTPUTS = (*JSON_LINES, *TABLES)

Record = dict[str, object]


class Table(TypedDict):
    """What all windows of a table have in common.

    Attributes:
        columns: Of the input's rows.
        header: What stands of them beside an answer; None before the first row.
    """

    columns: list[str]
    header: list[str] | None


class Lines:
    """Turns rows and their answers into text, a window at a time.

    Args:
        suffix: Of the file; an empty one means JSON lines.
        table: Of a table that an earlier process began.
    """

    def __init__(self, suffix: str, *, table: Table | None = None) -> None:
        self.is_table = suffix in TABLES
        self.delimiter = "\t" if suffix == ".tsv" else ","
        self.table = table

    def has_no_place(self, row: Record) -> str | None:
        """Say why a table cannot take a row: it has a column that those of the first window lack."""
        lost = set(row) - set(self.table["columns"]) if self.table else set[str]()
        if not lost:
            return None
        why = f": has a column {min(lost)!r} that the first rows lack"
        return f"{why}; a table needs it there too, or write .jsonl"

    def text_of(self, rows: Sequence[Record], answers: Sequence[AnyAnswer], numbers: Sequence[int]) -> str:
        """Return the lines of a window; a table has its header before the first of them.

        Args:
            rows: The rows.
            answers: One each.
            numbers: Of the rows in the input, from 1.
        """
        if not self.is_table:
            lines = [as_json(row, answer) + "\n" for row, answer in zip(rows, answers, strict=True)]
            return encodable("".join(lines))
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.delimiter)
        if self.table is None:
            self.table = Table(columns=list(dict.fromkeys(name for row in rows for name in row)), header=None)
        for row, answer, number in zip(rows, answers, numbers, strict=True):
            writer.writerows(self._cells(row, answer, number, self.table))
        return encodable(text.getvalue())

    def _cells(self, row: Record, answer: AnyAnswer, number: int, table: Table) -> Iterator[Sequence[object]]:
        names, lines = table_lines(answer)
        given = kept({name: row.get(name) for name in table["columns"]}, answer, {"row", *names})
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


def as_json(row: Record, answer: AnyAnswer) -> str:
    """Return a row and its answer as one line of JSON.

    Of a question the context is left out, and of its possible answers all but the best five.
    """
    if isinstance(answer, FoundAnswer):
        answer = replace(answer, n_best=answer.n_best[:NUM_BEST_SHOWN])
    said = asdict(answer)
    return json.dumps({**kept(row, answer, set(said)), **said}, ensure_ascii=False, default=str)


def kept(row: Record, answer: AnyAnswer, taken: set[str]) -> Record:
    """Return what stands beside an answer: the row, without a context or a text that the answer repeats.

    A column whose name the answer takes goes on as ``input_NAME``: a gold label beside the predicted one.
    """
    left_out: set[str] = set()
    if isinstance(answer, FoundAnswer):
        text = find_name(row, NAMES["qa"].text)
        left_out = {name for name in row if name != text and name.lower() in CONTEXT_NAMES}
    elif isinstance(answer, Entities) and row.get("text") == answer.text:
        left_out = {"text"}
    return {
        f"input_{name}" if name in taken else name: value
        for name, value in row.items()
        if name not in left_out
    }


def table_lines(answer: AnyAnswer) -> tuple[list[str], Sequence[Sequence[object]]]:
    """Return the columns of an answer and its lines: one, or as many as a text has entities."""
    if isinstance(answer, Entities):
        return ["text", "entity", "start", "end", "label", "score"], [
            [answer.text, entity.text, entity.start, entity.end, entity.label, entity.score]
            for entity in answer.entities
        ]
    if isinstance(answer, FoundAnswer):
        line = [answer.answer, answer.start, answer.end, answer.score]
        return ["answer", "start", "end", "score"], [line]
    label = "|".join(answer.label) if isinstance(answer.label, list) else answer.label
    return ["label", "score"], [[label, answer.score]]
