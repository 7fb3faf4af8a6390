"""What is quoted from files and names, as a message shows it: no control characters, and not without end."""

from __future__ import annotations

import re

MAX_CHARS, MAX_END = 3000, 800
"""The longest line of a message, and how much of its end is kept: the fix stands there."""
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line end, marks that turn the direction of a line, halves of a pair."""


def escaped(text: str) -> str:
    r"""Return a text with each character that a terminal would act on, or nobody sees, as its escape.

    Example:
        >>> escaped("a\x00b\x1b[31m")
        'a\\x00b\\x1b[31m'
    """
    return text if text.isprintable() else UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def legible(text: str) -> str:
    """Return a line of a message escaped, without its middle where it is very long.

    Example:
        >>> legible("x" * 1_000_000)[2195:2230]
        'xxxxx … 997,000 characters … xxxxxx'
    """
    text = escaped(text)
    more = len(text) - MAX_CHARS
    return text if more <= 0 else f"{text[: MAX_CHARS - MAX_END]} … {more:,} characters … {text[-MAX_END:]}"
