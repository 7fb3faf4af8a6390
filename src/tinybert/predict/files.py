"""A file of texts in, a file of answers out, a window at a time."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import pyarrow.parquet
from tqdm.auto import tqdm

from tinybert.errors import DataError, RecipeError
from tinybert.predict.predictor import WINDOW_ROWS, Predictor, TextRow
from tinybert.tasks import Answer

INPUTS = (".txt", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
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
        source: Text (one a line), JSON lines, CSV, TSV or Parquet; columns ``text`` and maybe ``text_pair``.
        target: JSON lines, CSV or TSV; standard output when None.

    Raises:
        DataError: The file cannot be read, has no text column, or a row has no text.
    """
    if target is not None and target.suffix not in OUTPUTS:
        raise DataError(
            str(target),
            f"cannot write {target.suffix or 'a file without an ending'}; allowed: {', '.join(OUTPUTS)}",
        )
    with _whole(target) as file:
        write = _writer(file, target)
        with tqdm(unit="rows", disable=None, leave=False) as bar:
            rows = read_texts(source)
            first = 1
            while window := list(itertools.islice(rows, WINDOW_ROWS)):
                _refuse_empty(window, source, first)
                first += len(window)
                for row, answer in zip(window, predictor([_row(record) for record in window]), strict=True):
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


def read_texts(source: Path) -> Iterator[Record]:
    """Yield records with ``text`` and, where there is one, ``text_pair``.

    Raises:
        DataError: The file is missing, of an unknown kind, not UTF-8, or has no column ``text``.
    """
    if source.suffix not in INPUTS:
        raise DataError(
            str(source),
            f"cannot read {source.suffix or 'a file without an ending'}; allowed: {', '.join(INPUTS)}",
        )
    try:
        if source.suffix == ".parquet":
            for batch in pyarrow.parquet.ParquetFile(source).iter_batches(batch_size=WINDOW_ROWS):
                yield from batch.to_pylist()
            return
        with source.open(
            encoding="utf-8-sig", newline="" if source.suffix in (".csv", ".tsv") else None
        ) as file:
            if source.suffix == ".txt":
                yield from (Record(text=line.rstrip("\n")) for line in file)
            elif source.suffix in (".csv", ".tsv"):
                delimiter = "\t" if source.suffix == ".tsv" else ","
                yield from (Record(row) for row in csv.DictReader(file, delimiter=delimiter))
            else:
                yield from (json.loads(line) for line in file if line.strip())
    except (OSError, ValueError) as error:
        raise DataError(str(source), f"cannot be read: {error}") from error


def _refuse_empty(window: Sequence[Record], source: Path, first: int) -> None:
    problems: list[str] = []
    for number, record in enumerate(window, first):
        if not isinstance(record, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            problems.append(f"row {number:,}: {record!r}; each row is an object with a field 'text'")
        elif "text" not in record:
            problems.append(f"row {number:,}: no field 'text' (it has: {', '.join(map(str, record))})")
        elif not isinstance(record["text"], str) or not record["text"].strip():
            problems.append(f"row {number:,}, text: {record['text']!r}; give a text that is not empty")
    if problems:
        raise DataError(str(source), problems)


def _row(record: Record) -> TextRow:
    pair = record.get("text_pair")
    return (str(record["text"]), str(pair)) if pair is not None else str(record["text"])


def _writer(file: TextIO, target: Path | None) -> Callable[[Record, Answer], object]:
    if target is None or target.suffix in (".jsonl", ".ndjson"):
        return lambda row, answer: file.write(
            json.dumps({**row, **asdict(answer)}, ensure_ascii=False) + "\n"
        )
    table = csv.writer(file, delimiter="\t" if target.suffix == ".tsv" else ",")
    table.writerow(["text", "label", "score"])
    return lambda row, answer: table.writerow([row["text"], _flat(answer), answer.score])


def _flat(answer: Answer) -> str | None:
    return "|".join(answer.label) if isinstance(answer.label, list) else answer.label
