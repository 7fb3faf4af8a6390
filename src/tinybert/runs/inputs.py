"""What a run was made from, as digests: the same command on changed data is another run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import cast

from tinybert.corpus.places import STDIN, files_below
from tinybert.errors import RunError
from tinybert.sources import is_bundled
from tinybert.sources.objects import ObjectRows, source_of
from tinybert.sources.readers import READERS
from tinybert.sources.sides import side_of
from tinybert.storage import blocks_of

SUFFIXES = (*READERS, ".safetensors", ".txt")


def digest_input(source: object, *, is_text: bool = False) -> str:
    """Return one SHA-256 of what a run reads: data, a model, or a file of soft labels.

    A file or folder is read; Python rows are written as JSON. What has a pinned or a remote content (a
    bundled name, a name on the hub), or can be read only once (a pipe, ``-`` for standard input), is known by
    that name.

    Args:
        source: What is read.
        is_text: Raw text: of a folder all files count, those in folders below it too.
    """
    digest = hashlib.sha256()
    in_folders = is_text and _is_folder(source)
    for block in _text_blocks(Path(str(source)).expanduser()) if in_folders else _blocks(source):
        digest.update(block)
    return digest.hexdigest()


def refuse_inside(out: Path, source: object) -> None:
    """Refuse to write into a folder of data, where the next command would read it.

    Raises:
        RunError: The place lies in the folder.
    """
    if not _is_folder(source):
        return
    folder = Path(str(source)).expanduser().resolve()
    if out.resolve().is_relative_to(folder):
        raise RunError(str(out), f"lies in the folder of its own data, {source}; choose an --out beside it")


def _blocks(source: object) -> Iterator[bytes]:
    if source is None:
        return iter([])
    source = source_of(source)
    if not isinstance(source, str | Path):
        return _row_blocks(source)
    path = Path(source).expanduser()
    if is_bundled(source) or str(source) == STDIN or not (path.is_file() or path.is_dir()):
        return iter([_name_bytes(source)])
    files = [path] if path.is_file() else sorted(each for each in path.iterdir() if _is_read(each))
    return chain.from_iterable(_file_blocks(file) for file in files)


def _is_folder(source: object) -> bool:
    return isinstance(source, str | Path) and not is_bundled(source) and Path(source).expanduser().is_dir()


def _text_blocks(folder: Path) -> Iterator[bytes]:
    for file in files_below(folder):
        yield _name_bytes(file.relative_to(folder))
        yield from _file_blocks(file)


def _is_read(path: Path) -> bool:
    return (path.suffix.lower() in SUFFIXES or side_of(path) is not None) and path.is_file()


def _file_blocks(path: Path) -> Iterator[bytes]:
    yield _name_bytes(f"{path.name} {path.stat().st_size}")
    with path.open("rb") as file:
        yield from blocks_of(file)


def _name_bytes(name: str | Path) -> bytes:
    """Return the bytes of a name, those of a file whose name is not UTF-8 too."""
    return str(name).encode(errors="surrogateescape")


def _row_blocks(rows: ObjectRows | Mapping[str, ObjectRows]) -> Iterator[bytes]:
    """A data set knows its own fingerprint; other rows are written out one by one."""
    if isinstance(rows, Mapping):
        for name, part in rows.items():
            yield name.encode()
            yield from _row_blocks(part)
    elif rows.mark:
        yield rows.mark.encode()
    else:
        if rows.class_names:
            yield _as_json(rows.class_names)
        yield from map(_as_json, rows)


def _as_json(row: object) -> bytes:
    return json.dumps(row, default=_written).encode()


def _written(value: object) -> object:
    """Return a set in an order that is the same in every process, other objects as text."""
    is_set = isinstance(value, set | frozenset)
    return sorted(map(str, cast("Iterable[object]", value))) if is_set else str(value)
