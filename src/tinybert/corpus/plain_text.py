"""Plain text: whether a file is any, and where its documents end."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tinybert.errors import DataError
from tinybert.sources.text_files import decoded_lines

Layout = Literal["line", "blank_line", "file"]

HEAD_BYTES = 1 << 16
MAX_DOCUMENT_CHARS = 10_000_000
MAX_CONTROL_SHARE, MIN_HAN_SHARE, MIN_NUL_SHARE = 0.005, 0.8, 0.3
CONTROL_BYTES = bytes([*range(0x01, 0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20)])


def is_binary(head: bytes) -> bool:
    r"""Return whether the beginning of a file is no text in any encoding; UTF-16 with its mark is text.

    Example:
        >>> is_binary(b"\x89PNG\r\n\x1a\n\x00\x00"), is_binary("naïve".encode("latin-1"))
        (True, False)
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or utf16_kind(head):
        return False
    if b"\x00" in head:
        return True
    return _has_controls(head) and not _is_utf8(head)


def _has_controls(head: bytes) -> bool:
    return len(head) - len(head.translate(None, CONTROL_BYTES)) > MAX_CONTROL_SHARE * len(head)


def utf16_kind(head: bytes) -> str:
    """Return ``UTF-16LE`` or ``UTF-16BE`` for text in it without a mark: every other byte is mostly zero."""
    if _has_controls(head):
        return ""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > MIN_NUL_SHARE * len(head) / 2 and not even:
        return "UTF-16LE"
    return "UTF-16BE" if even > MIN_NUL_SHARE * len(head) / 2 and not odd else ""


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def refuse_utf16(head: bytes, name: str) -> None:
    """Refuse UTF-16 without a mark; with one, reading the first line refuses it.

    Raises:
        DataError: It is UTF-16.
    """
    if kind := utf16_kind(head):
        fix = f"iconv -f {kind} -t UTF-8 {name} > utf8-{Path(name).name}"
        raise DataError(name, f"line 1: the file is UTF-16, not UTF-8; convert it: {fix}")


def plain_documents(path: Path, name: str, layout: Layout) -> Iterator[str]:
    """Yield the documents of a plain text file, as written.

    Raises:
        DataError: The bytes are not UTF-8, or a document is longer than 10,000,000 characters.
    """
    _refuse_endless(path, name, layout)
    lines = _lines(path, name)
    yield from (lines if layout == "line" else _joined(lines, name, layout))


def too_long(num_chars: int, layout: Layout) -> str:
    """Return why a document is refused, and the fix."""
    others = " or ".join(
        f"corpus.documents={each}" for each in ("line", "blank_line", "file") if each != layout
    )
    return (
        f"a document of more than {num_chars:,} characters (at most {MAX_DOCUMENT_CHARS:,}); is "
        f"corpus.documents={layout} where documents end here? Else set {others}"
    )


def _refuse_endless(path: Path, name: str, layout: Layout) -> None:
    """Stop before a document fills the memory."""
    size = path.stat().st_size
    limit = 4 * MAX_DOCUMENT_CHARS  # a character has four bytes at most
    if size <= limit:
        return
    if layout == "file":
        raise DataError(name, too_long(MAX_DOCUMENT_CHARS, layout))
    with path.open("rb") as stream:
        if not any(b"\n" in stream.read(1 << 20) for _ in range(-(-limit // (1 << 20)))):
            raise DataError(name, f"no line ends in its first {limit:,} bytes; end the documents with one")


def _lines(path: Path, name: str) -> Iterator[str]:
    r"""Yield lines; a lone carriage return ends one too."""
    try:
        for line in decoded_lines(path, name):
            if "\r" not in line:
                yield line
            else:
                yield from io.StringIO(line, newline=None)
    except DataError as error:
        hint = _chinese_hint(path)
        raise DataError(error.subject, [f"{problem}{hint}" for problem in error.problems]) from error


def _chinese_hint(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    try:
        text = codecs.getincrementaldecoder("gb18030")().decode(head)
    except UnicodeDecodeError:
        return ""
    foreign = [char for char in text if not char.isascii()]
    common = "".join(foreign).encode("gb2312", "ignore").decode("gb2312")
    if len(common) < max(2, MIN_HAN_SHARE * len(foreign)):
        return ""
    return f"; or, as it looks Chinese: iconv -f GB18030 -t UTF-8 {path.name} > utf8-{path.name}"


def _joined(lines: Iterator[str], name: str, layout: Layout) -> Iterator[str]:
    held: list[str] = []
    num_chars = 0
    for line in lines:
        if layout == "blank_line" and not line.strip():
            if held:
                yield "".join(held)
            held, num_chars = [], 0
            continue
        held.append(line)
        num_chars += len(line)
        if num_chars > MAX_DOCUMENT_CHARS:
            raise DataError(name, too_long(MAX_DOCUMENT_CHARS, layout))
    if held:
        yield "".join(held)
