"""Where raw text is: files, folders, tables, the hub, a pipe."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from tinybert.errors import DataError
from tinybert.sources.bundled import fetch, is_bundled
from tinybert.sources.columns import SPLIT_NAMES
from tinybert.sources.encoding import HEAD_BYTES
from tinybert.sources.hub import missing
from tinybert.sources.locate import PLAIN_ENDINGS, SHARD, STDIN, looks_like_path, open_hub
from tinybert.sources.objects import ObjectRows, source_of
from tinybert.sources.readers import Table, from_rows, from_splits

Part = Literal["validation", "train"]
PIPE = "pipe-"
TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
PLAIN = (*PLAIN_ENDINGS, "")
CLOSED = {
    **dict.fromkeys(
        (".pdf", ".doc", ".docx", ".odt", ".rtf", ".epub", ".html", ".htm", ".xml", ".xls", ".xlsx", ".ods"),
        "not plain text; convert it to .txt first",
    ),
    **dict.fromkeys(
        (".zip", ".tar", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar"), "not plain text; unpack it first"
    ),
    **dict.fromkeys(
        (".conll", ".conllu", ".bio", ".iob", ".iob2"), "tokens and tags, not plain text; give sentences"
    ),
}
"""Endings that are not read, and the fix."""
PARTS: dict[str, Part] = {"": "train", "train": "train", "unlabelled": "train", "validation": "validation"}
MAX_NAMES = 5


@dataclass
class Found:
    """What reading met besides documents: reasons to stop, and what is only odd."""

    problems: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])

    def add(self, error: DataError) -> None:
        """Note what is wrong with one file; the others are read all the same."""
        self.problems += [f"{error.subject}: {problem}" for problem in error.problems]

    @contextmanager
    def noting(self, name: str) -> Generator[None]:
        """Note what goes wrong with a file, and continue after it."""
        try:
            yield
        except DataError as error:
            self.add(error)
        except OSError as error:
            self.problems.append(f"{name}: cannot read this file: {error.strerror or error}")


@dataclass(frozen=True)
class Place:
    """One file, or one table of rows.

    Attributes:
        name: As the user knows it.
        part: What its documents are for.
        path: The file.
        table: The rows, where there is no file.
        split: Which of the splits that the file itself holds; else an empty string.
        mark: What changes when its content does; an empty string where nobody knows.
    """

    name: str
    part: Part
    path: Path | None = None
    table: Table | None = None
    split: str = ""
    mark: str = ""


def is_pipe(source: object) -> bool:
    """Return whether a source can be read only once: standard input, a named pipe, ``<(a command)``."""
    if not isinstance(source, str | Path):
        return False
    path = Path(source).expanduser()
    return str(source) == STDIN or (path.exists() and not path.is_file() and not path.is_dir())


def find_places(source: object, *, home: Path, found: Found) -> list[Place]:
    """Return what is to be read, held-out files first.

    Args:
        source: As for :func:`tinybert.data.load_corpus`.
        home: Where the text of a pipe is kept, which can be read only once.
        found: Notes.

    Raises:
        DataError: There is nothing of this name, or nothing in it that can be read.
    """
    return sorted(_places(source, home, found), key=is_train)


def is_train(place: Place) -> bool:
    """Held-out documents come first: of two that are alike the later is skipped."""
    return place.part != "validation"


def _places(source: object, home: Path, found: Found) -> list[Place]:
    source = source_of(source)
    if isinstance(source, ObjectRows):
        return [Place("rows", "train", table=from_rows(source, "rows"))]
    if isinstance(source, Mapping):
        tables = from_splits(source, "rows", found.warnings)
        return _of_tables({split: [table] for split, table in tables.items()}, found)
    if str(source) == STDIN:
        if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise DataError(STDIN, "standard input is closed; pipe text into it, or name a file")
        if sys.stdin.buffer.isatty():
            raise DataError(STDIN, "standard input is the keyboard; pipe text into it, or name a file")
        return [_spooled(sys.stdin.buffer, "standard input", home)]
    path = fetch(str(source)) if is_bundled(source) else Path(source).expanduser()
    if path.is_dir():
        return _in_folder(path, Found() if is_bundled(source) else found)  # its licence is no surprise
    if path.is_file():
        if problem := _why_closed(path):
            raise DataError(path.name, problem)
        return [Place(path.name, "train", path=path, mark=_file_mark(path))]
    if path.exists():  # a named pipe, or <(a command)
        with path.open("rb") as stream:
            return [_spooled(stream, path.name, home)]
    if looks_like_path(source) or path.suffix.lower() in (*PLAIN_ENDINGS, ".gz", *CLOSED):
        raise DataError(str(source), missing(source))
    return _of_tables(open_hub(str(source), found.warnings), found, mark=str(source))


def _of_tables(tables: Mapping[str, Sequence[Table]], found: Found, mark: str = "") -> list[Place]:
    if "test" in tables:
        found.warnings.append("the test split is not read")
    return [
        Place(table.file, PARTS[split], table=table, mark=mark)
        for split, parts in tables.items()
        if split in PARTS
        for table in parts
    ]


def _spooled(stream: BinaryIO, name: str, home: Path) -> Place:
    """Copy a pipe to disk, named by its content; an empty one means what an earlier command was given."""
    earlier = sorted(home.glob(f"{PIPE}*.txt"), key=lambda path: path.stat().st_mtime_ns)
    digest = hashlib.blake2b(digest_size=8)
    partial = home / f".{PIPE}{os.getpid()}"
    try:
        with partial.open("wb") as target:
            while block := stream.read(1 << 20):
                digest.update(block)
                target.write(block)
        file = home / f"{PIPE}{digest.hexdigest()}.txt"
        if partial.stat().st_size:
            partial.replace(file)
        elif earlier:
            file = earlier[-1]
        else:
            raise DataError(name, "nothing came through the pipe; text in UTF-8 is needed")
    finally:
        partial.unlink(missing_ok=True)
    return Place(name, "train", path=file, mark=file.stem)


def forget_last_pipe(home: Path) -> None:
    """Delete the text that a pipe brought last, because it was refused."""
    brought = sorted(home.glob(f"{PIPE}*.txt"), key=lambda path: path.stat().st_mtime_ns)
    if brought:
        brought[-1].unlink()


def _file_mark(path: Path) -> str:
    """Return what changes with a file, without reading all of it: length, time of change, both ends."""
    stat = path.stat()
    try:
        with path.open("rb") as stream:
            ends = stream.read(HEAD_BYTES)
            stream.seek(max(0, stat.st_size - HEAD_BYTES))
            ends += stream.read(HEAD_BYTES)
    except OSError:
        return ""  # reading it will raise why
    return f"{stat.st_size} {stat.st_mtime_ns} {hashlib.blake2b(ends).hexdigest()}"


def ending_of(path: Path) -> str:
    """Return a file's ending below a .gz."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()


