"""In which encoding a file of text is: UTF-8, what its mark says, or what is recognised for sure."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tinybert.advice import setting
from tinybert.console import say
from tinybert.errors import DataError
from tinybert.lookup import AUTO
from tinybert.sources.file_kinds import HEAD_BYTES, kind_of_bytes

SAMPLE_BYTES = 1 << 20
MAX_SHARE_BROKEN = 0.02
"""An English file with so few broken bytes a line is UTF-8 with broken bytes, not in another encoding."""
MIN_CHARACTERS = 30
"""Of two short texts, one in EUC-JP and one in EUC-KR, no one can say which is which."""
MIN_NUL_SHARE = 0.3
MAX_PLANE = 0x10
"""The third byte of a character in UTF-32 is never larger, and the fourth is zero."""
MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
EAST_ASIAN = {
    "gb18030": ("gb2312", ((0xA1, 0xA3), (0xB0, 0xD7))),
    "big5hkscs": ("big5", ((0xA1, 0xC6),)),
    "cp932": ("euc_jp", ((0xA1, 0xA5), (0xB0, 0xCF))),
    "euc_jp": ("euc_jp", ((0xA1, 0xA5), (0xB0, 0xCF))),
    "cp949": ("euc_kr", ((0xA1, 0xA3), (0xB0, 0xC8))),
}
"""Encoding → the older one that holds its frequent characters, and their first bytes there."""
MIN_FREQUENT, MIN_LEAD = 0.9, 0.05
ONE_BYTE = ("cp1252", "cp1251", "cp1250", "koi8_r", "cp1256", "cp874")
KNOWN_AS = {
    "gb18030": "GB18030 (GBK)",
    "big5hkscs": "Big5",
    "cp932": "Shift-JIS",
    "euc_jp": "EUC-JP",
    "cp949": "EUC-KR",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "utf-32-le": "UTF-32",
    "utf-32-be": "UTF-32",
}
OF_HOST_NAMES = ("idna", "punycode")
"""Encodings of which Python reads a whole text only, never a file."""
LINE_END = re.compile("\r\n?|\n")
ESCAPED = re.compile("[\udc80-\udcff]")
"""What stands in a text for a byte that its encoding does not know."""


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Keep broken bytes as lone surrogates, in every encoding; Python's own way fails with UTF-16."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    broken = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + max(byte, 0x80)) for byte in broken), error.end


codecs.register_error("tinybert.escape", _escape)


@dataclass(frozen=True)
class SourceFile:
    """A file of text.

    Attributes:
        path: Where it is.
        name: As the user knows it.
        encoding: Of its text, a name that Python knows; ``auto``: found out.
        setting: What sets the encoding, for the advice: ``data.encoding``; none: nothing.
    """

    path: Path
    name: str
    encoding: str = AUTO
    setting: str = ""

    @cached_property
    def codec(self) -> str:
        """The encoding, decided.

        Raises:
            DataError: It cannot be told for sure, or the file is no text.
        """
        if self.encoding != AUTO:
            return self._given()
        with self.path.open("rb") as stream:
            sample = stream.read(SAMPLE_BYTES)
        if kind := kind_of_bytes(sample):
            raise DataError(self.name, f"not text, but {kind}")
        codec = marked(sample) or utf16_kind(sample[:HEAD_BYTES])
        if codec:
            return codec
        if len(sample) == SAMPLE_BYTES:
            sample = sample[: max(sample.rfind(b"\n"), sample.rfind(b"\r")) + 1] or sample
        if _is_mostly_utf8(sample):
            return "utf-8-sig"
        codec = _recognised(sample)
        if not codec:
            raise DataError(self.name, self._advice(sample))
        other = f"; {setting(self.setting, 'NAME')} sets another" if self.setting else ""
        say(f"{self.name}: not UTF-8, read as {KNOWN_AS[codec]}{other}")
        return codec

    def _given(self) -> str:
        try:
            name = codecs.lookup(self.encoding).name
            "".encode(self.encoding)
            if name in OF_HOST_NAMES:
                raise LookupError(name)
        except (LookupError, ValueError) as error:  # the last: a null byte in the name
            allowed = "auto, utf-8, gb18030, big5, shift_jis, utf-16, cp1252 and others that Python knows"
            raise DataError(
                self.name, f"{setting(self.setting, self.encoding)}: no encoding of text; allowed: {allowed}"
            ) from error
        if name[:6] in ("utf-16", "utf-32"):
            return self._in_order(name)
        return "utf-8-sig" if name == "utf-8" else self.encoding

    def _in_order(self, name: str) -> str:
        """Return UTF-16 or UTF-32 with the order of its bytes, where the file does not begin with a mark."""
        family = name[:6]
        with self.path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        if marked(head) == family:
            return family
        if name != family:
            return name
        if found := utf16_kind(head) if family == "utf-16" else utf32_kind(head):
            return found
        if not head:
            return "utf-8-sig"
        which = " or ".join(setting(self.setting, f"{family}-{order}") for order in ("le", "be"))
        raise DataError(
            self.name,
            f"the file does not begin with the mark of {KNOWN_AS[family]}, and the order of its bytes cannot "
            f"be told for sure; give {which}, or leave the encoding to be found out",
        )

    @property
    def title(self) -> str:
        """The encoding's usual name."""
        return "UTF-8" if self.codec == "utf-8-sig" else KNOWN_AS.get(self.codec, self.codec)

    @cached_property
    def line_end(self) -> str:
        """A line feed, or a carriage return where such lone ones end the first line and most others."""
        with self.path.open(encoding=self.codec, errors="tinybert.escape", newline="") as stream:
            head = stream.read(HEAD_BYTES)
        ends = LINE_END.findall(head)
        return "\r" if ends[:1] == ["\r"] and ends.count("\r") > len(ends) / 2 else "\n"

    def lines(self) -> Iterator[str]:
        """Yield the lines, line ends kept; a byte that is not of the encoding is a lone surrogate."""
        with self.path.open(encoding=self.codec, errors="tinybert.escape", newline=self.line_end) as stream:
            yield from stream

    def chunks(self, num_chars: int) -> Iterator[str]:
        """Yield the text in pieces, as :meth:`lines` does."""
        with self.path.open(encoding=self.codec, errors="tinybert.escape") as stream:
            while chunk := stream.read(num_chars):
                yield chunk

    def broken(self, text: str) -> str:
        """Return what is wrong where a text holds a byte that is not of the encoding; else nothing."""
        if text.isascii() or not (found := ESCAPED.search(text)):
            return ""
        byte = ord(found[0]) - 0xDC00
        fix = "; save the file as UTF-8" + (
            f", or give its encoding by {setting(self.setting, 'NAME')}" if self.setting else ""
        )
        return f"character {found.start() + 1:,} (byte 0x{byte:02x}) is not {self.title}{fix}"

    def _advice(self, sample: bytes) -> str:
        """Return how the file would read in what it may be, and what to do."""
        number, line = _first_undecodable(sample)
        readings = []
        for codec in (*EAST_ASIAN, *ONE_BYTE):
            try:
                reading = line.decode(codec).strip()
            except UnicodeDecodeError:
                continue
            if reading.isprintable():
                readings.append(f"{codec}: {_around_foreign(reading)!r}")
        fix = f"iconv -f NAME -t UTF-8 {self.path.name} > utf8-{self.path.name}"
        return (
            f"line {number:,}: the file is not UTF-8, and its encoding cannot be told for sure; "
            + (f"the line may read {'; '.join(readings[:5])}; " if readings else "")
            + (
                f"give the right one by {setting(self.setting, 'NAME')}, or convert the file: {fix}"
                if self.setting
                else fix
            )
        )


