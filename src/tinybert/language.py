"""What a word is, by language: Chinese is cut by a segmenter, everything else at its marks and spaces."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Literal

import regex

Language = Literal["en", "zh", "other"]
Span = tuple[int, int]

HAN = regex.compile(r"\p{Han}")
KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
NOT_HAN = regex.compile(r"[[\p{L}\p{M}\p{N}]--\p{Han}]+", regex.VERSION1)
LETTER = regex.compile(r"\p{L}")
WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*|[^\s\p{L}\p{M}\p{N}]")
IN_WORD = regex.compile(
    r"[[\p{L}\p{M}\p{N}]--[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]",
    regex.VERSION1,
)
"""Letters of words that spaces part; not of scripts without spaces, nor of Korean, whose particles join."""
ENGLISH = frozenset(("the", "of", "and", "to", "in", "a", "is", "that", "it", "was", "for", "with", "on"))
SURROGATE = regex.compile("[\ud800-\udfff]")
"""Half of a pair, which is no character: what JSON's escapes and bytes that are not UTF-8 leave in a text."""
TEXTS_LOOKED_AT = 200
HAN_SHARE, KANA_SHARE, ENGLISH_SHARE = 0.3, 0.05, 0.1


def folded(text: str) -> str:
    """Return a text without what does not make it another: case, and how much white space."""
    return " ".join(text.casefold().split())


def detect_language(texts: Iterable[str]) -> Language:
    """Return the language of the first texts: by its script, or by its commonest words.

    Japanese is written in Chinese characters and kana, and is none of ours.

    Example:
        >>> [detect_language([text]) for text in ("这家餐厅的菜很好吃", "It was good", "料理は美味しい")]
        ['zh', 'en', 'other']
    """
    sample = " ".join(islice(texts, TEXTS_LOOKED_AT))
    letters = max(len(LETTER.findall(sample)), 1)
    if len(HAN.findall(sample)) > HAN_SHARE * letters:
        return "other" if len(KANA.findall(sample)) > KANA_SHARE * letters else "zh"
    words = [word.lower() for word in WORD.findall(sample)]
    known = sum(word in ENGLISH for word in words)
    return "en" if known > ENGLISH_SHARE * max(len(words), 1) else "other"


def word_spans(text: str, language: Language) -> list[Span]:
    """Return where each word and each mark begins and ends, in characters; spaces belong to none.

    Example:
        >>> word_spans("It's fine.", "en")
        [(0, 4), (5, 9), (9, 10)]
        >>> [("我在北京大学")[start:end] for start, end in word_spans("我在北京大学", "zh")]
        ['我', '在', '北京大学']
        >>> [("莫斯科Москва很大")[start:end] for start, end in word_spans("莫斯科Москва很大", "zh")]
        ['莫斯科', 'Москва', '很大']
    """
    if language != "zh":
        return [match.span() for match in WORD.finditer(text)]
    import rjieba

    return _rejoined((word, start, end) for word, start, end in rjieba.tokenize(text) if word.strip())


def cuts_word(text: str, place: int) -> bool:
    """Return whether a place in a text is amid a word; in scripts without spaces no place is.

    Example:
        >>> [cuts_word("in Rome", place) for place in (2, 4, 7)], cuts_word("北京大学", 1)
        ([False, True, False], False)
    """
    if not 0 < place < len(text):
        return False
    return IN_WORD.match(text[place - 1]) is not None and IN_WORD.match(text[place]) is not None


def _rejoined(cut: Iterable[tuple[str, int, int]]) -> list[Span]:
    """Join letters of other scripts again, which a Chinese segmenter takes apart one by one."""
    spans: list[Span] = []
    goes_on = False
    for word, start, end in cut:
        is_other = NOT_HAN.fullmatch(word) is not None
        if is_other and goes_on and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
        goes_on = is_other
    return spans
