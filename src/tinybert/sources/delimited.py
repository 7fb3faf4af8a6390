"""CSV and TSV, read row by row, with the line of every fault."""

from __future__ import annotations

import csv
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING

from tinybert.errors import DataError
from tinybert.sources.encoding import SourceFile, printable
from tinybert.sources.text_files import MAX_RAW_CHARS, Fault, RawRow

if TYPE_CHECKING:
    from _csv import Reader

MAX_FIELD_CHARS = 10_000_000
SAMPLE_CHARS = 1 << 20
LINES_PEEKED = 1000
TAB, PIPE = "\t", "|"
DELIMITERS = (",", ";", TAB, PIPE)
EXCEL_DELIMITER = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)
QUOTE, APOSTROPHE = '"', "'"
ESCAPED_QUOTE = '\\"'
TAB_FIELD = re.compile(r'(?:"((?:[^"]|"")*+)"|([^"\t\r\n]*+))(?:[\t\r\n]|\Z)')
NEEDS_QUOTES = re.compile(r'["\t\r\n]|\A\Z')
RULE = re.compile(":?-{3,}:?")
"""A column in the line below the header of a table in Markdown."""
UNSEEN = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"
"""Byte-order marks and zero-width characters around the names in a header."""


def read_csv(file: SourceFile) -> tuple[list[str], Iterator[RawRow | Fault]]:
    """Open a CSV file; the header says what parts the fields, or a first line as Excel reads it: ``sep=;``.

    Where all names in the header are in apostrophes, these are the quotes of the file.

    Raises:
        DataError: There is no usable header, or the encoding cannot be told for sure.
    """
    lines = file.lines()
    head, before = _first_filled(lines)
    if said := EXCEL_DELIMITER.fullmatch(head):
        head, skipped = _first_filled(lines)
        before += 1 + skipped
    most = max(DELIMITERS, key=head.count)
    delimiter = said[1] if said else most
    if delimiter not in head and most in head:
        raise DataError(
            file.name,
            f"its first line is sep={delimiter}, but the names in the header are parted by {most!r}; "
            f"write sep={most}",
        )
    quote = APOSTROPHE if _all_in(APOSTROPHE, head.strip().split(delimiter)) else QUOTE
    return _open_csv_lines(chain([head] if head else [], lines), delimiter, quote, before=before, file=file)


def _name(field: str) -> str:
    """Return the name of a column without what is around it and nobody sees."""
    return field.strip(UNSEEN + string.whitespace)


def _first_filled(lines: Iterator[str]) -> tuple[str, int]:
    """Return the first line that is not blank, without marks before it, and how many lines are before it."""
    for number, line in enumerate(lines):
        head = line.lstrip(UNSEEN)
        if head.strip():
            return head, number
    return "", 0


def _open_csv_lines(
    lines: Iterator[str], delimiter: str, quote: str, *, before: int, file: SourceFile, is_tsv: bool = False
) -> tuple[list[str], Iterator[RawRow | Fault]]:
    """Read the header of lines as a CSV writer writes them; ``before`` is how many lines are before it."""
    # a person's long text is no mistake: the module's own limit is 128 KB
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD_CHARS))
    read_lately: list[str] = []
    first = list(islice(_up_to(lines, SAMPLE_CHARS), LINES_PEEKED))
    lines = _remembered(chain(first, lines), read_lately)
    skips = _has_spaces(first, delimiter, quote)
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True, skipinitialspace=skips)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise DataError(file.name, f"line {1 + before}: the header cannot be read: {error}") from error
    header = [_name(field) for field in header]
    _check_header(header, file, number=1 + before)
    _check_widths(header, csv.reader(first[1:], delimiter=delimiter, quotechar=quote), delimiter, file)
    whole = (line for line in first[1:] if line.count(quote) % 2 == 0)  # others may be parts of a text
    recurring = None if is_tsv else _recurring([_split(line, reader) for line in whole], len(header))
    rows = _csv_rows(reader, read_lately, header, before, file, recurring)
    return header, rows if quote == APOSTROPHE else _not_in_apostrophes(rows)