def printable(text: str) -> str:
    """Return a text as it can be printed and written: what stands for broken bytes becomes U+FFFD."""
    return ESCAPED.sub("\N{REPLACEMENT CHARACTER}", text)


def marked(head: bytes) -> str:
    """Return the encoding that a byte-order mark names, UTF-8 apart; or nothing."""
    return next((codec for mark, codec in MARKS if head.startswith(mark)), "")


def utf16_kind(head: bytes) -> str:
    """Return the UTF-16 that a text without a mark is in: every other byte is mostly zero; or nothing."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > MIN_NUL_SHARE * len(head) / 2 and not even:
        return "utf-16-le"
    return "utf-16-be" if even > MIN_NUL_SHARE * len(head) / 2 and not odd else ""


def utf32_kind(head: bytes) -> str:
    """Return the UTF-32 that a text without a mark is in: one byte of four is zero; or nothing."""
    if len(head) < 4 or len(head) % 4:
        return ""
    if not any(head[3::4]) and max(head[2::4]) <= MAX_PLANE and any(head[0::4]):
        return "utf-32-le"
    return "utf-32-be" if not any(head[0::4]) and max(head[1::4]) <= MAX_PLANE and any(head[3::4]) else ""


def _is_mostly_utf8(sample: bytes) -> bool:
    """Return whether a text is UTF-8, but perhaps for some bytes; their rows are then reported."""
    if sample.isascii():
        return True
    text = sample.decode("utf-8", "replace")
    broken = text.count("\N{REPLACEMENT CHARACTER}")
    sound = sum(not char.isascii() for char in text) - broken
    return sound >= broken or broken <= max(1, MAX_SHARE_BROKEN * text.count("\n"))


def _first_undecodable(sample: bytes) -> tuple[int, bytes]:
    for number, line in enumerate(sample.splitlines(), start=1):
        try:
            line.decode("utf-8-sig")
        except UnicodeDecodeError:
            return number, line
    raise AssertionError("all lines are UTF-8")


def _recognised(sample: bytes) -> str:
    """Return the East Asian encoding that a text is surely in, or nothing.

    In the right one nearly all characters are frequent ones, and in no other nearly as many. A general
    library, charset-normalizer, was tried first: it takes short texts in Shift-JIS for Korean.
    """
    shares = {codec: _share_of_frequent(sample, codec) for codec in EAST_ASIAN}
    second, best = sorted(shares.values())[-2:]
    if best < MIN_FREQUENT:
        return ""
    if shares["cp949"] == best:  # its frequent bytes are frequent in the others too, but not the reverse
        return "cp949"
    return max(shares, key=lambda codec: shares[codec]) if best - second >= MIN_LEAD else ""


def _share_of_frequent(sample: bytes, codec: str) -> float:
    """Return the share of frequent characters among those beyond ASCII; 0 where these are too few."""
    inner, ranges = EAST_ASIAN[codec]
    foreign = [char for char in sample.decode(codec, "replace") if not char.isascii()]
    firsts = [char.encode(inner, "ignore")[:1] for char in foreign]
    frequent = sum(bool(first) and any(a <= first[0] <= b for a, b in ranges) for first in firsts)
    return frequent / len(foreign) if len(foreign) >= MIN_CHARACTERS else 0.0


def _around_foreign(text: str, *, width: int = 24) -> str:
    """Return a piece of a text with its first character beyond ASCII in the middle."""
    place = next((i for i, char in enumerate(text) if not char.isascii()), 0)
    return text[max(0, place - width // 2) : place + width // 2]
