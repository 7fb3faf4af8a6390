"""What a document of raw text becomes before it is kept, and which documents cannot be repaired."""

from __future__ import annotations

import re
import unicodedata

from tinybert.language import SURROGATE

REPLACEMENT = "\ufffd"
DAMAGED_SHARE = 0.01
MISREAD_SHARE = 0.1

# the control characters that are no white space, and the marks that show nothing
CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ufffe\uffff]")
# the bytes 0x80 … 0xbf, as Latin-1 and as Windows-1252 show them
_TAIL = "[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
LOST = re.compile(f"{REPLACEMENT}|[\ud800-\udfff]|锟斤拷|â€|[ÂÃ]{_TAIL}")
MISREAD = re.compile(f"[Â-ß]{_TAIL}|[à-ï]{_TAIL}{{2}}|ð{_TAIL}{{3}}")


def clean(text: str) -> str:
    r"""Return a document as it is kept: Unicode NFC, no control characters, single spaces.

    Example:
        >>> clean("  Caf\u0065\u0301\x00 au\n lait ")
        'Café au lait'
    """
    folded = " ".join(text.split())
    if folded.isascii() and folded.isprintable():
        return folded
    shown = SURROGATE.sub(REPLACEMENT, CONTROL.sub("", folded))
    return " ".join(unicodedata.normalize("NFC", shown).split())


def is_damaged(text: str) -> bool:
    r"""Return whether a document, as it was read, was decoded wrongly somewhere on its way.

    One character in a hundred is lost (U+FFFD), or is one that only appears where UTF-8 was read as another
    encoding; of those that also occur in sound text, such as ß before a quotation mark, one in ten.

    Example:
        >>> is_damaged("donâ€™t read it"), is_damaged("don’t read it"), is_damaged("ä¸­æ–‡")
        (True, False, True)
    """
    if text.isascii():
        return False
    num_lost = sum(1 for _ in LOST.finditer(text))
    if num_lost > DAMAGED_SHARE * len(text):
        return True
    return sum(1 for _ in MISREAD.finditer(text)) > MISREAD_SHARE * len(text)
