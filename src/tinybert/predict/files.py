"""A file of texts in, a file of answers out, a window at a time."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from tqdm.auto import tqdm

from tinybert.data.findings import Unit
from tinybert.data.hub import nearest_here
from tinybert.data.readers import READERS, open_file
from tinybert.data.sources import LAYOUTS
from tinybert.data.text_files import Fault, RawRow, decoded_lines
from tinybert.errors import DataError, RecipeError
from tinybert.predict.predictor import CHUNK_ROWS, Predictor
from tinybert.predict.rows import TextRow, columns_of, names_of
from tinybert.tasks import AnyAnswer, Entities, FoundAnswer, Task

INPUTS = tuple(READERS)
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
    if target is not None and target.exists() and target.samefile(source):
        raise DataError(str(target), "is the input itself; give the answers a file of their own")
    unit, rows = read_texts(source)
    if predictor.task.label_kind in LAYOUTS:
        rows = LAYOUTS[predictor.task.label_kind](rows)
    with _whole(target) as file:
        write = _writer(file, target, predictor.task)
        with tqdm(unit="rows", disable=None, leave=False) as bar:
            while window := list(itertools.islice(rows, CHUNK_ROWS)):
                records = _checked(window, unit, source, predictor.task)
                for row, answer in zip(records, predictor(records), strict=True):
                    write(row, answer)
                bar.update(len(window))


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
    missing = [ways[0] for ways in wanted if not any(name in record for name in ways)]
    if missing:
        there_is = ", ".join(map(str, record))
        return f"{unit} {number:,}: no field {' and no field '.join(map(repr, missing))} (it has: {there_is})"
    try:
        columns_of([record], task)
    except DataError as error:
        return f"{unit} {number:,}, {error.problems[0].removeprefix('row 1, ')}"
    return None


def _writer(file: TextIO, target: Path | None, task: Task) -> Callable[[Record, AnyAnswer], object]:
    if target is None or target.suffix in (".jsonl", ".ndjson"):
        return lambda row, answer: file.write(as_json(row, answer) + "\n")
    table = csv.writer(file, delimiter="\t" if target.suffix == ".tsv" else ",")
    table.writerow(HEADERS.get(task.name, HEADERS[""]))
    return lambda row, answer: table.writerows(_table_rows(row, answer))


def as_json(row: Record, answer: AnyAnswer) -> str:
    """Return a row and its answer as one line of JSON; the context of a question is left out."""
    kept = {
        name: value
        for name, value in row.items()
        if not isinstance(answer, FoundAnswer) or name not in CONTEXT
    }
    return json.dumps({**kept, **asdict(answer)}, ensure_ascii=False, default=str)


HEADERS = {
    "": ["text", "label", "score"],
    "ner": ["text", "entity", "start", "end", "label", "score"],
    "qa": ["question", "answer", "start", "end", "score"],
}
"""Columns of a table of answers; a text without entities has no line in it."""
CONTEXT = ("context", "text_pair")


def _table_rows(row: Record, answer: AnyAnswer) -> list[list[object]]:
    if isinstance(answer, Entities):
        return [
            [answer.text, entity.text, entity.start, entity.end, entity.label, entity.score]
            for entity in answer.entities
        ]
    if isinstance(answer, FoundAnswer):
        question = row.get("question", row.get("text"))
        return [[question, answer.answer, answer.start, answer.end, answer.score]]
    label = "|".join(answer.label) if isinstance(answer.label, list) else answer.label
    return [[row["text"], label, answer.score]]
