"""Files and Python objects → tables of raw rows, one row at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tinybert.advice import setting
from tinybert.console import warn
from tinybert.errors import DataError
from tinybert.lookup import AUTO
from tinybert.sources.columns import SPLIT_NAMES
from tinybert.sources.delimited import DELIMITERS, read_csv, read_tsv
from tinybert.sources.encoding import SourceFile
from tinybert.sources.file_kinds import PAGE, PARQUET, is_page, kind_of_file
from tinybert.sources.hub import broken_link
from tinybert.sources.objects import (
    ROWS_AT_ONCE,
    ROWS_PEEKED,
    DatasetSplits,
    ObjectRows,
    class_names_of,
    plain,
    rows_of,
)
from tinybert.sources.text_files import (
    DECODER,
    Fault,
    RawRow,
    RepeatedKeyError,
    Unit,
    read_json_array,
    read_json_lines,
    sound_lines,
)
from tinybert.sources.tmx import read_tmx
from tinybert.sources.token_columns import begins_with_tokens, layout_of, read_columns
from tinybert.storage import name_problem

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Dataset

HEAD_CHARS = 1 << 16
TABLES_OF_TEXT = (".csv", ".tsv", ".json", ".jsonl")
"""Endings of files of text that no other file has by right, such as a page of HTML."""
DELIMITED, JSON = (".csv", ".tsv"), (".json", ".jsonl", ".ndjson")
ARRAY, OBJECT = re.compile(r"\[\s*\{"), re.compile(r'\{\s*"[^"\n]*"\s*:')
AS_RECORDS = (
    'seems to hold the columns of a table, not its rows; df.to_json(FILE, orient="records") writes rows'
)
NOT_TEXT = (".parquet", ".tmx")
"""Endings of files that are no text, and so in no encoding, or that say it themselves."""


@dataclass(frozen=True)
class Table:
    """Raw rows of one file or object.

    Attributes:
        file: As the user knows it.
        unit: What row numbers count.
        columns: Names, in order.
        rows: Each (number, values by column), or a fault; read once.
        class_names: Column → names of the classes of its whole numbers.
    """

    file: str
    unit: Unit
    columns: Sequence[str]
    rows: Iterator[RawRow | Fault]
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])


def open_file(file: SourceFile) -> dict[str, Table]:
    """Open a data file.

    Returns:
        Split → table; the split is an empty string unless a JSON file holds a mapping of splits.

    Raises:
        DataError: The format is unknown, or the file as a whole cannot be read.
    """
    reader = READERS.get(file.path.suffix.lower())
    if reader is None:
        raise DataError(file.name, _unknown_format(file.path))
    if file.path.suffix.lower() in TABLES_OF_TEXT and is_page(file.path):
        raise DataError(file.name, f"not rows, but {PAGE}")
    if file.encoding != AUTO and file.path.suffix.lower() in NOT_TEXT:
        given = setting("data.encoding", file.encoding)
        why = (
            "XML says its own"
            if file.path.suffix.lower() == ".tmx"
            else "it is of files of text, and this is none"
        )
        warn(f"{file.name}: {given} is not used: {why}")
    try:
        if problem := _misnamed(file):
            raise DataError(file.name, problem)
        return reader(file)
    except OSError as error:
        why = f"{error.strerror or error}{broken_link(file.path)}"
        raise DataError(file.name, f"cannot read this file: {why}") from error


def _misnamed(file: SourceFile) -> str:
    """Say what a file of text seems to be where its name ends otherwise; nothing where it fits."""
    ending = file.path.suffix.lower()
    if ending not in (*DELIMITED, *JSON):
        return ""
    head = next(file.chunks(HEAD_CHARS), "").lstrip()
    if not head:
        return "the file is empty" if ending == ".json" else ""
    if ARRAY.match(head) and ending != ".json":
        return "seems to be a JSON array; let its name end in .json"
    if ending in DELIMITED:
        return "seems to be JSON; let its name end in .jsonl, or .json" if OBJECT.match(head) else ""
    first = [line for line in head.splitlines() if line.strip()][:2]
    if len(first) < 2 or any(line.lstrip()[0] in '{["' for line in first):
        return ""
    mark = max(DELIMITERS, key=first[0].count)
    is_table = first[0].count(mark) == first[1].count(mark) > 0
    return "seems to be CSV, not JSON; let its name end in .csv" if is_table else ""


def _unknown_format(path: Path) -> str:
    """Return why a file with such an ending is not read: what its first bytes say it is, or the ending."""
    kind = kind_of_file(path)
    ending = path.suffix or "no ending"
    return f"not rows, but {kind}" if kind else f"{ending}: unknown format (allowed: {', '.join(READERS)})"


def from_rows(given: object, name: str) -> Table:
    """Make a table of a Python object, its rows numbered from 1; texts are rows with the column ``text``.

    Raises:
        DataError: It holds no rows.
    """
    found = rows_of(given)
    rows = iter(found)
    if found.columns is not None:
        return Table(name, "row", found.columns, _numbered(rows), found.class_names)
    head = list(islice(rows, ROWS_PEEKED))
    rows = chain(head, rows)
    is_text = isinstance(next((row for row in head if row is not None), None), str)
    return _peeked(name, "row", _numbered(map(_of_text, rows) if is_text else rows))


def from_splits(
    splits: Mapping[str, object], name: str, warnings: list[str] | None = None
) -> dict[str, Table]:
    """Make tables of a mapping of splits to rows.

    Args:
        splits: Split → rows. Of a ``DatasetDict``, other splits and those without a single label are skipped.
        name: Of the tables.
        warnings: Where it goes what is skipped.

    Raises:
        DataError: A key is no split, or a value is not a list of rows.
    """
    if isinstance(splits, DatasetSplits):
        splits = _used_splits(splits, name, [] if warnings is None else warnings)
    tables: dict[str, Table] = {}
    problems: list[str] = []
    for key, rows in splits.items():
        split = SPLIT_NAMES.get(str(key).lower())
        if split is None:
            problems.append(f"{key!r}: not a split (allowed: train, validation, test, unlabelled)")
        elif split in tables:
            problems.append(f"{key!r}: a second {split} split")
        elif isinstance(rows, str | Mapping) or not isinstance(rows, Iterable):
            problems.append(f"{key!r}: expected a list of rows, each a mapping of column to value")
        else:
            try:
                tables[split] = from_rows(cast(object, rows), f"{name}[{key}]")
            except DataError as error:
                problems += [f"{key!r}: {problem}" for problem in error.problems]
    if problems:
        raise DataError(name, problems)
    return tables


def _used_splits(splits: DatasetSplits, name: str, warnings: list[str]) -> dict[str, ObjectRows]:
    used: dict[str, ObjectRows] = {}
    for key, rows in splits.items():
        split = SPLIT_NAMES.get(key.lower())
        if split is None:
            warnings.append(f"{name}: the split {key!r} is not used (known are train, validation and test)")
        elif split != "train" and _is_unlabelled(rows):
            warnings.append(f"{name}: the {split} split is not used: none of its rows has a label")
        else:
            used[key] = rows
    return used


def _is_unlabelled(rows: ObjectRows) -> bool:
    """Return whether all labels are held back, which the hub writes as class -1."""
    if not rows.class_names:
        return False
    dataset = cast("Dataset", rows.given)
    columns = [name for name in rows.class_names if hasattr(dataset.features[name], "names")]  # no lists
    return bool(columns) and all(set(dataset.unique(name)) == {-1} for name in columns)


def relaid(table: Table, layout: Callable[[Iterator[RawRow | Fault]], Iterator[RawRow | Fault]]) -> Table:
    """Return a table whose rows went through a layout; its columns are those of the first rows after it."""
    changed = _peeked(table.file, table.unit, layout(table.rows))
    return replace(changed, class_names=table.class_names)


def _open_delimited(file: SourceFile, read: Callable[..., Any]) -> dict[str, Table]:
    columns, rows = read(file)
    return {"": Table(file.name, "line", columns, rows)}


def _open_csv(file: SourceFile) -> dict[str, Table]:
    return _open_delimited(file, read_csv)


def _open_tsv(file: SourceFile) -> dict[str, Table]:
    if begins_with_tokens(file):
        return _open_columns(file)
    return _open_delimited(file, read_tsv)


def _open_json_lines(file: SourceFile) -> dict[str, Table]:
    return {"": _peeked(file.name, "line", read_json_lines(file))}


def _open_json(file: SourceFile) -> dict[str, Table]:
    """A list of objects, an object of split → list, or JSON lines under another ending."""
    name = file.name
    if next(file.chunks(HEAD_CHARS), "").lstrip().startswith("["):  # often one line: not read whole
        return {"": _peeked(name, "row", read_json_array(file))}
    filled = (line.strip() for line in file.lines() if not line.isspace())
    first, second = next(filled, ""), next(filled, "")
    if first.startswith("{") and first.endswith("}") and second.startswith("{"):
        return _open_json_lines(file)
    try:
        tree = DECODER.decode("".join(sound_lines(file)))
    except RepeatedKeyError as error:
        raise DataError(name, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise DataError(name, f"not valid JSON: {error}") from error
    if isinstance(tree, Mapping):
        splits = cast(Mapping[str, object], tree)
        if {"columns", "data"} <= set(splits):
            raise DataError(name, AS_RECORDS)
        has_splits = any(key.lower() in SPLIT_NAMES for key in splits)
        for key in ("data", "annotations"):  # SQuAD as published; the JSON of annotators for spaCy
            if isinstance(splits.get(key), list) and not has_splits:
                return {"": _peeked(name, "row", _numbered(cast("list[object]", splits[key])))}
        return from_splits(splits, name) if has_splits else _single(splits, name)
    raise DataError(name, "expected a list of objects, or an object of split → list of objects")


def _single(row: Mapping[str, object], name: str) -> dict[str, Table]:
    kinds = {list if isinstance(value, list) else type(value) for value in row.values()}
    if len(row) > 1 and kinds in ({list}, {dict}):
        raise DataError(name, AS_RECORDS)
    if any(isinstance(value, list | Mapping) for value in row.values()):
        raise DataError(
            name, "expected a list of objects, or an object with the keys train, validation, test"
        )
    return {"": from_rows([row], name)}


def _open_parquet(source: SourceFile) -> dict[str, Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if problem := name_problem(source.path):
        raise DataError(source.name, problem)
    try:
        file = pq.ParquetFile(source.path, memory_map=True)
        schema = cast("pa.Schema", file.schema_arrow)
        classes = class_names_of(schema)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:  # the last: its metadata
        kind = kind_of_file(source.path)
        is_other = kind and kind != PARQUET
        why = (
            f"not a Parquet file, but {kind}" if is_other else f"not a Parquet file that can be read: {error}"
        )
        raise DataError(source.name, why) from error
    rows = _numbered(_parquet_rows(file, source.name))
    return {"": Table(source.name, "row", schema.names, rows, classes)}


def _parquet_rows(file: pq.ParquetFile, name: str) -> Iterator[object]:
    import pyarrow as pa

    try:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            yield from map(plain, batch.to_pylist())
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: a text that is not UTF-8
        raise DataError(name, f"the Parquet file is damaged: {error}") from error


def _open_tmx(file: SourceFile) -> dict[str, Table]:
    return {"": _peeked(file.name, "unit", read_tmx(file))}


def _of_text(item: object) -> object:
    return {"text": item} if item is None or isinstance(item, str) else item


def _numbered(rows: Iterable[object]) -> Iterator[RawRow | Fault]:
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Mapping):
            yield number, cast(Mapping[str, object], row)
        else:
            yield Fault(number, f"expected a mapping of column to value, got {row!r:.60}", {"": row})


def _peeked(name: str, unit: Unit, rows: Iterator[RawRow | Fault]) -> Table:
    """Take the columns from the first rows: an early row may lack one, such as the label."""
    head = list(islice(rows, ROWS_PEEKED))
    columns: dict[str, None] = {}
    for row in head:
        if not isinstance(row, Fault):
            columns.update(dict.fromkeys(map(str, row[1])))
    return Table(name, unit, list(columns), chain(head, rows))


def _open_columns(file: SourceFile) -> dict[str, Table]:
    """A file of columns, one token a line: CoNLL and its kin, which often end in .txt."""
    return {"": Table(file.name, "line", ["tokens", "tags"], read_columns(file, layout_of(file)))}


READERS: dict[str, Callable[[SourceFile], dict[str, Table]]] = {
    ".csv": _open_csv,
    ".tsv": _open_tsv,
    ".jsonl": _open_json_lines,
    ".ndjson": _open_json_lines,
    ".json": _open_json,
    ".parquet": _open_parquet,
    ".tmx": _open_tmx,
    ".txt": _open_columns,
    ".conll": _open_columns,
    ".conllu": _open_columns,
    ".bio": _open_columns,
    ".iob": _open_columns,
    ".iob2": _open_columns,
}