def _csv_rows(
    reader: Reader,
    read_lately: list[str],
    header: list[str],
    before: int,
    file: SourceFile,
    recurring: Sequence[set[str]] | None,
) -> Iterator[RawRow | Fault]:
    width, delimiter, quote = len(header), reader.dialect.delimiter, str(reader.dialect.quotechar)
    of_lines = 0
    while True:
        number = reader.line_num + 1 + before
        read_lately.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raw = [printable(line) for line in read_lately]
            yield _csv_fault(number, str(error), raw, quote, of_lines=of_lines)
            continue
        lines = "".join(read_lately)
        if fields and (why := file.broken(lines)):
            yield Fault(number, why, {"": [printable(field) for field in fields]})
        elif ESCAPED_QUOTE in lines and _has_escape(fields, lines):
            yield Fault(number, f"a quote is escaped by a backslash; double it: {QUOTE * 2}", {"": fields})
        elif quote in lines and (field := _behind_space(fields, lines, reader)):
            fix = "remove it, or put a text that holds both in quotes"
            yield Fault(
                number, f"a space between {delimiter!r} and a quote ({field!r:.40}); {fix}", {"": fields}
            )
        elif len(read_lately) > 1 and (rows := _rows_in(read_lately, reader, width, recurring)):
            fix = "save it as CSV" if recurring is None else f"double each {quote} that belongs to a text"
            why = f"one row with a line break in quotes, or {rows:,} rows? {fix}"
            yield Fault(number, why, {"": fields})
        elif why := _no_row(fields, header, delimiter):
            yield Fault(number, why, {"": fields})
        elif len(fields) != width:
            if fields:
                yield Fault(number, _ragged(len(fields), width, delimiter), {"": fields})
        else:
            of_lines = of_lines or (number if len(read_lately) > 1 else 0)
            yield number, dict(zip(header, fields, strict=True))


def _no_row(fields: Sequence[str], header: Sequence[str], delimiter: str) -> str:
    """Say what a line is that is none of the rows: the header again, or the rule of a table in Markdown."""
    names = [_name(field) for field in fields]
    if names == header and len(names) > 1:
        return "the header again, as where two files were joined; delete the line"
    filled = [name for name in names if name]
    if delimiter == PIPE and len(filled) > 1 and all(map(RULE.fullmatch, filled)):
        return "the line below the header of a table in Markdown; save the table as CSV"
    return ""


def _has_spaces(first: Sequence[str], delimiter: str, quote: str) -> bool:
    """Return whether fields are parted by a delimiter and a space (``text, "label"``), as the header shows.

    Where its names are not in quotes, each is behind a space, and a field of the first rows is in quotes.
    """
    head, before_quote = "".join(first[:1]), _spaced(delimiter, quote)
    if before_quote.search(head):
        return True
    every = delimiter in head and head.count(delimiter) == head.count(f"{delimiter} ")
    return every and any(before_quote.search(line) for line in first)


@cache
def _spaced(delimiter: str, quote: str) -> re.Pattern[str]:
    return re.compile(f"{re.escape(delimiter)} +{quote}" if delimiter != " " else "(?!)")


def _behind_space(fields: Sequence[str], lines: str, reader: Reader) -> str:
    """Return a field that begins with a space and a quote, both of which would be read as its text.

    In a field that is in quotes as a whole they are its text: there the quotes are doubled.
    """
    dialect = reader.dialect
    quote = str(dialect.quotechar)
    if dialect.skipinitialspace or not _spaced(dialect.delimiter, quote).search(lines):
        return ""
    behind = (each for each in fields if each[:1] == " " and each.lstrip(" ").startswith(quote))
    return next((each for each in behind if f"{dialect.delimiter}{each}" in lines), "")


def _split(line: str, reader: Reader) -> list[str]:
    """Split a line at every delimiter, whatever is in quotes; a quote at an end of a field is taken away."""
    quote = str(reader.dialect.quotechar)
    fields = line.rstrip("\r\n").split(reader.dialect.delimiter)
    return [field.strip().strip(quote) for field in fields]


def _recurring(rows: Iterable[Sequence[str]], width: int) -> list[set[str]]:
    """Return the values of each column that recur, such as labels; none of a column of mostly other ones."""
    columns = zip(*(row for row in rows if len(row) == width), strict=True)
    counts = [Counter(filter(None, column)) for column in columns]
    return [
        {value for value, times in count.items() if times > 1} if 2 * len(count) <= count.total() else set()
        for count in counts
    ]


