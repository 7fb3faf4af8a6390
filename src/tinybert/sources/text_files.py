"""CSV, TSV, JSON lines and JSON arrays, read line by line in UTF-8, with the line of every fault."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, cast

from tinybert.errors import DataError

MAX_FIELD_CHARS = 10_000_000
MAX_RAW_CHARS = 10_000
CHUNK_CHARS = 1 << 20
NEAR_THE_END = 16
DELIMITERS = (",", ";", "\t")

GAP = re.compile(r"[\s,]*")

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


def decoded_lines(path: Path, name: str) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, with or without a byte-order mark, line ends kept.

    Raises:
        DataError: Bytes are not UTF-8; the line and the byte are named.
    """
    for number, line in _raw_lines(path, name):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(name, _encoding_problem(line, number, error, path)) from error


def lines_and_faults(path: Path, name: str) -> Iterator[tuple[int, str] | Fault]:
    """Yield numbered lines as :func:`decoded_lines` does; one that is not UTF-8 is a fault.

    Raises:
        DataError: The file is UTF-16.
    """
    for number, line in _raw_lines(path, name):
        try:
            yield number, line.decode("utf-8")
        except UnicodeDecodeError as error:
            why = f"byte {error.start + 1:,} (0x{line[error.start]:02x}) is not UTF-8"
            yield Fault(number, why, {"": line.decode("utf-8", "replace").strip()[:MAX_RAW_CHARS]})


