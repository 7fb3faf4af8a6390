"""The words that written texts are compared by."""

from __future__ import annotations

import unicodedata

import regex

WORD = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}]|[[\p{L}\p{M}\p{N}]--[\p{Han}\p{Hiragana}\p{Katakana}]]+",
    regex.VERSION1,
)


def words(text: str) -> list[str]:
    """Return runs of letters and digits in lower case; a Chinese character or kana is a word of its own.

    Equal characters in other Unicode forms are equal (NFC); everything else, such as punctuation, parts
    words and is none.

    Example:
        >>> words("It's 3 cafés.")
        ['it', 's', '3', 'cafés']
        >>> words("我爱NLP，真的！")
        ['我', '爱', 'nlp', '真', '的']
    """
    return WORD.findall(unicodedata.normalize("NFC", text.lower()))