def _rows_in(lines: Sequence[str], reader: Reader, width: int, recurring: Sequence[set[str]] | None) -> int:
    """Return how many rows the lines of one record may be, which two stray quotes have merged; 0: one row.

    Each line has all fields, and in CSV, where texts of several lines are usual, a column has on each of them
    a value that recurs in the file.
    """
    rows = [_split(line, reader) for line in lines if line.strip()]
    if any(len(row) != width for row in rows):
        return 0
    if recurring is None:
        return len(rows)
    columns = zip(zip(*rows, strict=True), recurring, strict=False)
    return len(rows) if width > 1 and any(values.issuperset(column) for column, values in columns) else 0


def _has_escape(fields: Sequence[str], lines: str) -> bool:
    r"""Return whether ``\"`` is in a field that is not in quotes, where a writer of CSV would double it."""
    return ESCAPED_QUOTE + QUOTE not in lines and any(ESCAPED_QUOTE in field for field in fields)


def _not_in_apostrophes(rows: Iterator[RawRow | Fault]) -> Iterator[RawRow | Fault]:
    """Refuse a file in which every field with an apostrophe is in apostrophes, and has it doubled.

    A writer of CSV writes so where it takes them for quotes. Marks of Wikipedia ('''bold''') prove nothing.
    """
    doubled, is_possible = 0, True
    for row in rows:
        yield row
        if not is_possible or isinstance(row, Fault):
            continue
        fields = [value for value in row[1].values() if isinstance(value, str) and APOSTROPHE in value]
        is_possible = all(_all_in(APOSTROPHE, [field]) for field in fields) and all(
            _is_doubled(field[1:-1], APOSTROPHE) for field in fields
        )
        if any(APOSTROPHE in field.strip(APOSTROPHE) for field in fields):
            doubled = doubled or row[0]
    if doubled and is_possible:
        why = f"the fields are quoted by {APOSTROPHE}, which is doubled in them; write the file with {QUOTE}"
        yield Fault(doubled, why, {}, is_fatal=True)


def _all_in(quote: str, fields: Iterable[str]) -> bool:
    return all(len(field) > 1 and field[0] == field[-1] == quote for field in fields)


def _is_doubled(inner: str, quote: str) -> bool:
    """Return whether a text between quotes holds some, each of them doubled."""
    return quote in inner and quote not in inner.replace(quote * 2, "")


def _remembered(lines: Iterator[str], memory: list[str]) -> Iterator[str]:
    for line in lines:
        memory.append(line)
        yield line


def _csv_fault(number: int, message: str, lines: list[str], quote: str, *, of_lines: int) -> Fault:
    """Name the fault; ``of_lines`` is the first row of several lines before it, which may be merged rows."""
    raw = {"": "".join(lines)[:MAX_RAW_CHARS]}
    if "unexpected end" in message or "field larger" in message:
        swallowed = f" and swallows the {len(lines) - 1:,} lines after it" if len(lines) > 1 else ""
        why = f"a quote ({quote}) opens here and never closes{swallowed}; "
        why += f"double each {quote} that belongs to the text"
        if of_lines:
            why += f"; an earlier {quote} may have merged rows into one at line {of_lines:,}"
        return Fault(number, why, raw, is_fatal=len(lines) > 1 or of_lines > 0)
    if "new-line character" in message:
        return Fault(number, "a lone carriage return in the text; put the text in quotes", raw)
    until = f" (until line {number + len(lines) - 1:,})" if len(lines) > 1 else ""
    return Fault(number, f"{message}{until}; put the text in quotes and double each {quote} inside", raw)


def _ragged(found: int, expected: int, delimiter: str) -> str:
    mark = {"\t": "a tab"}.get(delimiter, repr(delimiter))
    fix = f"quote a text that holds {mark}" if found > expected else f"part the fields with {mark}"
    return f"{_fields(found)} where the header has {expected}; {fix}"


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"


def read_tsv(file: SourceFile) -> tuple[list[str], Iterator[RawRow | Fault]]:
    r"""Open a TSV file: one row a line, and a quote is an ordinary character.

    A file that a spreadsheet or pandas wrote is recognised by what is quoted in it, and read as CSV. In
    others a field is unquoted where it is in quotes and every quote inside is doubled
    (``"a ""fine"" film"``), or where the whole header is quoted. A file whose header has no tab but another
    delimiter, or that begins with ``sep=;``, is read as CSV too.

    Raises:
        DataError: There is no usable header, or the encoding cannot be told for sure.
    """
    lines = file.lines()
    head, before = _first_filled(lines)
    if EXCEL_DELIMITER.fullmatch(head) or ("\t" not in head and any(mark in head for mark in DELIMITERS)):
        return read_csv(file)
    first = list(_up_to(chain([head], lines), SAMPLE_CHARS))
    header = head.rstrip("\r\n").split("\t")
    in_apostrophes, all_quoted = _all_in(APOSTROPHE, header), _all_in(QUOTE, header)
    if in_apostrophes or _is_written_as_csv("".join(first), all_quoted=all_quoted):
        quote = APOSTROPHE if in_apostrophes else QUOTE
        return _open_csv_lines(chain(first, lines), "\t", quote, before=before, file=file, is_tsv=True)
    header = [_name(field[1:-1] if all_quoted else field) for field in header]
    _check_header(header, file, number=1 + before)
    _check_widths(header, (line.rstrip("\r\n").split(TAB) for line in first[1:]), TAB, file)
    rows = _tsv_rows(chain(first[1:], lines), header, file, before=before, all_quoted=all_quoted)
    return header, _not_in_apostrophes(rows)


