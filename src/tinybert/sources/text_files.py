"""Lines of text, JSON lines, JSON arrays and columns, read line by line, with the line of every fault."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, cast

from tinybert.errors import DataError
from tinybert.sources.encoding import SourceFile, printable

MAX_RAW_CHARS = 10_000
CHUNK_CHARS = 1 << 20
NEAR_THE_END = 16

GAP = re.compile(r"[\s,]*")
NO_TOKEN = re.compile(r"[0-9]+[-.][0-9]+")
"""What CoNLL-U calls a line that stands for several tokens (``1-2``), or for a word left out (``8.1``)."""
SENTENCES_PEEKED = 20

RawRow = tuple[int, Mapping[str, object]]
Unit = Literal["line", "row"]
"""What the number of a row counts."""


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
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
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
    decode = json.JSONDecoder().raw_decode
    chunks, name = file.chunks(CHUNK_CHARS), file.name
    buffer = next(chunks).lstrip()
    offset, number = _after_gap(buffer, 1), 1
    while not buffer.startswith("]", offset):
        try:
            row, end = decode(buffer, offset)
        except RecursionError as error:
            raise DataError(name, f"row {number:,}: nested too deeply") from error
        except json.JSONDecodeError as error:
            more = next(chunks, "") if _may_go_on(error, len(buffer)) else ""
            if not more:
                raise DataError(name, f"row {number:,}: not valid JSON: {error.msg}") from error
            buffer, offset = buffer[offset:] + more, 0
        else:
            why = file.broken(buffer[offset:end]) or ("" if isinstance(row, dict) else "not an object")
            yield Fault(number, why, {"": printable(buffer[offset:end])}) if why else (number, row)
            number, offset = number + 1, end
        offset = _after_gap(buffer, offset)
    if buffer[offset + 1 :].strip() or "".join(chunks).strip():
        raise DataError(name, f"there is text after the end of the list (row {number - 1:,})")


def read_columns(file: SourceFile) -> Iterator[RawRow | Fault]:
    """Yield the sentences of a file of columns: the token first, the tag last, a blank line between.

    Columns are parted by tabs, or else by spaces; empty ones at the end do not count. Every line has as many
    as the first: a token with a space in it needs tabs. Lines of ``-DOCSTART-`` and comments (``# …`` before
    a sentence, in another number of columns or as ``# key = value``) are no tokens. A sentence's number is
    that of its first line. Where the first column counts the tokens, see :func:`_counts_tokens`, the token is
    in the second one.
    """
    counts = _counts_tokens(file)
    tokens: list[str] = []
    tags: list[str] = []
    first, wrong, width = 0, "", 0
    for number, line in enumerate(chain(file.lines(), [""]), start=1):
        text, fields = _fields(line)
        if not text.strip() or fields[0] == "-DOCSTART-":
            if wrong:
                yield Fault(first, wrong, {"tokens": [printable(token) for token in tokens]})
            elif tokens:
                yield first, {"tokens": tokens, "tags": tags}
            tokens, tags, wrong = [], [], ""
        elif counts and (fields[0].startswith("#") or NO_TOKEN.fullmatch(fields[0])):
            continue
        elif tokens or wrong or not _is_comment(fields, width or 2):
            first, width = first if tokens or wrong else number, width or len(fields)
            broken = file.broken(text)
            why = f": {broken}" if broken else _wrong_columns(text, fields, width, counts=counts)
            wrong = wrong or (f"line {number:,}{why}" if why else "")
            tokens.append(fields[1] if counts and len(fields) > 1 else fields[0])
            tags.append(fields[-1].strip())


def _fields(line: str) -> tuple[str, list[str]]:
    """Return a line without its end, and its columns."""
    text = line.rstrip(" \t\r\n")
    return text, text.split("\t") if "\t" in text else [field for field in text.split(" ") if field]


def _counts_tokens(file: SourceFile) -> bool:
    """Return whether the first of three columns or more counts the tokens: 1, 2, 3, … in each sentence.

    The first 20 sentences decide; one at least has two tokens, as a sentence may be the number 1 alone.
    """
    longest = count = num_sentences = 0
    for line in chain(file.lines(), [""]):
        text, fields = _fields(line)
        if not text.strip():
            longest, num_sentences, count = max(longest, count), num_sentences + (count > 0), 0
            if num_sentences == SENTENCES_PEEKED:
                break
        elif fields[0].startswith(("#", "-DOCSTART-")) or NO_TOKEN.fullmatch(fields[0]):
            continue
        elif fields[0] != str(count + 1) or (len(fields) < 3 and longest == count == 0):
            return False
        else:
            count += 1
    return longest > 1


def _wrong_columns(text: str, fields: Sequence[str], width: int, *, counts: bool) -> str:
    """Return what is wrong with the columns of a line, to be said behind its number; or nothing."""
    found = len(fields)
    if counts and not fields[0].isdecimal():
        return f" is {text[:60]!r}: a number is expected first, as the first sentences have it"
    if found < 2:
        return f" is {text[:60]!r}: a token and its tag are expected"
    if found == width:
        return ""
    fix = "part the columns with tabs where a token holds a space"
    return f" is {text[:60]!r}: {found} columns where the first line has {width}; {fix}"


def _is_comment(fields: list[str], width: int) -> bool:
    """Return whether a line before a sentence is no token of ``width`` columns."""
    if not fields[0].startswith("#"):
        return False
    return len(fields) not in (2, width) or (fields[0] == "#" and fields[2:3] == ["="])


def _after_gap(buffer: str, offset: int) -> int:
    return cast(re.Match[str], GAP.match(buffer, offset)).end()


def _may_go_on(error: json.JSONDecodeError, length: int) -> bool:
    """Return whether an object is merely cut by the end of the buffer."""
    return error.pos >= length - NEAR_THE_END or error.msg.startswith("Unterminated string")
