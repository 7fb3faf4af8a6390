"""A file of texts in, a file of answers out, a window at a time."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import TextIO

from tqdm.auto import tqdm

from tinybert.data.columns import CONTEXT_NAMES
from tinybert.data.entities import is_tag
from tinybert.data.findings import Unit
from tinybert.data.hub import nearest_here
from tinybert.data.readers import READERS, open_file
from tinybert.data.sources import LAYOUTS
from tinybert.data.text_files import Fault, RawRow, decoded_lines
from tinybert.errors import DataError, RecipeError
from tinybert.predict.predictor import CHUNK_ROWS, Predictor
from tinybert.predict.rows import NAMES, TextRow, columns_of, find_name, names_of
from tinybert.tasks import AnyAnswer, Entities, FoundAnswer, Task

INPUTS = tuple(READERS)
NUM_BEST_SHOWN = 5
OUTPUTS = (".jsonl", ".ndjson", ".csv", ".tsv")

Record = dict[str, object]


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


def predict_file(predictor: Predictor, source: Path, target: Path | None) -> None:
    """Answer a file row by row, in its order; the target appears only when it is whole.

    Args:
        predictor: Who answers.
        source: Text (one a line), or any file of rows that training reads; columns ``text`` and maybe
            ``text_pair``; for entities ``text`` or ``tokens``; for questions ``question`` and ``context``.
        target: JSON lines, CSV or TSV; standard output when None.

    Raises:
        DataError: The file cannot be read, has no text column, or a row has no text.
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
    with _whole(target) as file, tqdm(unit="rows", disable=None, leave=False) as bar:
        write: Callable[[Record, AnyAnswer], object] | None = None
        while window := list(itertools.islice(rows, CHUNK_ROWS)):
            records = _checked(window, unit, source, predictor.task)
            write = write or _writer(file, target, columns=dict.fromkeys(chain.from_iterable(records)))
            for row, answer in zip(records, predictor(records), strict=True):
                write(row, answer)
            bar.update(len(window))
        if write is None:
            raise DataError(str(source), "no row in it; at least one is needed")


@contextmanager
def _whole(target: Path | None) -> Generator[TextIO]:
    """Open a file that gets its name only when all is written; standard output when there is none."""
    if target is None:
        yield sys.stdout
        return
    partial = target.with_name(target.name + ".partial")
    try:
        file = partial.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise DataError(str(target), f"cannot write here: {error.strerror or error}") from error
    try:
        with file:
            yield file
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


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
        lines = decoded_lines(source, name)
        return "line", ((number, Record(text=line.rstrip("\r\n"))) for number, line in enumerate(lines, 1))
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


def _checked(window: Sequence[RawRow | Fault], unit: Unit, source: Path, task: Task) -> list[Record]:
    """Return the rows, or name every one that has no text."""
    problems = [problem for row in window if (problem := _problem(row, unit, task))]
    if problems:
        raise DataError(str(source), problems)
    return [dict(row[1]) for row in window if not isinstance(row, Fault)]


def _problem(row: RawRow | Fault, unit: Unit, task: Task) -> str | None:
    if isinstance(row, Fault):
        return f"{unit} {row.number:,}: {row.why}"
    number, record = row
    names = names_of(task)
    wanted = [names.text, names.pair] if task.label_kind == "span" else [names.text]
    missing = [" or ".join(map(repr, ways[:3])) for ways in wanted if find_name(record, ways) is None]
    if missing:
        there_is = ", ".join(map(str, record))
        return f"{unit} {number:,}: no field {' and no field '.join(missing)} (it has: {there_is})"
    try:
        columns_of([record], task)
    except DataError as error:
        return f"{unit} {number:,}, {error.problems[0].removeprefix('row 1, ')}"
    return None


def _writer(
    file: TextIO, target: Path | None, *, columns: Iterable[str]
) -> Callable[[Record, AnyAnswer], object]:
    """Return what writes a row and its answer: as JSON, or in a table with the columns of the rows."""
    if target is None or target.suffix in (".jsonl", ".ndjson"):
        return lambda row, answer: file.write(as_json(row, answer) + "\n")
    table = csv.writer(file, delimiter="\t" if target.suffix == ".tsv" else ",")
    numbers, header = itertools.count(1), list[str]()

    def write(row: Record, answer: AnyAnswer) -> None:
        number = next(numbers)
        names, lines = _table_lines(answer)
        if lost := set(row) - set(columns):
            raise DataError(
                str(target),
                f"row {number:,} has a column {min(lost)!r} that the first {CHUNK_ROWS:,} rows lack; a table "
                "needs it there too, or write .jsonl",
            )
        given = _kept({name: row.get(name) for name in columns}, answer, {"row", *names})
        if number == 1:
            header.extend(given)
            table.writerow(["row", *header, *names])
        cells = [_cell(given.get(name)) for name in header]
        table.writerows([number, *cells, *line] for line in lines)

    return write


def _cell(value: object) -> object:
    """Return what a table holds of a value: lists and mappings as JSON, as training reads them."""
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value


def as_json(row: Record, answer: AnyAnswer) -> str:
    """Return a row and its answer as one line of JSON.

    Of a question the context is left out, and of its possible answers all but the best five.
    """
    if isinstance(answer, FoundAnswer):
        answer = replace(answer, n_best=answer.n_best[:NUM_BEST_SHOWN])
    said = asdict(answer)
    return json.dumps({**_kept(row, answer, set(said)), **said}, ensure_ascii=False, default=str)


def _kept(row: Record, answer: AnyAnswer, taken: set[str]) -> Record:
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


def _table_lines(answer: AnyAnswer) -> tuple[list[str], Sequence[Sequence[object]]]:
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
