"""Lines of text, JSON lines and JSON arrays, read line by line, with the line of every fault."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from tinybert.errors import DataError
from tinybert.sources.encoding import SourceFile, printable

MAX_RAW_CHARS = 10_000
CHUNK_CHARS = 1 << 20
NEAR_THE_END = 16

MAX_SHOWN = 40

GAP = re.compile(r"[\s,]*")

RawRow = tuple[int, Mapping[str, object]]
Unit = Literal["line", "row", "unit"]
"""What the number of a row counts; a unit is one of a translation memory."""


@dataclass(frozen=True)
class Fault:
    """A row that could not be read.

    Attributes:
        number: As in :class:`tinybert.data.BadRow`.
        why: What is wrong and the fix.
        raw: What stood there.
        is_fatal: The rows after it are lost too, so it cannot be set aside.
    """

    number: int
    why: str
    raw: Mapping[str, object]
    is_fatal: bool = False


class RepeatedKeyError(ValueError):
    """An object in JSON has a key twice, with different values; Python would take the last in silence."""


def with_unique_keys(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Return an object of JSON, as ``object_pairs_hook`` makes it.

    Raises:
        RepeatedKeyError: It has a key twice.
    """
    row = dict(pairs)
    if len(row) < len(pairs):
        for name, value in pairs:
            first, last = (repr(each)[:MAX_SHOWN] for each in (value, row[name]))
            if first != last:
                whole = repr(row)[:MAX_SHOWN]
                raise RepeatedKeyError(
                    f"the key {name!r} is there twice ({first}, then {last}); keep one, in {whole}"
                )
    return row


DECODER, LENIENT = json.JSONDecoder(object_pairs_hook=with_unique_keys), json.JSONDecoder()


def numbered_lines(file: SourceFile) -> Iterator[tuple[int, str] | Fault]:
    """Yield numbered lines; one with a byte that is not of the encoding is a fault.

    Raises:
        DataError: The encoding cannot be told for sure.
    """
    for number, line in enumerate(file.lines(), start=1):
        if why := file.broken(line):
            yield Fault(number, why, {"": printable(line).strip()[:MAX_RAW_CHARS]})
        else:
            yield number, line


def sound_lines(file: SourceFile) -> Iterator[str]:
    """Yield the lines of a file of which every byte must be of its encoding.

    Raises:
        DataError: One is not, or the encoding cannot be told for sure.
    """
    for each in numbered_lines(file):
        if isinstance(each, Fault):
            raise DataError(file.name, f"line {each.number:,}: {each.why}")
        yield each[1]


def read_json_lines(file: SourceFile) -> Iterator[RawRow | Fault]:
    """Yield the rows of a JSON-lines file: one object a line; blank lines are no rows."""
    return json_rows(numbered_lines(file))


def json_rows(lines: Iterable[tuple[int, str] | Fault]) -> Iterator[RawRow | Fault]:
    """Yield the objects of numbered lines; faults pass unchanged."""
    for each in lines:
        if isinstance(each, Fault):
            yield each
            continue
        number, line = each
        if not line.strip():
            continue
        try:
            row = DECODER.decode(line)
        except RepeatedKeyError as error:
            yield Fault(number, str(error), {"": line.strip()})
            continue
        except (ValueError, RecursionError) as error:  # ValueError: a number of thousands of digits too
            yield Fault(number, f"not valid JSON: {error}; one object a line is expected", {"": line.strip()})
            continue
        if isinstance(row, dict):
            yield number, cast(Mapping[str, object], row)
        else:
            yield Fault(number, 'not an object; expected one such as {"text": …}', {"": row})


def read_json_array(file: SourceFile) -> Iterator[RawRow | Fault]:
    """Yield the objects of one large JSON array without holding it whole.

    Raises:
        DataError: The array is broken; the row at which it breaks is named.
    """
    chunks, name = file.chunks(CHUNK_CHARS), file.name
    buffer = next(chunks).lstrip()
    offset, number = _after_gap(buffer, 1), 1
    while not buffer.startswith("]", offset):
        try:
            row, end, why = _decoded(buffer, offset)
        except RecursionError as error:
            raise DataError(name, f"row {number:,}: nested too deeply") from error
        except json.JSONDecodeError as error:
            more = next(chunks, "") if _may_go_on(error, len(buffer)) else ""
            if not more:
                raise DataError(name, f"row {number:,}: not valid JSON: {error.msg}") from error
            buffer, offset = buffer[offset:] + more, 0
        except ValueError as error:
            raise DataError(name, f"row {number:,}: not valid JSON: {error}") from error
        else:
            why = why or file.broken(buffer[offset:end]) or ("" if isinstance(row, dict) else "not an object")
            yield Fault(number, why, {"": printable(buffer[offset:end])}) if why else (number, row)
            number, offset = number + 1, end
        offset = _after_gap(buffer, offset)
    if buffer[offset + 1 :].strip() or "".join(chunks).strip():
        raise DataError(name, f"there is text after the end of the list (row {number - 1:,})")


def _decoded(buffer: str, offset: int) -> tuple[Any, int, str]:
    """Return the value that begins at an offset, its end, and what is wrong with its keys."""
    try:
        return *DECODER.raw_decode(buffer, offset), ""
    except RepeatedKeyError as error:
        return *LENIENT.raw_decode(buffer, offset), str(error)


def _after_gap(buffer: str, offset: int) -> int:
    return cast(re.Match[str], GAP.match(buffer, offset)).end()


def _may_go_on(error: json.JSONDecodeError, length: int) -> bool:
    """Return whether an object is merely cut by the end of the buffer."""
    return error.pos >= length - NEAR_THE_END or error.msg.startswith("Unterminated string")
