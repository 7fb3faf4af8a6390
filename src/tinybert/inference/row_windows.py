"""The rows of a file of texts, many at a time; rows that cannot be predicted are set aside."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinybert.console import say
from tinybert.data import RowFormat, TextRow
from tinybert.data.fields import FieldError
from tinybert.data.findings import BadRow
from tinybert.data.row_format import find_name
from tinybert.errors import DataError
from tinybert.inference.lines import Lines, Record, encodable
from tinybert.inference.predictor import CHUNK_ROWS, Predictor
from tinybert.inference.text_columns import columns_of_file, texts_of
from tinybert.sources.readers import Table
from tinybert.sources.text_files import Fault, RawRow, Unit

MAX_BAD_NAMED = 20


@dataclass(frozen=True)
class Window:
    """Some rows that follow each other: those that can be predicted, with their numbers, and the others.

    Attributes:
        records: Whole rows.
        texts: What of each is predicted.
        numbers: Theirs in the file.
        bad: The others.
    """

    records: list[Record]
    texts: list[TextRow]
    numbers: list[int]
    bad: list[BadRow]

    @property
    def num_read(self) -> int:
        """Rows, good or bad."""
        return len(self.records) + len(self.bad)


class RowWindows:
    """The rows of a file, many at a time; rows that cannot be used are set aside.

    Args:
        table: The rows.
        source: The file, for messages.
        predictor: Says what a row must have.

    Attributes:
        num_read: Rows so far.
        num_bad: Of these, rows that cannot be used; the first few are named on standard error.

    Raises:
        DataError: No column is known as the text.
    """

    def __init__(self, table: Table, source: Path, predictor: Predictor) -> None:
        self.rows, self.source, self.predictor = table.rows, source, predictor
        self.unit: Unit = table.unit
        self.format = predictor.task.format
        self.chosen = columns_of_file(table, self.format, path=predictor.path)
        self.num_read = self.num_bad = 0
        self.is_pair: bool | None = None

    def skip(self, count: int, *, num_bad: int) -> None:
        """Skip rows that an earlier process has predicted."""
        for row in itertools.islice(self.rows, count):
            texts = {} if isinstance(row, Fault) else texts_of(row[1], self.chosen)
            if self.is_pair is None and texts and self._problem(texts) is None:
                self.is_pair = _has_pair(texts, self.format)
        self.num_read, self.num_bad = count, num_bad

    def windows(self, lines: Lines | None = None) -> Iterator[Window]:
        """Yield rows, many at a time.

        Args:
            lines: A table, which may have no place for a row.

        Raises:
            DataError: There is no row; none of the first ones is good; one takes all after it along.
        """
        while read := list(itertools.islice(self.rows, CHUNK_ROWS)):
            window = Window([], [], [], [])
            for row in read:
                self._sort_in(row, window, lines)
            fatal = any(isinstance(row, Fault) and row.is_fatal for row in read)
            if fatal or (not window.records and self.num_read == window.num_read):
                raise DataError(str(self.source), [_without_file(bad) for bad in window.bad])
            self._name(window.bad)
            yield window
        if self.num_read == 0:
            raise DataError(str(self.source), "no row in it; at least one is needed")

    def _sort_in(self, row: RawRow | Fault, window: Window, lines: Lines | None) -> None:
        self.num_read += 1
        if isinstance(row, Fault):
            number, content, why = row.number, row.raw, FieldError("", row.why)
            texts = content
        else:
            number, content = row
            texts = texts_of(content, self.chosen)
            why = self._problem(texts) or self._pair_problem(texts)
            why = why or (lines.missing_column(dict(content)) if lines else None)
        if why is None:
            window.records.append(dict(content))
            window.texts.append(texts)
            window.numbers.append(self.num_read)
        else:
            name = str(self.source)
            window.bad.append(BadRow(name, number, self._own(why.field), str(why), content, self.unit))

    def _own(self, field: str) -> str:
        """Return the file's own name of a field."""
        return self.chosen.get("text" if field in self.format.text.names else field, field)

    def _problem(self, record: Mapping[str, object]) -> FieldError | None:
        """Say why a row cannot be used."""
        columns = [self.format.text, self.format.text_pair]
        wanted = [
            each for each in columns if each is self.format.text or (each is not None and each.required)
        ]
        missing = [
            " or ".join(map(repr, each.names[:3]))
            for each in wanted
            if each is not None and find_name(record, (*each.names, "text")) is None
        ]
        if missing:
            there_is = ", ".join(map(str, record))
            return FieldError("", f"no field {' and no field '.join(missing)} (it has: {there_is})")
        try:
            self.format.columns_of([record])
        except DataError as error:
            field, _, why = error.problems[0].removeprefix("row 1, ").partition(": ")
            return FieldError(field, why)
        return None

    def _pair_problem(self, record: Mapping[str, object]) -> FieldError | None:
        """Say that a row is a pair where the model or the first row was none, or the other way round."""
        pair = self.format.text_pair
        if pair is None or pair.required:
            return None
        is_pair = _has_pair(record, self.format)
        if problem := self.predictor.pair_problem(is_pair=is_pair):
            return FieldError("text_pair", problem)
        if self.is_pair is None:
            self.is_pair = is_pair
        if is_pair == self.is_pair:
            return None
        which = (
            "no text_pair, which the first row has"
            if self.is_pair
            else "a text_pair, which the first row lacks"
        )
        return FieldError("text_pair", which)

    def _name(self, bad: Sequence[BadRow]) -> None:
        for row in bad:
            if self.num_bad < MAX_BAD_NAMED:
                say(encodable(str(row)))
            elif self.num_bad == MAX_BAD_NAMED:
                say(f"{self.source}: … more rows cannot be predicted")
            self.num_bad += 1


def _without_file(bad: BadRow) -> str:
    return str(bad).removeprefix(f"{bad.file}, ")


def _has_pair(record: Mapping[str, object], format: RowFormat) -> bool:
    name = find_name(record, format.text_pair.names if format.text_pair else ())
    return name is not None and record[name] is not None
