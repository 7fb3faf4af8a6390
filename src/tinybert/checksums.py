"""Checksums of a folder's files: what a disk or a copy has damaged is noticed before it is used.

``checksums.json`` in the folder holds file → size and SHA-256. A file that is not in it is not checked, nor
is a folder without it: earlier versions wrote none. Of several processes of one run the first one writes;
other runs that share a folder, such as the teacher store, write one after the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Generator, Iterable
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import cast

from tinybert.console import is_first_process, warn
from tinybert.errors import RunError
from tinybert.storage import LOCK, Json, hold, read_json, remove, write_json

CHECKSUMS = "checksums.json"
WEIGHTS = "*.safetensors"
TOKENIZER = (
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
)
"""Files of a checkpoint that nobody edits by hand, as patterns: labels in config.json may be renamed."""


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file: a tenth of a second for 100 MB, more on an old processor."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_checksums(folder: Path, names: Iterable[str]) -> None:
    """Record files as they are now.

    Args:
        folder: The folder.
        names: Files in it, or below it with slashes.
    """
    if is_first_process():
        entries = {name: _entry(folder / name) for name in names}
        with _alone(folder):
            write_json(folder / CHECKSUMS, entries)


def write_model_checksums(folder: Path) -> None:
    """Record the weights and the tokenizer of a checkpoint."""
    names = sorted(file.name for file in folder.iterdir() if file.is_file())
    write_checksums(folder, [name for name in names if _matches(name, (WEIGHTS, *TOKENIZER))])


def names_below(folder: Path, *, but: Collection[str] = ()) -> list[str]:
    """Name the files in a folder and below it, but for the checksums and what ``but`` names."""
    names = [file.relative_to(folder) for file in sorted(folder.rglob("*")) if file.is_file()]
    return [
        name.as_posix()
        for name in names
        if name.parts[0] not in but and not name.parts[0].startswith(CHECKSUMS)
    ]


def find_damage(folder: Path, patterns: Collection[str] = ("*",)) -> dict[str, str]:
    """Return what is wrong with recorded files: file → what; where the record itself is damaged, that.

    Args:
        folder: The folder.
        patterns: Look at the files of these names.

    Raises:
        PermissionError: A file may not be read: it need not be damaged.
    """
    if not (folder / CHECKSUMS).exists():
        return {}
    try:
        recorded = _recorded(folder)
    except RunError:
        return {CHECKSUMS: "not readable"}
    chosen = {name: entry for name, entry in recorded.items() if _matches(name, patterns)}
    problems = {name: _problem(folder / name, entry) for name, entry in chosen.items()}
    return {name: problem for name, problem in problems.items() if problem}


def describe_damage(damage: dict[str, str]) -> str:
    """Return found damage as one line.

    Example:
        >>> describe_damage({"optimizer.pt": "missing", "rng_state.pth": "not a file"})
        'optimizer.pt: missing, rng_state.pth: not a file'
    """
    return ", ".join(f"{name}: {problem}" for name, problem in damage.items())


def record_file(file: Path) -> None:
    """Record one file as it is now, beside what is recorded of others in its folder."""
    if is_first_process():
        entry = _entry(file)
        with _alone(file.parent):
            entries = {**_recorded(file.parent), file.name: entry}
            write_json(file.parent / CHECKSUMS, dict(sorted(entries.items())))


def is_recorded(file: Path) -> bool:
    """Return whether a folder's checksums have a file, there or not."""
    try:
        return file.name in _recorded(file.parent)
    except RunError:
        return False


def is_kept(file: Path) -> bool:
    """Return whether a file that can be made again is there as it was recorded.

    A damaged one is reported and removed; where the record is damaged, all files beside it.
    """
    damage = find_damage(file.parent, (file.name,))
    if CHECKSUMS in damage:
        warn(f"{file.parent}: damaged ({describe_damage(damage)}); what is kept there is made again")
        with _alone(file.parent) as own:
            for each in file.parent.iterdir():
                if each.name == CHECKSUMS or (each.is_file() and each.name not in (LOCK, own)):
                    remove(each)
    elif damage and (damage[file.name] != "missing" or file.exists()):
        warn(f"{file.parent}: damaged ({describe_damage(damage)}); it is made again")
        remove(file)
    elif file.is_dir():
        remove(file)
    return file.is_file()


@contextmanager
def _alone(folder: Path) -> Generator[str]:
    """Keep all others from a folder's record for a while; give the name of the file that does.

    It is not the folder's own lock: that may be held, in this process or in one that reads for hours.
    """
    path = folder / f"{CHECKSUMS}.lock"
    held = hold(path, subject=str(folder / CHECKSUMS), waits=True)
    try:
        yield path.name
    finally:
        if held is not None:
            path.unlink(missing_ok=True)  # first: who has waited for this file sees that, and makes another
            held.close()


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _entry(file: Path) -> Json:
    return {"size_bytes": file.stat().st_size, "sha256": file_sha256(file)}


def _recorded(folder: Path) -> dict[str, Json]:
    if not (folder / CHECKSUMS).exists():
        return {}
    recorded = read_json(folder / CHECKSUMS)
    for name, entry in recorded.items():
        if not isinstance(entry, dict) or entry.keys() != {"size_bytes", "sha256"}:
            raise RunError(str(folder / CHECKSUMS), f"{name}: expected size_bytes and sha256")
    return cast("dict[str, Json]", recorded)


def _problem(file: Path, entry: Json) -> str | None:
    try:
        if not file.exists():
            return "missing"
        if not file.is_file():
            return "not a file"
        if (size := file.stat().st_size) != entry["size_bytes"]:
            return f"{size:,} bytes, {entry['size_bytes']:,} were written"
        return None if file_sha256(file) == entry["sha256"] else "not the content that was written"
    except PermissionError:
        raise
    except OSError as error:  # the disk itself says so
        return error.strerror or str(error)
