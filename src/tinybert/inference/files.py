"""A file of texts in, a file of predictions out, a window at a time."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tinybert.console import progress, say
from tinybert.data import RowFormat, TextRow
from tinybert.data.fields import FieldError
from tinybert.data.findings import BadRow
from tinybert.data.row_format import find_name
from tinybert.errors import DataError, RecipeError
from tinybert.inference.exports import source_files
from tinybert.inference.lines import JSON_LINES, OUTPUTS, Lines, Record, encodable
from tinybert.inference.prediction_file import PredictionFile
from tinybert.inference.predictor import CHUNK_ROWS, Predictor
from tinybert.sources.hub import nearest_here
from tinybert.sources.readers import READERS, open_file
from tinybert.sources.text_files import Fault, RawRow, Unit, decoded_lines, json_rows, lines_and_faults
from tinybert.storage import Json

INPUTS = tuple(READERS)
LINE_FILES = (".txt", ".csv", ".tsv", *JSON_LINES)
MAX_BAD_NAMED = 20
BLOCK_BYTES = 1 << 20
LINES_PEEKED = 50


def rows_of_words(texts: Sequence[str], *, text_pair: str | None, has_file: bool) -> list[TextRow]:
    """Return the rows given on the command line: texts, or each with the second text or the context.

    Raises:
        RecipeError: Neither texts nor a file are given, or both.
    """
    if bool(texts) == has_file:
        raise RecipeError("predict", "give either texts or --input FILE")
    return [text if text_pair is None else (text, text_pair) for text in texts]


def read_context(file: Path) -> str:
    """Return the text of a file, for a question to be asked of it.

    Raises:
        DataError: There is no such file, it is not UTF-8, or it holds no text.
    """
    if file.is_dir():
        raise DataError(str(file), "is a folder; give one text file")
    if not file.is_file():
        raise DataError(str(file), f"no such file{nearest_here(file)}")
    text = "".join(decoded_lines(file, str(file)))
    if not text.strip():
        raise DataError(str(file), "holds no text")
    return text


def predict_file(predictor: Predictor, source: Path, target: Path | None) -> Counts:
    """Predict a file row by row, in its order.

    The target gets its name when it is whole. A row that cannot be read or predicted is reported with its
    number and set aside in ``TARGET.bad_rows.jsonl``; the rest continues. After a kill, a full disk or Ctrl-C
    the same call resumes.

    Args:
        predictor: Predicts.
        source: Text (one a line), or any file of rows that training reads; columns ``text`` and maybe
            ``text_pair``; for entities ``text`` or ``tokens``; for questions ``question`` and ``context``.
        target: JSON lines, CSV or TSV; standard output when None.

    Raises:
        DataError: The file cannot be read, has no text column, or none of its first rows can be predicted.
        RunError: It cannot be written, another process writes it, or an unfinished one is of another input.
    """
    if target is not None and target.suffix not in OUTPUTS:
        raise DataError(
            str(target),
            f"cannot write {target.suffix or 'a file without an ending'}; allowed: {', '.join(OUTPUTS)}",
        )
    unit, rows = read_texts(source)
    format = predictor.task.format
    if source.suffix.lower() == ".txt":
        _refuse_other_text(source, format)
    reader = RowWindows(format.unpack(rows), unit, source, predictor)
    truncated_before = predictor.num_truncated
    if target is None:
        lines = Lines("")
        for window in reader.windows():
            sys.stdout.write(lines.text_of(window.records, predictor(window.records), window.numbers))
        return Counts(reader.num_read, reader.num_bad, predictor.num_truncated - truncated_before)
    file = PredictionFile(target, _made_from(predictor, source))
    if any(each.exists() and each.samefile(source) for each in file.files):
        raise DataError(
            str(target), "is the input itself, or is kept beside it; give the predictions a file of their own"
        )
    with file:
        if file.metadata is not None:
            return Counts(file.num_read, file.num_bad, 0, file.bad_rows)
        reader.skip(file.num_read, num_bad=file.num_bad)
        lines = Lines(target.suffix, table=file.table)
        with progress("predicting", _count_rows(source), unit="rows", done=file.num_read) as advance:
            for window in reader.windows(lines):
                text = lines.text_of(window.records, predictor(window.records), window.numbers)
                file.table = lines.table
                file.add(text, num_read=window.num_read, bad=[asdict(each) for each in window.bad])
                advance(window.num_read)
    return Counts(file.num_read, file.num_bad, predictor.num_truncated - truncated_before, file.bad_rows)


@dataclass(frozen=True)
class Counts:
    """What became of a file.

    Attributes:
        num_rows: Rows read.
        num_bad: Of these, rows without a prediction.
        num_truncated: Texts that were truncated, in this process.
        bad_rows: Where the rows without a prediction are.
    """

    num_rows: int
    num_bad: int
    num_truncated: int
    bad_rows: Path | None = None


@dataclass(frozen=True)
class Window:
    """Some rows that follow each other: those that can be predicted, with their numbers, and the others."""

    records: list[Record]
    numbers: list[int]
    bad: list[BadRow]

    @property
    def num_read(self) -> int:
        """Rows, good or bad."""
        return len(self.records) + len(self.bad)


class RowWindows:
    """The rows of a file, many at a time, those that cannot be used apart.

    Args:
        rows: The rows.
        unit: What the numbers of a file count.
        source: The file, for messages.
        predictor: Says what a row must have.

    Attributes:
        num_read: Rows so far.
        num_bad: Of these, rows that cannot be used; the first few are named on standard error.
    """

    def __init__(
        self, rows: Iterator[RawRow | Fault], unit: Unit, source: Path, predictor: Predictor
    ) -> None:
        self.rows, self.source, self.predictor = rows, source, predictor
        self.unit: Unit = unit
        self.format = predictor.task.format
        self.num_read = self.num_bad = 0
        self.is_pair: bool | None = None

    def skip(self, count: int, *, num_bad: int) -> None:
        """Skip rows that an earlier process has predicted."""
        for row in itertools.islice(self.rows, count):
            if self.is_pair is None and not isinstance(row, Fault) and self._problem(row[1]) is None:
                self.is_pair = _has_pair(row[1], self.format)
        self.num_read, self.num_bad = count, num_bad

    def windows(self, lines: Lines | None = None) -> Iterator[Window]:
        """Yield rows, many at a time.

        Args:
            lines: A table, which may have no place for a row.

        Raises:
            DataError: There is no row; none of the first ones is good; one takes all after it along.
        """
        while read := list(itertools.islice(self.rows, CHUNK_ROWS)):
            window = Window([], [], [])
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
        else:
            number, content = row
            why = self._problem(content) or self._pair_problem(content)
            why = why or (lines.missing_column(dict(content)) if lines else None)
        if why is None:
            window.records.append(dict(content))
            window.numbers.append(self.num_read)
        else:
            name = str(self.source)
            window.bad.append(BadRow(name, number, why.field, str(why), content, self.unit))

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


def _made_from(predictor: Predictor, source: Path) -> Json:
    """Return what predictions depend on: the input, and the files of the model, by size and time."""
    folder = Path(predictor.place)
    model = predictor.runtime.files.get(predictor.precision)
    names = [*(source_files(folder) if folder.is_dir() else ()), *([model] if model else ())]
    stats = {str(file): file.stat() for file in (source, *(folder / name for name in names))}
    return {
        "input": str(source.resolve()),
        "model": predictor.place,
        "backend": predictor.backend,
        "max_length": predictor.max_length,
        "batch_size": predictor.batch_size,
        "files": {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()},
    }


def _count_rows(source: Path) -> int | None:
    """Return about how many rows a file has, or None where that costs as much as reading it."""
    if source.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq

        return pq.ParquetFile(source).metadata.num_rows
    if source.suffix.lower() not in LINE_FILES:
        return None
    with source.open("rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(BLOCK_BYTES), b""))


def read_texts(source: Path) -> tuple[Unit, Iterator[RawRow | Fault]]:
    """Open a file of texts, and say what its row numbers count.

    Raises:
        DataError: The file is missing, of an unknown kind, or cannot be read.
    """
    name = str(source)
    if source.is_dir():
        raise DataError(name, "is a folder; give one file of texts")
    if not source.is_file():
        raise DataError(name, f"no such file{nearest_here(source)}")
    if source.suffix.lower() == ".txt":
        return "line", _text_rows(lines_and_faults(source, name))
    if source.suffix.lower() in JSON_LINES:
        return "line", json_rows(lines_and_faults(source, name))
    if source.suffix.lower() not in READERS:
        kind = source.suffix or "a file without an ending"
        raise DataError(name, f"cannot read {kind}; allowed: {', '.join(INPUTS)}")
    tables = open_file(source, name)
    if list(tables) != [""]:
        raise DataError(name, "holds splits; give one list of rows")
    return tables[""].unit, tables[""].rows


def _refuse_other_text(source: Path, format: RowFormat) -> None:
    """Refuse a file that ends in .txt and does not hold one text a line."""
    if problem := format.file_problem(itertools.islice(decoded_lines(source, str(source)), LINES_PEEKED)):
        raise DataError(str(source), problem)


def _text_rows(lines: Iterator[tuple[int, str] | Fault]) -> Iterator[RawRow | Fault]:
    for each in lines:
        yield each if isinstance(each, Fault) else (each[0], Record(text=each[1].rstrip("\r\n")))
