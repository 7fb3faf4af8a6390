"""A file of texts in, a file of answers out, a window at a time."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from tqdm.auto import tqdm

from tinybert.data.entities import is_tag
from tinybert.data.findings import Unit
from tinybert.data.hub import nearest_here
from tinybert.data.readers import READERS, open_file
from tinybert.data.sources import LAYOUTS
from tinybert.data.text_files import Fault, RawRow, decoded_lines, json_rows, lines_and_faults
from tinybert.errors import DataError, RecipeError
from tinybert.predict.answer_file import AnswerFile
from tinybert.predict.answers import JSON_LINES, OUTPUTS, Lines, Record
from tinybert.predict.predictor import CHUNK_ROWS, Predictor
from tinybert.predict.rows import TextRow, columns_of, find_name, names_of
from tinybert.runs import Json
from tinybert.tasks import Task

INPUTS = tuple(READERS)
LINE_FILES = (".txt", ".csv", ".tsv", *JSON_LINES)
WEIGHTS = (".safetensors", ".onnx", ".bin", ".xml", ".tflite")
MAX_BAD_NAMED = 20
PLAIN_LINE_S = 10
BLOCK_BYTES = 1 << 20


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
    """Answer a file row by row, in its order.

    The target gets its name when it is whole. A row that cannot be read or answered is told with its number
    and set aside in ``TARGET.bad_rows.jsonl``; the rest goes on. After a kill, a full disk or Ctrl-C the same
    call goes on where it was.

    Args:
        predictor: Who answers.
        source: Text (one a line), or any file of rows that training reads; columns ``text`` and maybe
            ``text_pair``; for entities ``text`` or ``tokens``; for questions ``question`` and ``context``.
        target: JSON lines, CSV or TSV; standard output when None.

    Raises:
        DataError: The file cannot be read, has no text column, or none of its first rows can be answered; the
            target cannot be written.
        RunError: Another process writes it.
    """
    if target is not None and target.suffix not in OUTPUTS:
        raise DataError(
            str(target),
            f"cannot write {target.suffix or 'a file without an ending'}; allowed: {', '.join(OUTPUTS)}",
        )
    unit, rows = read_texts(source)
    if predictor.task.label_kind == "tags" and source.suffix.lower() == ".txt":
        _refuse_columns(source)
    if target is not None and target.exists() and target.samefile(source):
        raise DataError(str(target), "is the input itself; give the answers a file of their own")
    if predictor.task.label_kind in LAYOUTS:
        rows = LAYOUTS[predictor.task.label_kind](rows)
    cut_before = predictor.num_cut
    if target is None:
        lines = Lines("", subject="standard output")
        num_rows = num_bad = 0
        for window in windows_of(rows, unit, source, predictor.task):
            sys.stdout.write(lines.text_of(window.records, predictor(window.records)))
            report(window.bad, unit, source, known=num_bad)
            num_rows, num_bad = num_rows + window.num_read, num_bad + len(window.bad)
        return Counts(num_rows, num_bad, predictor.num_cut - cut_before)
    with AnswerFile(target, _made_from(predictor, source)) as file:
        for _ in itertools.islice(rows, file.num_read):
            pass
        lines = Lines(
            target.suffix,
            subject=str(target),
            table=file.table,
            num_rows=file.num_read - file.num_bad,
        )
        with Progress(source, done=file.num_read) as progress:
            for window in windows_of(rows, unit, source, predictor.task, begun=file.num_read > 0):
                text = lines.text_of(window.records, predictor(window.records))
                file.table = lines.table
                report(window.bad, unit, source, known=file.num_bad)
                file.add(text, num_read=window.num_read, bad=[asdict(each) for each in window.bad])
                progress.add(window.num_read)
        return Counts(file.num_read, file.num_bad, predictor.num_cut - cut_before, file.bad_rows)


@dataclass(frozen=True)
class Counts:
    """What became of a file.

    Attributes:
        num_rows: Rows read.
        num_bad: Of these, rows without an answer.
        num_cut: Texts that were too long and not read to their end, in this process.
        bad_rows: Where the rows without an answer are.
    """

    num_rows: int
    num_bad: int
    num_cut: int
    bad_rows: Path | None = None


@dataclass(frozen=True)
class BadRow:
    """A row that has no answer: its number, why, and what stood there."""

    row: int
    problem: str
    content: Mapping[str, object]


@dataclass(frozen=True)
class Window:
    """Some rows that follow each other."""

    records: list[Record]
    bad: list[BadRow]

    @property
    def num_read(self) -> int:
        """Rows, good or bad."""
        return len(self.records) + len(self.bad)


def windows_of(
    rows: Iterator[RawRow | Fault], unit: Unit, source: Path, task: Task, *, begun: bool = False
) -> Iterator[Window]:
    """Yield rows, many at a time, those that have no answer apart.

    Args:
        rows: The rows.
        unit: What their numbers count.
        source: The file, for messages.
        task: Says what a row must have.
        begun: Rows before these were good.

    Raises:
        DataError: There is no row; none of the first ones is good; one takes all after it along.
    """
    empty = not begun
    while read := list(itertools.islice(rows, CHUNK_ROWS)):
        window = Window([], [])
        for row in read:
            why = _problem(row, task)
            number = row.number if isinstance(row, Fault) else row[0]
            if why is None and not isinstance(row, Fault):
                window.records.append(dict(row[1]))
            else:
                window.bad.append(BadRow(number, str(why), row.raw if isinstance(row, Fault) else row[1]))
        fatal = [row for row in read if isinstance(row, Fault) and row.is_fatal]
        if fatal or (empty and not window.records):
            raise DataError(str(source), [f"{unit} {bad.row:,}{bad.problem}" for bad in window.bad])
        yield window
        empty = False
    if empty:
        raise DataError(str(source), "no row in it; at least one is needed")


def report(bad: Sequence[BadRow], unit: Unit, source: Path, *, known: int) -> None:
    """Name rows without an answer on standard error, the first few of a file."""
    for place, row in enumerate(bad, start=known):
        if place < MAX_BAD_NAMED:
            print(f"{source}: {unit} {row.row:,}{row.problem}", file=sys.stderr)
        elif place == MAX_BAD_NAMED:
            print(f"{source}: … more rows cannot be answered", file=sys.stderr)


def _made_from(predictor: Predictor, source: Path) -> Json:
    folder = Path(predictor.place)
    files = [source, *(sorted(folder.rglob("*")) if folder.is_dir() else [])]
    stamps = {
        str(file): [file.stat().st_size, file.stat().st_mtime_ns]
        for file in files
        if file == source or file.suffix in WEIGHTS
    }
    return {
        "input": str(source.resolve()),
        "model": predictor.place,
        "backend": predictor.backend,
        "max_length": predictor.max_length,
        "files": stamps,
    }


class Progress:
    """Shows how many rows are done: a bar, or plain lines where there is no terminal.

    Args:
        source: The file; the number of its rows is that of its lines, or what Parquet says.
        done: Rows that an earlier process did.
    """

    def __init__(self, source: Path, *, done: int) -> None:
        self.total = _count_rows(source)
        self.done = self.before = done
        self.start = self.said = time.perf_counter()

    def __enter__(self) -> Self:
        self.bar = tqdm(total=self.total, initial=self.done, unit=" rows", disable=None, leave=False)
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def add(self, count: int) -> None:
        """Note some more rows."""
        self.done += count
        self.bar.update(count)
        now = time.perf_counter()
        if self.bar.disable and now - self.said > PLAIN_LINE_S:
            self.said = now
            speed = (self.done - self.before) / (now - self.start)
            of_all = (
                f" of {self.total:,}, {max(self.total - self.done, 0) / speed:,.0f} s left"
                if self.total
                else ""
            )
            print(f"{self.done:,} rows{of_all}, {speed:,.0f} a second", file=sys.stderr, flush=True)


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


def _refuse_columns(source: Path) -> None:
    """Refuse a file of columns that ends in .txt, which here means one text a line."""
    lines = [line.split() for line in itertools.islice(decoded_lines(source, str(source)), 50)]
    filled = [fields for fields in lines if fields]
    if filled and all(len(fields) > 1 and is_tag(fields[-1]) for fields in filled):
        raise DataError(
            str(source),
            "looks like a file of columns (a token and its tag a line); let its name end in .conll",
        )


def _text_rows(lines: Iterator[tuple[int, str] | Fault]) -> Iterator[RawRow | Fault]:
    for each in lines:
        yield each if isinstance(each, Fault) else (each[0], Record(text=each[1].rstrip("\r\n")))


def _problem(row: RawRow | Fault, task: Task) -> str | None:
    """Say why a row has no answer, to be written behind its number."""
    if isinstance(row, Fault):
        return f": {row.why}"
    record = row[1]
    names = names_of(task)
    wanted = [names.text, names.pair] if task.label_kind == "span" else [names.text]
    missing = [" or ".join(map(repr, ways[:3])) for ways in wanted if find_name(record, ways) is None]
    if missing:
        there_is = ", ".join(map(str, record))
        return f": no field {' and no field '.join(missing)} (it has: {there_is})"
    try:
        columns_of([record], task)
    except DataError as error:
        return f", {error.problems[0].removeprefix('row 1, ')}"
    return None
