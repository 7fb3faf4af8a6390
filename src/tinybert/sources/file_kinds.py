"""What a file is that holds no rows, by its first bytes: a workbook, an archive, a page of HTML."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

HEAD_BYTES = 1 << 16
POINTER = b"version https://git-lfs"
POINTER_FIX = "run `git lfs pull` in the folder, or download the file"
AS_CSV = "save it as CSV UTF-8, and give that"
UNPACK = "unpack it, and give what is in it"
PARQUET = "a Parquet file; let its name end in .parquet"
KINDS = {
    b"\xd0\xcf\x11\xe0": f"a file of an old Excel or Word; {AS_CSV}",
    b"\x1f\x8b": f"packed by gzip; {UNPACK}",
    b"\xfd7zXZ": f"packed by xz; {UNPACK}",
    b"BZh91AY": f"packed by bzip2; {UNPACK}",
    b"\x28\xb5\x2f\xfd": f"packed by zstd; {UNPACK}",
    b"7z\xbc\xaf": f"a 7z archive; {UNPACK}",
    b"Rar!\x1a": f"a RAR archive; {UNPACK}",
    b"PAR1": PARQUET,
    b"ARROW1\0\0": "a file of Arrow (Feather); write it with df.to_parquet",
    b"SQLite format 3": "a SQLite database; export the table as CSV: sqlite3 -header -csv FILE 'select …'",
    b"\x89HDF": "an HDF5 file; write it with df.to_parquet",
    b"\x93NUMPY": "an array of numpy; write texts and labels as CSV",
    b"\x80\x04\x95": "a pickle, which may run foreign code; write it with df.to_parquet",
    b"\x80\x05\x95": "a pickle, which may run foreign code; write it with df.to_parquet",
    b"%PDF-": "a PDF; write its texts as CSV",
    b"{\\rtf": f"a file of rich text (RTF); {AS_CSV}",
    POINTER: f"a pointer of Git LFS in place of the file; {POINTER_FIX}",
}
"""How such files begin → what they are, and the fix."""
ZIPS = {
    b"xl/": f"an Excel workbook; {AS_CSV}",
    b"word/": "a Word document; write its texts as CSV",
    b"opendocument.spreadsheet": f"a workbook of LibreOffice (ODS); {AS_CSV}",
    b"opendocument": "a document of LibreOffice; write its texts as CSV",
}
"""What the first members of a ZIP archive are called → what it is."""
PAGE = (
    "a page of HTML, such as a log-in or an error where a download was expected; open the address in a "
    "browser, and download the file itself"
)
HTML = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.{0,500}?-->\s*)?<(!doctype html|html|head)\b", re.S | re.I
)


def kind_of_file(path: Path) -> str:
    """Return what a file is in place of a table, and the fix; nothing where it may be one, or is not read."""
    head = _head(path)
    return PAGE if HTML.match(head) else kind_of_bytes(head)


def is_page(path: Path) -> bool:
    """Return whether a file begins as a page of HTML, which may also be a text."""
    return HTML.match(_head(path)) is not None


def _head(path: Path) -> bytes:
    with suppress(OSError), path.open("rb") as stream:
        return stream.read(HEAD_BYTES)
    return b""


def kind_of_bytes(head: bytes) -> str:
    """Return what a file is that begins so, and the fix; nothing where it may be text, as HTML may be.

    Example:
        >>> kind_of_bytes(b"%PDF-1.7"), kind_of_bytes(b"<html> is the root of a page")
        ('a PDF; write its texts as CSV', '')
    """
    if head.startswith(b"PK\x03\x04"):
        return next((ZIPS[name] for name in ZIPS if name in head), f"a ZIP archive; {UNPACK}")
    return next((what for mark, what in KINDS.items() if head.startswith(mark)), "")
