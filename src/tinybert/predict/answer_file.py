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

from tinybert.errors import DataError
from tinybert.predict.answers import Table
from tinybert.runs import Json, hold, read_json, write_json

BAD_ROWS = ".bad_rows.jsonl"


class AnswerFile:
    """Where answers go; ``with`` begins it, or goes on, and gives it its name when all is written.

    Args:
        target: The file.
        made_from: What the answers are made from; what is there of another is refused.

    Attributes:
        num_read: Rows of the input that are done.
        num_bad: Of these, rows without an answer, in ``bad_rows``.
        table: Its columns and its header, once they are known; None where the file is no table.
    """

    def __init__(self, target: Path, made_from: Json) -> None:
        self.target = target
        self.partial = target.with_name(target.name + ".partial")
        self.state = target.with_name(target.name + ".partial.json")
        self.bad_rows = target.with_name(target.stem + BAD_ROWS)
        self.made_from = made_from
        self.num_read = self.num_bad = 0
        self.table: Table | None = None

    def __enter__(self) -> Self:
        sizes = self._resume() if self.state.is_file() else (0, 0)
        try:
            self.partial.touch()
        except OSError as error:
            raise DataError(str(self.target), f"cannot write here: {error.strerror or error}") from error
        self.held = hold(self.partial, subject=str(self.target))
        os.truncate(self.partial, sizes[0])
        if sizes[1]:
            os.truncate(self.bad_rows, sizes[1])
        else:
            self.bad_rows.unlink(missing_ok=True)
        return self

    def _resume(self) -> tuple[int, int]:
        known = read_json(self.state)
        if known["made_from"] != self.made_from:
            raise DataError(
                str(self.target),
                f"{self.partial.name} beside it holds unfinished answers of another model, backend or input; "
                f"give its command again to go on, delete {self.partial.name} and {self.state.name}, or "
                "choose another --output",
            )
        self.num_read, self.num_bad = cast(int, known["num_read"]), cast(int, known["num_bad"])
        self.table = cast("Table | None", known["table"])
        return cast(int, known["num_bytes"]), cast(int, known["num_bad_bytes"])

    def add(self, text: str, *, num_read: int, bad: Sequence[Mapping[str, object]]) -> None:
        """Write a window of answers, and the rows that have none; then they are there for good.

        Raises:
            DataError: The disk is full, or does not take it for another reason.
        """
        try:
            num_bytes = _append(self.partial, text)
            lines = [json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in bad]
            num_bad_bytes = _append(self.bad_rows, "".join(lines)) if lines or self.num_bad else 0
            self.num_read += num_read
            self.num_bad += len(bad)
            facts: Json = {
                "made_from": self.made_from,
                "num_read": self.num_read,
                "num_bad": self.num_bad,
                "table": self.table,
                "num_bytes": num_bytes,
                "num_bad_bytes": num_bad_bytes,
            }
            write_json(self.state, facts)
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
            self.partial.replace(self.target)
            self.state.unlink(missing_ok=True)
        elif self.num_read == 0:
            for file in (self.partial, self.state, self.bad_rows):
                file.unlink(missing_ok=True)
        if self.held is not None:
            self.held.close()


def _append(file: Path, text: str) -> int:
    """Write behind the end of a file and return its size."""
    with file.open("a", encoding="utf-8", newline="") as stream:
        stream.write(text)
    return file.stat().st_size
