"""Plain text: whether a file is any, and where its documents end."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tinybert.errors import DataError
from tinybert.sources.encoding import SourceFile, marked, utf16_kind
from tinybert.sources.text_files import sound_lines

Layout = Literal["line", "blank_line", "file"]

MAX_DOCUMENT_CHARS = 10_000_000
MAX_CONTROL_SHARE = 0.005
CONTROL_BYTES = bytes([*range(0x01, 0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20)])


def is_binary(head: bytes) -> bool:
    r"""Return whether the beginning of a file is no text in any encoding.

    Example:
        >>> is_binary(b"\x89PNG\r\n\x1a\n\x00\x00"), is_binary("naïve".encode("latin-1"))
        (True, False)
    """
    if marked(head) or (utf16_kind(head) and not _has_controls(head)):
        return False
    if b"\x00" in head:
        return True
    return _has_controls(head) and not _is_utf8(head)


def _has_controls(head: bytes) -> bool:
    return len(head) - len(head.translate(None, CONTROL_BYTES)) > MAX_CONTROL_SHARE * len(head)


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def plain_documents(file: SourceFile, layout: Layout) -> Iterator[str]:
    """Yield the documents of a plain text file, as written.

    Raises:
        DataError: The encoding cannot be told for sure, or a document is longer than 10,000,000 characters.
    """
    _refuse_endless(file.path, file.name, layout)
    lines = _lines(file)
    yield from (lines if layout == "line" else _joined(lines, file.name, layout))


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


def _lines(file: SourceFile) -> Iterator[str]:
    r"""Yield lines; a lone carriage return ends one too."""
    for line in sound_lines(file):
        if "\r" not in line:
            yield line
        else:
            yield from io.StringIO(line, newline=None)


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
