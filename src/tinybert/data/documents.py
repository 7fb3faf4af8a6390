"""Where raw text is, and the documents in it, one at a time: files, folders, tables, gz, the hub, a pipe."""

from __future__ import annotations

import gzip
import shutil
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Literal, cast

from tinybert.data.bundled import fetch, is_bundled
from tinybert.data.columns import TEXT_NAMES
from tinybert.data.hub import nearest_here
from tinybert.data.locate import looks_like_path, open_hub
from tinybert.data.readers import SPLIT_NAMES, Table, from_rows, open_file
from tinybert.data.text_files import Fault, decoded_lines
from tinybert.errors import DataError

Part = Literal["validation", "train"]
Layout = Literal["line", "blank_line", "file"]
STDIN = "-"
TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
PLAIN = (".txt", ".text", ".md", ".raw", "")
CLOSED = (".pdf", ".doc", ".docx", ".odt", ".rtf", ".epub", ".html", ".htm", ".xml", ".xls", ".xlsx")
COLUMN_NAMES = (*TEXT_NAMES, "content", "document", "passage", "body", "article", "正文", "内容", "文本")
SNIFFED_BYTES = 8192
ROWS_LOOKED_AT = 200
NUMBERS_SHARE = 0.5
MAX_FAULTS = 20
MAX_NAMES = 5


@dataclass
class Found:
    """What reading met besides documents: reasons to stop, and what is only odd."""

    problems: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])

    def add(self, error: DataError) -> None:
        """Note what is wrong with one file; the others are read all the same."""
        self.problems += [f"{error.subject}: {problem}" for problem in error.problems]


@dataclass(frozen=True)
class Place:
    """One file, or one table of rows, and the part it belongs to."""

    name: str
    part: Part
    path: Path | None = None
    table: Table | None = None


def find_places(source: object, *, work_dir: Path, found: Found) -> list[Place]:
    """Return what is to be read, held-out files first.

    Raises:
        DataError: There is nothing of this name, or nothing in it that can be read.
    """
    if not isinstance(source, str | Path):
        return [Place("rows", "train", table=from_rows(_as_rows(cast(Iterable[object], source)), "rows"))]
    if str(source) == STDIN:
        return [Place("standard input", "train", path=_spooled(work_dir))]
    path = fetch(str(source)) if is_bundled(source) else Path(source).expanduser()
    if path.is_file():
        _refuse_closed(path)
        return [Place(path.name, "train", path=path)]
    if path.is_dir():
        return _in_folder(path, found)
    if looks_like_path(source) or path.suffix.lower() in (*PLAIN[:-1], ".gz", *CLOSED):
        raise DataError(str(source), f"no such file or folder{nearest_here(path)}")
    tables = open_hub(str(source), found.warnings)
    parts = {"train": "train", "unlabelled": "train", "validation": "validation"}
    places = [
        Place(table.file, cast(Part, parts[split]), table=table)
        for split, each in tables.items()
        if split in parts
        for table in each
    ]
    return sorted(places, key=lambda place: place.part != "validation")


def inputs_of(places: Iterable[Place]) -> list[tuple[str, int, int]]:
    """Return what says whether files are still the same: name, bytes, time of change."""
    stats = [(place.name, place.path.stat()) for place in places if place.path is not None]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def documents_in(
    place: Place, *, layout: Layout, column: str | None, work_dir: Path, is_alone: bool, found: Found
) -> Iterator[str]:
    """Yield the documents of one place as they are written; what is wrong goes into ``found``.

    Args:
        place: The file or table.
        layout: Where a document of plain text ends.
        column: Of the text in a table; detected when not given.
        work_dir: For what must be unpacked first.
        is_alone: A binary file is then a mistake; in a folder it is passed over.
        found: Notes.
    """
    try:
        if place.table is not None:
            yield from _column_of(place.table, column, found)
            return
        assert place.path is not None
        path = _unpacked(place.path, work_dir) if place.path.suffix.lower() == ".gz" else place.path
        if _is_binary(path):
            if is_alone:
                raise DataError(place.name, "holds binary data, not text; convert it to UTF-8 text first")
            found.warnings.append(f"{place.name}: binary, not read")
        elif _ending(place.path) in TABLES:
            for table in open_file(path, place.name).values():
                yield from _column_of(table, column, found)
        else:
            yield from _plain(decoded_lines(path, place.name), layout)
    except DataError as error:
        found.add(error)
    except OSError as error:
        found.problems.append(f"{place.name}: cannot be read: {error.strerror or error}")


def _as_rows(source: Iterable[object]) -> Iterator[object]:
    return ({"text": each} if isinstance(each, str) else each for each in source)


def _spooled(work_dir: Path) -> Path:
    """Keep standard input on disk: it can be read only once, and a run may be killed."""
    file = work_dir / "standard-input.txt"
    if not file.exists():
        work_dir.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        with partial.open("wb") as target:
            shutil.copyfileobj(sys.stdin.buffer, target)
        partial.replace(file)
    return file


def _ending(path: Path) -> str:
    """Return a file's ending below a .gz."""
    path = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return path.suffix.lower()