def _why_closed(path: Path) -> str:
    fix = CLOSED.get(ending_of(path))
    return f"{ending_of(path)}: {fix}" if fix else ""


def split_of(path: Path) -> str:
    """Return the split in a file's name: ``train.txt.gz``, ``dev-00000-of-00002.parquet``; or none.

    Example:
        >>> split_of(Path("dev-00000-of-00002.parquet")), split_of(Path("novel.txt"))
        ('validation', '')
    """
    stem = path.name.partition(".")[0]
    shard = SHARD.match(stem)
    return SPLIT_NAMES.get((shard[1] if shard else stem).lower(), "")


def files_below(folder: Path, found: Found | None = None) -> list[Path]:
    """Return all files in a folder and its folders, sorted; hidden ones are none of them."""

    def note(error: OSError) -> None:
        if found is not None:
            found.problems.append(f"{error.filename}: cannot read this folder: {error.strerror or error}")

    files: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(path for path in files if path.is_file())


def has_splits(folder: Path) -> bool:
    """Return whether a folder itself holds ``train.*`` or ``unlabelled.*``: then nothing below it is read."""
    return any(split_of(path) in ("train", "unlabelled") and path.is_file() for path in folder.iterdir())


def _in_folder(folder: Path, found: Found) -> list[Place]:
    files = files_below(folder, found)
    if has_splits(folder):
        splits = [path for path in files if path.parent == folder and split_of(path)]
        others = _names([path for path in files if path not in set(splits)], folder)
        warn_of("not read, because the folder has a train file of its own", others, found)
        files = splits
    closed = [path for path in files if _why_closed(path)]
    open_ones = [path for path in files if path not in set(closed)]
    warn_of("not plain text and not read; convert or unpack them first", _names(closed, folder), found)
    tests = [path for path in open_ones if split_of(path) == "test"]
    if tests:
        found.warnings.append(f"the test split is not read: {', '.join(_names(tests, folder)[:MAX_NAMES])}")
    places = [
        Place(str(path.relative_to(folder)), PARTS[split_of(path)], path=path, mark=_file_mark(path))
        for path in open_ones
        if split_of(path) in PARTS
    ]
    if not any(place.part == "train" for place in places) and not found.problems:
        there_is = ", ".join(_names(files, folder)[:20]) or "nothing"
        endings = ", ".join((*PLAIN_ENDINGS, *TABLES))
        raise DataError(
            str(folder),
            f"no text in it to train on; files of {endings}, each also .gz, or with no ending are read; "
            f"it holds: {there_is}",
        )
    return places


def _names(paths: Sequence[Path], folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in paths]


def warn_of(what: str, names: Sequence[str], found: Found) -> None:
    """Warn of some files at once."""
    if names:
        more = f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
        count = f"{len(names):,} files are" if len(names) > 1 else "1 file is"
        found.warnings.append(f"{count} {what}: {', '.join(names[:MAX_NAMES])}{more}")