def _raw_lines(path: Path, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield numbered lines, without a byte-order mark before the first."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if number == 1:
                _refuse_utf16(line, name)
                line = line.removeprefix(codecs.BOM_UTF8)
            yield number, line


def _refuse_utf16(line: bytes, name: str) -> None:
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        fix = f"iconv -f UTF-16 -t UTF-8 {name} > utf8-{Path(name).name}"
        raise DataError(name, f"line 1: the file is UTF-16, not UTF-8; convert it: {fix}")


def _encoding_problem(line: bytes, number: int, error: UnicodeDecodeError, path: Path) -> str:
    byte = line[error.start]
    fix = f"iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8-{path.name}"
    return (
        f"line {number:,}, byte {error.start + 1:,} (0x{byte:02x}): the file is not UTF-8; save it as UTF-8, "
        f"for example, if it comes from Windows: {fix}"
    )


def read_csv(path: Path, name: str) -> tuple[list[str], Iterator[RawRow | Fault]]:
    """Open a CSV file; the header says whether commas, semicolons or tabs part the fields.

    Raises:
        DataError: There is no usable header, or the bytes are not UTF-8.
    """
    lines = decoded_lines(path, name)
    head = next(lines, "")
    # a person's long text is no mistake: the module's own limit is 128 KB
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD_CHARS))
    delimiter = max(DELIMITERS, key=head.count)
    try:
        header = next(csv.reader([head], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise DataError(name, f"line 1: the header cannot be read: {error}") from error
    _check_header(header, name)
    return header, _csv_rows(lines, header, delimiter)


def _csv_rows(lines: Iterator[str], header: list[str], delimiter: str) -> Iterator[RawRow | Fault]:
    read_lately: list[str] = []
    reader = csv.reader(_remembered(lines, read_lately), delimiter=delimiter, strict=True)
    width = len(header)
    while True:
        number = reader.line_num + 2  # the header, and counting from one
        read_lately.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _csv_fault(number, str(error), read_lately)
            continue
        if len(fields) == width:
            yield number, dict(zip(header, fields, strict=True))
        elif fields:
            yield Fault(number, _ragged(len(fields), width, delimiter), {"": fields})


def _remembered(lines: Iterator[str], memory: list[str]) -> Iterator[str]:
    for line in lines:
        memory.append(line)
        yield line


def _csv_fault(number: int, message: str, lines: list[str]) -> Fault:
    raw = {"": "".join(lines)[:MAX_RAW_CHARS]}
    if "unexpected end" in message or "field larger" in message:
        swallowed = f" and swallows the {len(lines) - 1:,} lines after it" if len(lines) > 1 else ""
        why = f'a quote (") opens here and never closes{swallowed}; double each " that belongs to the text'
        return Fault(number, why, raw, is_fatal=len(lines) > 1)
    if "new-line character" in message:
        return Fault(number, "a lone carriage return in the text; put the text in quotes", raw)
    until = f" (until line {number + len(lines) - 1:,})" if len(lines) > 1 else ""
    return Fault(number, f'{message}{until}; put the text in quotes and double each " inside', raw)


def _ragged(found: int, expected: int, delimiter: str) -> str:
    mark = {"\t": "a tab"}.get(delimiter, repr(delimiter))
    fix = f"quote a text that holds {mark}" if found > expected else f"part the fields with {mark}"
    return f"{found} fields where the header has {expected}; {fix}"


def read_tsv(path: Path, name: str) -> tuple[list[str], Iterator[RawRow | Fault]]:
    r"""Open a TSV file: one row a line, and a quote is an ordinary character.

    A field that a spreadsheet or pandas quoted is recognised: it is in quotes and every quote inside is
    doubled (``"a ""fine"" film"``). Where the header is quoted, every field is unquoted.

    Raises:
        DataError: There is no usable header, or the bytes are not UTF-8.
    """
    lines = decoded_lines(path, name)
    header = next(lines, "").rstrip("\r\n").split("\t")
    all_quoted = all(len(field) > 1 and field[0] == field[-1] == '"' for field in header)
    header = [field[1:-1] for field in header] if all_quoted else header
    _check_header(header, name)
    return header, _tsv_rows(lines, header, all_quoted=all_quoted)


def _tsv_rows(lines: Iterator[str], header: list[str], *, all_quoted: bool) -> Iterator[RawRow | Fault]:
    for number, line in enumerate(lines, start=2):
        text = line.rstrip("\r\n")
        fields = text.split("\t")
        if not text.strip():
            continue
        if len(fields) != len(header):
            why = f"{len(fields)} fields where the header has {len(header)}; a text in a TSV file holds "
            yield Fault(number, why + "no tabs and no line breaks: save it as CSV", {"": fields})
            continue
        if '"' in text:
            fields = [_unquote(field, all_quoted=all_quoted) for field in fields]
        yield number, dict(zip(header, fields, strict=True))


def _unquote(field: str, *, all_quoted: bool) -> str:
    if len(field) < 2 or field[0] != '"' or field[-1] != '"':
        return field
    inner = field[1:-1]
    is_doubled = '""' in inner and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if is_doubled or all_quoted else field


def _check_header(header: list[str], name: str) -> None:
    if not any(column.strip() for column in header):
        raise DataError(name, "the file is empty; expected a header line such as text,label")
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        raise DataError(name, f"line 1: column {twice[0]!r} is there twice; give each its own name")


def read_json_lines(path: Path, name: str) -> Iterator[RawRow | Fault]:
    """Yield the rows of a JSON-lines file: one object a line; blank lines are no rows."""
    return json_rows(enumerate(decoded_lines(path, name), start=1))


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


def read_json_array(path: Path, name: str) -> Iterator[RawRow | Fault]:
    """Yield the objects of one large JSON array without holding it whole.

    Raises:
        DataError: The array is broken; the row at which it breaks is named.
    """
    decode = json.JSONDecoder().raw_decode
    chunks = _chunks(path, name)
    buffer = next(chunks).lstrip()
    offset, number = _after_gap(buffer, 1), 1
    while not buffer.startswith("]", offset):
        try:
            row, offset = decode(buffer, offset)
        except RecursionError as error:
            raise DataError(name, f"row {number:,}: nested too deeply") from error
        except json.JSONDecodeError as error:
            more = next(chunks, "") if _may_go_on(error, len(buffer)) else ""
            if not more:
                raise DataError(name, f"row {number:,}: not valid JSON: {error.msg}") from error
            buffer, offset = buffer[offset:] + more, 0
        else:
            yield (number, row) if isinstance(row, dict) else Fault(number, "not an object", {"": row})
            number += 1
        offset = _after_gap(buffer, offset)
    if buffer[offset + 1 :].strip() or "".join(chunks).strip():
        raise DataError(name, f"there is text after the end of the list (row {number - 1:,})")


def read_columns(path: Path, name: str) -> Iterator[RawRow | Fault]:
    """Yield the sentences of a file of columns: the token first, the tag last, a blank line between.

    Columns are parted by tabs, or else by spaces. Lines of ``-DOCSTART-`` and comments (``# …`` before a
    sentence, in another number of columns or as ``# key = value``) are no tokens. A sentence's number is that
    of its first line.
    """
    tokens: list[str] = []
    tags: list[str] = []
    first, wrong, width = 0, "", 2
    for number, line in enumerate(chain(decoded_lines(path, name), [""]), start=1):
        text = line.rstrip("\r\n")
        fields = text.split("\t") if "\t" in text else [field for field in text.split(" ") if field]
        if not text.strip() or fields[0] == "-DOCSTART-":
            if wrong:
                yield Fault(first, wrong, {"tokens": tokens})
            elif tokens:
                yield first, {"tokens": tokens, "tags": tags}
            tokens, tags, wrong = [], [], ""
        elif tokens or wrong or not _is_comment(fields, width):
            first, width = first if tokens or wrong else number, len(fields)
            if len(fields) < 2:
                wrong = wrong or f"line {number:,} is {text[:60]!r}: a token and its tag are expected"
            tokens.append(fields[0])
            tags.append(fields[-1].strip())


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


def _chunks(path: Path, name: str) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            while chunk := stream.read(CHUNK_CHARS):
                yield chunk
    except UnicodeDecodeError:
        for _ in decoded_lines(path, name):  # raises with the line and the byte
            pass
        raise
