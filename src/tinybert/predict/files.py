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
from tinybert.data.text_files import Fault, RawRow, decoded_lines
from tinybert.errors import DataError, RecipeError
from tinybert.predict.predictor import WINDOW_ROWS, Predictor, TextRow
from tinybert.tasks import Answer

INPUTS = (".txt", *READERS)
OUTPUTS = (".jsonl", ".ndjson", ".csv", ".tsv")

Record = dict[str, object]


def rows_of_words(texts: Sequence[str], *, text_pair: str | None, has_file: bool) -> list[TextRow]:
    """Return the rows given on the command line.

    Raises:
        RecipeError: Neither texts nor a file are given, or both.
    """
    if bool(texts) == has_file:
        raise RecipeError("predict", "give either texts or --input FILE")
    return [text if text_pair is None else (text, text_pair) for text in texts]


def predict_file(predictor: Predictor, source: Path, target: Path | None) -> None:
    """Answer a file row by row, in its order; the target appears only when it is whole.

    Args:
        predictor: Who answers.
        source: Text (one a line), or any file of rows that training reads; columns ``text`` and maybe
            ``text_pair``.
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
    with _whole(target) as file:
        write = _writer(file, target)
        with tqdm(unit="rows", disable=None, leave=False) as bar:
            while window := list(itertools.islice(rows, WINDOW_ROWS)):
                records = _checked(window, unit, source)
                for row, answer in zip(records, predictor([_row(record) for record in records]), strict=True):
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


def _checked(window: Sequence[RawRow | Fault], unit: Unit, source: Path) -> list[Record]:
    """Return the rows, or name every one that has no text."""
    problems = [problem for row in window if (problem := _problem(row, unit))]
    if problems:
        raise DataError(str(source), problems)
    return [dict(row[1]) for row in window if not isinstance(row, Fault)]


def _problem(row: RawRow | Fault, unit: Unit) -> str | None:
    if isinstance(row, Fault):
        return f"{unit} {row.number:,}: {row.why}"
    number, record = row
    if "text" not in record:
        return f"{unit} {number:,}: no field 'text' (it has: {', '.join(map(str, record))})"
    text = record["text"]
    if not isinstance(text, str) or not text.strip():
        return f"{unit} {number:,}, text: {text!r}; give a text that is not empty"
    return None


def _row(record: Record) -> TextRow:
    pair = record.get("text_pair")
    return (str(record["text"]), str(pair)) if pair is not None else str(record["text"])


def _writer(file: TextIO, target: Path | None) -> Callable[[Record, Answer], object]:
    if target is None or target.suffix in (".jsonl", ".ndjson"):
        return lambda row, answer: file.write(
            json.dumps({**row, **asdict(answer)}, ensure_ascii=False, default=str) + "\n"
        )
    table = csv.writer(file, delimiter="\t" if target.suffix == ".tsv" else ",")
    table.writerow(["text", "label", "score"])
    return lambda row, answer: table.writerow([row["text"], _flat(answer), answer.score])


def _flat(answer: Answer) -> str | None:
    return "|".join(answer.label) if isinstance(answer.label, list) else answer.label
