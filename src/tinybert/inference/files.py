"""A file of texts in, a file of predictions out, a window at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tinybert.console import progress, put_json_lines
from tinybert.data import RowFormat, TextRow
from tinybert.errors import DataError
from tinybert.inference.exports import source_files
from tinybert.inference.lines import JSON_LINES, OUTPUTS, Lines, Record
from tinybert.inference.prediction_file import PredictionFile
from tinybert.inference.predictor import Predictor
from tinybert.inference.row_windows import RowWindows
from tinybert.lookup import AUTO
from tinybert.sources.encoding import SourceFile
from tinybert.sources.file_kinds import kind_of_file
from tinybert.sources.hub import missing
from tinybert.sources.readers import READERS, Table, open_file, relaid
from tinybert.sources.text_files import Fault, RawRow, numbered_lines, sound_lines
from tinybert.storage import Json, blocks_of

INPUTS = tuple(READERS)
LINE_FILES = (".txt", ".csv", ".tsv", *JSON_LINES)
LINES_PEEKED = 50


def rows_of_words(texts: Sequence[str], *, text_pair: str | None) -> list[TextRow]:
    """Return the rows given on the command line: texts, or each with the second text or the context."""
    return [text if text_pair is None else (text, text_pair) for text in texts]


def read_context(file: Path, *, encoding: str = AUTO) -> str:
    """Return the text of a file, for a question to be asked of it.

    Raises:
        DataError: There is no such file, it is in another encoding, or it holds no text.
    """
    if file.is_dir():
        raise DataError(str(file), "is a folder; give one text file")
    if not file.is_file():
        raise DataError(str(file), missing(file, "file"))
    text = "".join(sound_lines(_file(file, encoding)))
    if not text.strip():
        raise DataError(str(file), "holds no text")
    return text


def predict_file(predictor: Predictor, source: Path, target: Path | None, *, encoding: str = AUTO) -> Counts:
    """Predict a file row by row, in its order.

    The target gets its name when it is whole. A row that cannot be read or predicted is reported with its
    number and set aside in ``TARGET.bad_rows.jsonl``; the rest continues. After a kill, a full disk or Ctrl-C
    the same call resumes.

    Args:
        predictor: Predicts.
        source: Text (one a line), or any file of rows that training reads; columns as the run was trained
            on, or ``text`` and maybe ``text_pair``; for entities ``text`` or ``tokens``; for questions
            ``question`` and ``context``.
        target: JSON lines, CSV or TSV; standard output when None.
        encoding: Of the file; found out where it is ``auto``.

    Raises:
        DataError: The file cannot be read, has no text column, or none of its first rows can be predicted.
        RunError: It cannot be written, another process writes it, or an unfinished one is of another input.
    """
    if target is not None and target.suffix not in OUTPUTS:
        raise DataError(
            str(target),
            f"cannot write {target.suffix or 'a file without an ending'}; allowed: {', '.join(OUTPUTS)}",
        )
    format = predictor.task.format
    table = read_texts(source, encoding=encoding)
    if source.suffix.lower() == ".txt":
        _refuse_other_text(_file(source, encoding), format)
    reader = RowWindows(relaid(table, format.unpack), source, predictor)
    truncated_before, cut_before = predictor.num_truncated, predictor.num_cut
    if target is None:
        lines = Lines("")
        for window in reader.windows():
            put_json_lines(
                lines.text_of(window.records, list(predictor.stream_texts(window.texts)), window.numbers)
            )
        num_truncated, num_cut = predictor.num_truncated - truncated_before, predictor.num_cut - cut_before
        return Counts(reader.num_read, reader.num_bad, num_truncated, num_cut)
    file = PredictionFile(target, _made_from(predictor, source, encoding))
    if any(each.exists() and each.samefile(source) for each in file.files):
        raise DataError(
            str(target), "is the input itself, or is kept beside it; give the predictions a file of their own"
        )
    with file:
        if file.metadata is not None:
            return Counts(file.num_read, file.num_bad, 0, bad_rows=file.bad_rows)
        reader.skip(file.num_read, num_bad=file.num_bad)
        lines = Lines(target.suffix, table=file.table)
        with progress("predicting", _count_rows(source), unit="rows", done=file.num_read) as advance:
            for window in reader.windows(lines):
                text = lines.text_of(
                    window.records, list(predictor.stream_texts(window.texts)), window.numbers
                )
                file.table = lines.table
                file.add(text, num_read=window.num_read, bad=[asdict(each) for each in window.bad])
                advance(window.num_read)
    num_truncated, num_cut = predictor.num_truncated - truncated_before, predictor.num_cut - cut_before
    return Counts(file.num_read, file.num_bad, num_truncated, num_cut, file.bad_rows)


@dataclass(frozen=True)
class Counts:
    """What became of a file.

    Attributes:
        num_rows: Rows read.
        num_bad: Of these, rows without a prediction.
        num_truncated: Texts that were truncated, in this process.
        num_cut: Rows of which a text that was written was cut, in this process.
        bad_rows: Where the rows without a prediction are.
    """

    num_rows: int
    num_bad: int
    num_truncated: int
    num_cut: int = 0
    bad_rows: Path | None = None


def _made_from(predictor: Predictor, source: Path, encoding: str = AUTO) -> Json:
    """Return what predictions depend on: the input, and the files of the model, by size and time."""
    folder = Path(predictor.place)
    models = predictor.runtime.model_files(predictor.precision, writes=predictor.task.writes)
    names = [*(source_files(folder) if folder.is_dir() else ()), *models]
    given = predictor.writing.given if predictor.writing else {}
    stats = {str(file): file.stat() for file in (source, *(folder / name for name in names))}
    return {
        "input": str(source.resolve()),
        **({} if encoding == AUTO else {"encoding": encoding}),
        "model": predictor.place,
        "backend": predictor.backend,
        "max_length": predictor.max_length,
        "batch_size": predictor.batch_size,
        **({"generation": dict(given)} if given else {}),
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
        return sum(block.count(b"\n") for block in blocks_of(stream))


def read_texts(source: Path, *, encoding: str = AUTO) -> Table:
    """Open a file of texts.

    Raises:
        DataError: The file is missing, of an unknown kind, or cannot be read.
    """
    name = str(source)
    if source.is_dir():
        raise DataError(name, "is a folder; give one file of texts")
    if not source.is_file():
        raise DataError(name, missing(source, "file"))
    if source.suffix.lower() == ".txt":
        return Table(name, "line", ["text"], _text_rows(numbered_lines(_file(source, encoding))))
    if source.suffix.lower() not in READERS:
        kind = kind_of_file(source)
        what = source.suffix or "a file without an ending"
        fix = f"not texts, but {kind}" if kind else f"cannot read {what}; allowed: {', '.join(INPUTS)}"
        raise DataError(name, fix)
    tables = open_file(_file(source, encoding))
    if list(tables) != [""]:
        raise DataError(name, "holds splits; give one list of rows")
    return tables[""]


def _file(path: Path, encoding: str) -> SourceFile:
    return SourceFile(path, str(path), encoding, "data.encoding")


def _refuse_other_text(file: SourceFile, format: RowFormat) -> None:
    """Refuse a file that ends in .txt and does not hold one text a line."""
    if problem := format.file_problem(itertools.islice(file.lines(), LINES_PEEKED)):
        raise DataError(file.name, problem)


def _text_rows(lines: Iterator[tuple[int, str] | Fault]) -> Iterator[RawRow | Fault]:
    for each in lines:
        yield each if isinstance(each, Fault) else (each[0], Record(text=each[1].rstrip("\r\n")))
