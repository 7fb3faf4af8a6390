"""A file of answers on its way: what is written stays valid, and the same command goes on.

Answers grow in ``NAME.partial``; after each window ``NAME.partial.json`` says how far it is. A command that
comes back cuts off what a killed one had half written, and reads on behind the last window.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from tinybert.console import warn
from tinybert.errors import DataError, RunError
from tinybert.inference.answers import Table, encodable
from tinybert.runs import Json, hold, read_json, write_json

BAD_ROWS = ".bad_rows.jsonl"


class AnswerFile:
    """Where answers go; ``with`` begins it, or goes on, and gives it its name when all is written.

    Args:
        target: The file.
        made_from: What the answers are made from; what is there of another is refused.

    Attributes:
        num_read: Rows of the input that are done.
        num_bad: Of these, rows without an answer; they are in ``bad_rows``.
        table: Its columns and its header, once they are known; None where the file is no table.
    """

    def __init__(self, target: Path, made_from: Json) -> None:
        self.target = target
        self.partial = target.with_name(target.name + ".partial")
        self.state = target.with_name(target.name + ".partial.json")
        self.bad_rows = target.with_name(target.name + BAD_ROWS)
        self.partial_bad = target.with_name(self.bad_rows.name + ".partial")
        self.made_from = made_from
        self.num_read = self.num_bad = 0
        self.table: Table | None = None

    @property
    def files(self) -> list[Path]:
        """All files that are written."""
        return [self.target, self.partial, self.state, self.bad_rows, self.partial_bad]

    def __enter__(self) -> Self:
        if self.target.is_dir():
            raise DataError(str(self.target), "is a folder; give the answers a file of their own")
        try:
            self.partial.touch()
        except OSError as error:
            raise DataError(str(self.target), f"cannot write here: {error.strerror or error}") from error
        self.held = hold(self.partial, subject=str(self.target))
        try:
            sizes = self._resumed()
            self.partial_bad.touch()
            for file, size in zip((self.partial, self.partial_bad), sizes, strict=True):
                os.truncate(file, size)
        except BaseException:
            self._let_in()
            raise
        return self

    def _resumed(self) -> tuple[int, int]:
        """Take up what is there; return how much of the answers and of the bad rows is valid."""
        if not self.state.is_file():
            return 0, 0
        try:
            known = read_json(self.state)
            made_from, table = known["made_from"], cast("Table | None", known["table"])
            counts = [known[name] for name in ("num_bytes", "num_bad_bytes", "num_read", "num_bad")]
        except (RunError, KeyError, TypeError):
            counts, made_from, table = [None], None, None
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            warn(f"{self.state} is damaged: beginning again")
            return 0, 0
        num_bytes, num_bad_bytes, *progress = cast("list[int]", counts)
        there, valid = (self.partial.stat().st_size, self._size_of_bad()), (num_bytes, num_bad_bytes)
        if any(size > found for size, found in zip(valid, there, strict=True)):
            return 0, 0  # it was put in its place already, or taken away: nothing to go on from
        if made_from != self.made_from:
            raise DataError(
                str(self.target),
                f"{self.partial.name} beside it holds unfinished answers of another model, backend or input; "
                f"give its command again to go on, delete {self.partial.name} and {self.state.name}, or "
                "choose another --output",
            )
        (self.num_read, self.num_bad), self.table = progress, table
        return valid

    def _size_of_bad(self) -> int:
        return self.partial_bad.stat().st_size if self.partial_bad.is_file() else 0

    def add(self, text: str, *, num_read: int, bad: Sequence[Mapping[str, object]]) -> None:
        """Write a window of answers, and the rows that have none; then they are there for good.

        Raises:
            DataError: The disk is full, or does not take it for another reason.
        """
        try:
            num_bytes = _append(self.partial, text)
            lines = [json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in bad]
            num_bad_bytes = _append(self.partial_bad, encodable("".join(lines)))
            self.num_read += num_read
            self.num_bad += len(bad)
            metadata: Json = {
                "made_from": self.made_from,
                "num_read": self.num_read,
                "num_bad": self.num_bad,
                "table": self.table,
                "num_bytes": num_bytes,
                "num_bad_bytes": num_bad_bytes,
            }
            write_json(self.state, metadata)
        except OSError as error:
            raise DataError(
                str(self.target),
                f"cannot be written: {error.strerror or error}; {self.partial.name} keeps what is there: "
                "mend this and give the same command again to go on",
            ) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            if self.num_bad:
                self.partial_bad.replace(self.bad_rows)
            else:
                self.bad_rows.unlink(missing_ok=True)  # of an earlier call
            self.partial.replace(self.target)
        if error is None or self.num_read == 0:
            for file in (self.partial, self.state, self.partial_bad):
                file.unlink(missing_ok=True)
        self._let_in()

    def _let_in(self) -> None:
        if self.held is not None:
            self.held.close()


def _append(file: Path, text: str) -> int:
    """Write behind the end of a file, down to the disk, and return its size."""
    with file.open("a", encoding="utf-8", newline="") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    return file.stat().st_size