def _refuse_closed(path: Path) -> None:
    if _ending(path) in CLOSED:
        raise DataError(path.name, f"{path.suffix}: not plain text; convert it to .txt first")


def _in_folder(folder: Path, found: Found) -> list[Place]:
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    closed = [path.name for path in files if _ending(path) in CLOSED]
    if closed:
        more = ", …" if len(closed) > MAX_NAMES else ""
        names = ", ".join(closed[:MAX_NAMES]) + more
        found.warnings.append(f"{len(closed):,} files are not plain text and are not read: {names}")
    splits = {path: SPLIT_NAMES.get(_stem(path)) for path in files if path.parent == folder}
    if "train" in splits.values() or "unlabelled" in splits.values():
        places = _of_splits(splits, found)
    else:
        known = (*PLAIN, *TABLES)
        places = [
            Place(str(path.relative_to(folder)), "train", path=path)
            for path in files
            if _ending(path) in known
        ]
    if not places:
        there_is = ", ".join(path.name for path in files[:20]) or "nothing"
        raise DataError(
            str(folder), f"no text in it; expected .txt, .jsonl, .csv, .parquet, …; there is {there_is}"
        )
    return places


def _of_splits(splits: Mapping[Path, str | None], found: Found) -> list[Place]:
    """Take what a data set trains on and what it holds out; what it tests on is never read."""
    if "test" in splits.values():
        found.warnings.append("the test split is not read")
    places = [
        Place(path.name, "validation" if split == "validation" else "train", path=path)
        for path, split in splits.items()
        if split in ("train", "unlabelled", "validation") and _ending(path) in (*TABLES, *PLAIN)
    ]
    return sorted(places, key=lambda place: place.part != "validation")


def _stem(path: Path) -> str:
    return path.name.partition(".")[0].lower()


def _unpacked(path: Path, work_dir: Path) -> Path:
    """Unpack a .gz into the work folder.

    Raises:
        DataError: It is cut short or damaged.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    target = work_dir / f"unpacked{_ending(path)}"
    try:
        with gzip.open(path, "rb") as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(path.name, f"cut short or damaged ({error}); copy it again") from error
    return target


def _is_binary(path: Path) -> bool:
    """Return whether a file holds what text never does; UTF-16 is told apart later, by its mark."""
    with path.open("rb") as stream:
        head = stream.read(SNIFFED_BYTES)
    return (
        head.startswith(b"PAR1") is False and b"\x00" in head and head[:2] not in (b"\xff\xfe", b"\xfe\xff")
    )


def _plain(lines: Iterator[str], layout: Layout) -> Iterator[str]:
    if layout == "line":
        yield from lines
        return
    held: list[str] = []
    for line in lines:
        if layout == "blank_line" and not line.strip():
            if held:
                yield "".join(held)
            held = []
        else:
            held.append(line)
    if held:
        yield "".join(held)


def _column_of(table: Table, wanted: str | None, found: Found) -> Iterator[str]:
    """Yield the texts of a table's column."""
    rows = iter(table.rows)
    head = list(islice(rows, ROWS_LOOKED_AT))
    column = _choose(table, [row[1] for row in head if not isinstance(row, Fault)], wanted)
    num_faults = 0
    for row in chain(head, rows):
        if isinstance(row, Fault):
            num_faults += 1
            if num_faults <= MAX_FAULTS:
                found.problems.append(f"{table.file}, {table.unit} {row.number:,}: {row.why}")
            if row.is_fatal or num_faults > MAX_FAULTS:
                return
            continue
        value = row[1].get(column)
        if value is None:
            yield ""
        elif isinstance(value, str | int | float):
            yield str(value)
        else:
            kind = type(value).__name__
            found.problems.append(
                f"{table.file}, {table.unit} {row[0]:,}, {column}: a {kind}, not a text; set data.text=COLUMN"
            )
            return


def _choose(table: Table, rows: list[Mapping[str, object]], wanted: str | None) -> str:
    """Return the column of the text.

    Raises:
        DataError: It is not there, cannot be told, or holds numbers.
    """
    columns = ", ".join(table.columns)
    if not table.columns:
        raise DataError(table.file, "no row in it; at least one is needed")
    if wanted is not None and wanted not in table.columns:
        raise DataError(
            table.file, f"no column {wanted!r} (the columns are: {columns}); set data.text=COLUMN"
        )
    by_name = {name.lower(): name for name in reversed(table.columns)}
    known = [by_name[name.lower()] for name in COLUMN_NAMES if name.lower() in by_name]
    texts = [name for name in table.columns if any(isinstance(row.get(name), str) for row in rows)]
    column = wanted or (known[0] if known else texts[0] if len(texts) == 1 else None)
    if column is None:
        raise DataError(
            table.file, f"which column is the text? (the columns are: {columns}); set data.text=COLUMN"
        )
    values = [row.get(column) for row in rows if row.get(column) not in (None, "")]
    if values and sum(map(_is_number, values)) > NUMBERS_SHARE * len(values):
        raise DataError(
            table.file,
            f"column {column!r} is full of numbers, such as {values[0]!r} (the columns are: {columns}); set "
            "data.text=COLUMN",
        )
    return column


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