def _up_to(lines: Iterator[str], num_chars: int) -> Iterator[str]:
    """Yield the first lines, until they hold so many characters."""
    while num_chars > 0 and (line := next(lines, "")):
        num_chars -= len(line)
        yield line


def _is_written_as_csv(sample: str, *, all_quoted: bool) -> bool:
    """Return whether a spreadsheet or pandas wrote these lines of fields parted by tabs.

    They quote a field that holds a quote, a tab or a line break (a spreadsheet also one with a comma), and no
    other, unless they quote the header too.
    """
    if QUOTE not in sample:
        return False
    is_minimal = for_commas = True
    offset = 0
    while offset < len(sample):
        field = TAB_FIELD.match(sample, offset)
        if field is None:
            return False
        quoted, bare = field.groups()
        if quoted is not None and not NEEDS_QUOTES.search(quoted):
            is_minimal = False
            for_commas = for_commas and "," in quoted
        elif bare and "," in bare:
            for_commas = False
        offset = field.end()
    return is_minimal or for_commas or all_quoted


def _tsv_rows(
    lines: Iterator[str], header: list[str], file: SourceFile, *, before: int, all_quoted: bool
) -> Iterator[RawRow | Fault]:
    for number, line in enumerate(lines, start=2 + before):
        text = line.rstrip("\r\n")
        fields = text.split("\t")
        if not text.strip():
            continue
        if why := file.broken(text):
            yield Fault(number, why, {"": [printable(field) for field in fields]})
            continue
        if len(fields) != len(header):
            why = f"{_fields(len(fields))} where the header has {len(header)}; a text in a TSV file holds "
            yield Fault(number, why + "no tabs and no line breaks: save it as CSV", {"": fields})
            continue
        if '"' in text:
            fields = [_unquote(field, all_quoted=all_quoted) for field in fields]
        if why := _no_row(fields, header, TAB):
            yield Fault(number, why, {"": fields})
            continue
        yield number, dict(zip(header, fields, strict=True))


def _unquote(field: str, *, all_quoted: bool) -> str:
    if not _all_in(QUOTE, [field]):
        return field
    inner = field[1:-1]
    return inner.replace(QUOTE * 2, QUOTE) if all_quoted or _is_doubled(inner, QUOTE) else field


def _check_widths(
    header: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str, file: SourceFile
) -> None:
    """Refuse a table all of whose first rows, two at least, have one field more than the header."""
    try:
        filled = [row for row in rows if any(row)]
    except csv.Error:  # said with the row that it is of
        return
    width, mark = len(header), {TAB: "a tab"}.get(delimiter, repr(delimiter))
    if len(filled) < 2 or width < 2 or any(len(row) != width + 1 for row in filled):
        return
    if not any(row[-1] for row in filled):
        why = f"every row ends in {mark}, and the header does not; end it so too, or remove them"
    else:
        why = (
            f"the header has {width} names, and every row {width + 1} fields: the header lacks a name, such "
            f"as id at its beginning (or every row has a text with {mark} in it that is not in quotes)"
        )
    raise DataError(file.name, why)


def _check_header(header: list[str], file: SourceFile, *, number: int = 1) -> None:
    if why := file.broken("".join(header)):
        raise DataError(file.name, f"line {number}: the header: {why}")
    if not any(column.strip() for column in header):
        raise DataError(file.name, "the file is empty; expected a header line such as text,label")
    twice = sorted(column for column, times in Counter(header).items() if column and times > 1)
    if twice:
        why = f"line {number}: column {twice[0]!r} is there twice; give each its own name"
        raise DataError(file.name, why)
