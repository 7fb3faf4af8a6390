"""The documents in a place, one at a time: plain text, tables, each also packed by gzip."""

from __future__ import annotations

import gzip
import shutil
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

from tinybert.corpus.places import PARTS, TABLES, Found, Place, ending_of, is_train, warn_of
from tinybert.corpus.plain_text import Layout, is_binary, plain_documents
from tinybert.corpus.text_column import check_column, texts_of
from tinybert.errors import DataError
from tinybert.sources.encoding import HEAD_BYTES, SourceFile
from tinybert.sources.readers import Table, open_file

GZIP_MAGIC = b"\x1f\x8b"
LOOKED_AT = 100_000
ALONE = {
    "binary and not read": "holds binary data, not text; convert it to UTF-8 text first",
    "empty": "the file is empty; text in UTF-8 is needed",
}
"""Why a file is skipped in a folder, and what the error is where it is the only one."""


def usable(places: Sequence[Place], column: str | None, found: Found) -> list[Place]:
    """Look into every file before any is read; return those that can be, and note the others.

    In a folder, empty and binary files are skipped; alone they are a mistake.
    """
    alone = len(places) == 1
    kept: list[Place] = []
    skipped: dict[str, list[str]] = {why: [] for why in ALONE}
    for place in places:
        with found.noting(place.name):
            why = "" if place.path is None else _why_skipped(place.path, place.name)
            if why and alone:
                raise DataError(place.name, ALONE[why])
            if why:
                skipped[why].append(place.name)
            else:
                kept += _with_columns_checked(place, column, found)
    for why, names in skipped.items():
        warn_of(why, names, found)
    if not any(place.part == "train" for place in kept) and not found.problems:
        found.problems.append("no text in it: every file is empty or binary")
    return sorted(kept, key=is_train)


def _why_skipped(path: Path, name: str) -> str:
    head = _head(path, name)
    if not head:
        return "empty"
    if ending_of(path) == ".parquet":
        return ""
    if is_binary(head):
        return "binary and not read"
    return ""


def _head(path: Path, name: str) -> bytes:
    """Return the beginning of a file, unpacked."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if head.startswith(GZIP_MAGIC):
        with _unpacking(name), gzip.open(path, "rb") as packed:
            return packed.read(HEAD_BYTES)
    if path.suffix.lower() == ".gz" and head:
        raise DataError(
            name, "cut short or damaged (it is not gzip's); take .gz off its name, or copy it again"
        )
    return head


@contextmanager
def _unpacking(name: str) -> Generator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(name, f"cut short or damaged ({error}); copy it again") from error


def _is_packed(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == GZIP_MAGIC


def _with_columns_checked(place: Place, column: str | None, found: Found) -> list[Place]:
    """Choose the column once, for what is wrong with it; a file that is packed is looked into when read."""
    if place.path is None or ending_of(place.path) not in TABLES or _is_packed(place.path):
        return [place]
    tables = open_file(SourceFile(place.path, place.name))
    if "test" in tables:
        found.warnings.append(f"{place.name}: its test split is never read")
    kept = [replace(place, split=split, part=PARTS[split]) for split in tables if split in PARTS]
    if "" in tables:
        kept = [place]
    for each in kept:
        check_column(tables[each.split], column)
    return kept


def documents_in(
    place: Place, *, layout: Layout, column: str | None, scratch: Path, found: Found
) -> Iterator[str]:
    """Yield the documents of one place as written; what is wrong goes into ``found``.

    Args:
        place: The file or table.
        layout: Where a document of plain text ends.
        column: Of the text in a table; detected when not given.
        scratch: For what must be unpacked first.
        found: Notes.
    """
    with found.noting(place.name):
        if place.table is not None:
            yield from texts_of(place.table, column, found.problems)
        elif place.path is not None:
            with _unpacked(place.path, place.name, scratch) as path:
                if ending_of(place.path) in TABLES:
                    yield from texts_of(_table(path, place), column, found.problems)
                else:
                    yield from plain_documents(SourceFile(path, place.name), layout)


def look_further(
    places: Sequence[Place], layout: Layout, column: str | None, scratch: Path, found: Found
) -> None:
    """Read on only to find more that is wrong, so that all of it is reported at once; not without end."""
    for place in places:
        documents = documents_in(place, layout=layout, column=column, scratch=scratch, found=found)
        for _ in islice(documents, LOOKED_AT):
            pass


@contextmanager
def _unpacked(path: Path, name: str, scratch: Path) -> Generator[Path]:
    """Give a file as it is, or what it packs, for as long as it is read."""
    if not _is_packed(path):
        yield path
        return
    target = scratch / f"unpacked{ending_of(path)}"
    try:
        with _unpacking(name), gzip.open(path, "rb") as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain, 1 << 20)
        yield target
    finally:
        target.unlink(missing_ok=True)


def _table(path: Path, place: Place) -> Table:
    tables = open_file(SourceFile(path, place.name))
    if place.split not in tables:
        raise DataError(place.name, "holds splits itself; unpack it first")
    return tables[place.split]
