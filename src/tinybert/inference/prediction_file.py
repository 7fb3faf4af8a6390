"""A file of predictions on its way: what is written stays valid, and the same command resumes it.

Predictions grow in ``NAME.partial``; after each window ``NAME.partial.json`` says how far it is. A command
that resumes truncates what a killed one had half written, and reads on behind the last window. Beside a
finished file ``.NAME.made_from.json`` says what it was made from, and how long it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TextIO, cast

from tinybert.console import warn
from tinybert.errors import RunError
from tinybert.inference.lines import Table, encodable
from tinybert.storage import MADE_FROM, Json, Output, blocks_of, hold, read_json, write_json

BAD_ROWS = ".bad_rows.jsonl"
COUNTS = ("num_bytes", "num_bad_bytes", "num_read", "num_bad")


class PredictionFile(Output):
    """An output that grows by windows of rows; leaving its ``with`` gives it its name.

    Args:
        target: The file.
        made_from: What the predictions depend on.

    Attributes:
        num_read: Rows of the input that are done.
        num_bad: Of these, rows without a prediction; they are in ``bad_rows``.
        table: Its columns and its header, once they are known; None where the file is no table.
    """

    def __init__(self, target: Path, made_from: Json) -> None:
        super().__init__(
            target,
            made_from,
            report=f".{target.name}.{MADE_FROM}",
            keep=lambda path, error: self.num_read > 0,
            option="--output",
        )
        self.path = target.with_name(target.name + ".partial")
        self.state = target.with_name(target.name + ".partial.json")
        self.bad_rows = target.with_name(target.name + BAD_ROWS)
        self.partial_bad = target.with_name(self.bad_rows.name + ".partial")
        self.sizes = [0, 0]
        self.digests = [hashlib.sha256(), hashlib.sha256()]
        self.num_read = self.num_bad = 0
        self.table: Table | None = None

    @property
    def files(self) -> list[Path]:
        """All files that are written."""
        return [self.target, self.path, self.state, self.bad_rows, self.partial_bad]

    def known(self, *, is_finished: bool) -> Json | None:
        """Return what the file is made from, and note how much of it is valid."""
        path = self._report_in(self.target) if is_finished else self.state
        if not path.is_file():
            return None
        try:
            state = read_json(path)
            made_from, table = cast(Json, state["made_from"]), cast("Table | None", state["table"])
            counts, hashes = [state[name] for name in COUNTS], state.get("sha256")
        except (RunError, KeyError, TypeError):
            counts, hashes, made_from, table = [None], None, {}, None
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            warn(f"{path} is damaged" + ("" if is_finished else ": beginning again"))
            return None
        *sizes, num_read, num_bad = cast("list[int]", counts)
        if is_finished:
            if self.target.stat().st_size != sizes[0]:
                return None  # something else has this name now
            self.num_read, self.num_bad = num_read, num_bad
            return made_from
        there = [file.stat().st_size if file.is_file() else 0 for file in (self.path, self.partial_bad)]
        if any(size > found for size, found in zip(sizes, there, strict=True)):
            if any(there):
                warn(f"{self.path}: damaged (shorter than was written): beginning again")
            return None  # it has its name already, or was taken away: nothing to resume
        files = (self.path, self.partial_bad)
        digests = [_digest(file, size) for file, size in zip(files, sizes, strict=True)]
        if hashes is not None and hashes != [each.hexdigest() for each in digests]:
            warn(f"{self.path}: damaged (not the content that was written): beginning again")
            return None
        self.sizes, self.num_read, self.num_bad, self.table = sizes, num_read, num_bad, table
        self.digests = digests
        return made_from

    def add(self, text: str, *, num_read: int, bad: Sequence[Mapping[str, object]]) -> None:
        """Write a window of predictions, and the rows that have none; then they are there for good."""
        lines = [json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in bad]
        parts = (text, encodable("".join(lines)))
        self.sizes = [_append(self.path, parts[0]), _append(self.partial_bad, parts[1])]
        for digest, part in zip(self.digests, parts, strict=True):
            digest.update(part.encode())
        self.num_read += num_read
        self.num_bad += len(bad)
        self._note(self.state)

    def discard(self) -> None:
        """Delete what is half made."""
        for file in (self.path, self.state, self.partial_bad):
            file.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self.metadata is None:
            self._name()
        super().__exit__(kind, error, trace)

    def _take(self) -> TextIO | None:
        if self.target.is_dir():
            raise RunError(str(self.target), "is a folder; give the predictions a file of their own")
        self.path.touch()
        return hold(self.path, subject=str(self.target))

    def _resume(self) -> None:
        self._refuse_other()
        self.partial_bad.touch()
        for file, size in zip((self.path, self.partial_bad), self.sizes, strict=True):
            os.truncate(file, size)

    def _note(self, file: Path) -> None:
        counts = dict(zip(COUNTS, [*self.sizes, self.num_read, self.num_bad], strict=True))
        hashes = [each.hexdigest() for each in self.digests]
        write_json(file, {"made_from": self.made_from, "table": self.table, **counts, "sha256": hashes})

    def _report_in(self, place: Path) -> Path:
        return place.with_name(self.report)

    def _name(self) -> None:
        self._note(self._report_in(self.target))
        if self.num_bad:
            self.partial_bad.replace(self.bad_rows)
        else:
            self.bad_rows.unlink(missing_ok=True)  # of an earlier call
        self.path.replace(self.target)
        self.discard()


def _digest(file: Path, size: int) -> hashlib._Hash:  # pyright: ignore[reportPrivateUsage]
    """Return the digest of a file's first bytes, to be continued."""
    digest = hashlib.sha256()
    if size:
        with file.open("rb") as stream:
            for block in blocks_of(stream, size):
                digest.update(block)
    return digest


def _append(file: Path, text: str) -> int:
    """Write behind the end of a file, down to the disk, and return its size."""
    with file.open("a", encoding="utf-8", newline="") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    return file.stat().st_size
