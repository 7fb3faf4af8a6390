"""Plain files side by side, one text a line: ``train.en`` and ``train.de``, as WMT and Moses have them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from tinybert.console import warn
from tinybert.errors import DataError
from tinybert.sources.columns import SPLIT_NAMES
from tinybert.sources.encoding import SourceFile
from tinybert.sources.file_kinds import kind_of_file
from tinybert.sources.readers import READERS, Table
from tinybert.sources.text_files import Fault, RawRow, numbered_lines

NAMED = ("src", "source", "tgt", "target")
LANGUAGE = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{2,8}){0,2}", re.IGNORECASE)
"""A language as files and columns are called by it: de, eng, zh-CN, eng_Latn."""
OTHER_ENDINGS = (
    *("md", "raw", "log", "bak", "tmp", "old", "gz", "zip", "xz", "bz", "tar", "bin", "pkl", "py", "sh"),
    *("xml", "htm", "pdf", "doc", "xls", "ods", "odt", "rtf", "yml", "cfg", "ini", "npy", "npz", "db", "sql"),
    *("vec", "tok", "bpe", "idx", "dat", "spm", "lz4", "zst", "arrow"),
)
Sides = dict[str, list[Path]]
"""Side → the files that could be it; one, or there are too many."""


def side_of(path: Path) -> str | None:
    """Return the side that a file is of a split: ``de`` of ``train.de`` or ``train.de-en.de``; else None."""
    side = path.suffix.removeprefix(".")
    if path.name.partition(".")[0].lower() not in SPLIT_NAMES or path.suffix.lower() in READERS:
        return None
    is_language = LANGUAGE.fullmatch(side) and side.lower() not in OTHER_ENDINGS
    return side if side.lower() in NAMED or is_language else None


def sides_in(folder: Path) -> dict[str, Sides]:
    """Return split → its sides; a split of one side only is not whole, but for unlabelled rows."""
    found: dict[str, Sides] = {}
    for path in sorted(folder.iterdir()):
        side = side_of(path)
        if side is not None and path.is_file() and not kind_of_file(path):
            split = SPLIT_NAMES[path.name.partition(".")[0].lower()]
            found.setdefault(split, {}).setdefault(side, []).append(path)
    return found


def is_whole(split: str, sides: Sides) -> bool:
    """Return whether there are two sides at least; of unlabelled rows the source is enough."""
    return len(sides) > 1 or split == "unlabelled"


def open_sides(files: Mapping[str, SourceFile]) -> Table:
    """Return a table with a column for each side; its rows are the lines of the files.

    A line that is empty on one side only is a fault; one that is empty on all is skipped. Reading ends in a
    :class:`DataError` where the files have different numbers of lines.
    """
    return Table(_named(files), "line", list(files), _rows(files))


def _rows(files: Mapping[str, SourceFile]) -> Iterator[RawRow | Fault]:
    num_empty = 0
    counts = dict.fromkeys(files, 0)
    for number, lines in enumerate(zip_longest(*map(numbered_lines, files.values())), 1):
        given = dict(zip(files, lines, strict=True))
        counts.update({side: number for side, line in given.items() if line is not None})
        if None in lines:
            continue
        texts = {side: "" if isinstance(line, Fault) else _text(line) for side, line in given.items()}
        if fault := _fault(number, files, given, texts):
            yield fault
        elif not any(map(str.strip, texts.values())):
            num_empty += 1
        else:
            yield number, texts
    if len(set(counts.values())) > 1:
        there_are = ", ".join(
            f"{files[side].name} has {count:,} line{'s' if count != 1 else ''}"
            for side, count in counts.items()
        )
        raise DataError(
            _named(files),
            f"{there_are}; each line belongs to the line with its number in the other file, so all need as "
            "many: is one cut, or a blank line missing in it?",
        )
    if num_empty:
        lines = "1 line is" if num_empty == 1 else f"{num_empty:,} lines are"
        warn(f"{_named(files)}: {lines} empty on every side, and skipped")


def _text(line: object) -> str:
    return str(line[1]).rstrip("\r\n") if isinstance(line, tuple) else ""


def _fault(
    number: int, files: Mapping[str, SourceFile], given: Mapping[str, object], texts: Mapping[str, str]
) -> Fault | None:
    """Return what is wrong with one row: a broken byte, or a text that is missing on one side only."""
    broken = [(files[side].name, line) for side, line in given.items() if isinstance(line, Fault)]
    if broken:
        return Fault(number, "; ".join(f"{name}: {fault.why}" for name, fault in broken), texts)
    empty = [files[side].name for side, text in texts.items() if not text.strip()]
    if not empty or len(empty) == len(texts):
        return None
    filled = [files[side].name for side, text in texts.items() if text.strip()]
    return Fault(
        number,
        f"empty in {_listed(empty)}, and not in {_listed(filled)}; write the text, or remove the line from "
        "every file",
        texts,
    )


def _named(files: Mapping[str, SourceFile]) -> str:
    return _listed([file.name for file in files.values()])


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def side_problems(every: Mapping[str, Sides]) -> list[str]:
    """Say where two files could be the same side."""
    return [
        f"{', '.join(path.name for path in paths)}: each could be the {side} side of {split}; keep one"
        for split, sides in every.items()
        for side, paths in sides.items()
        if len(paths) > 1
    ]


def lone_sides(every: Mapping[str, Sides]) -> list[str]:
    """Say where the other side of a split is not there."""
    return [
        f"{paths[0].name} is not read: the file of its other side is not there; put it beside this one"
        for split, sides in every.items()
        for paths in sides.values()
        if not is_whole(split, sides)
    ]
