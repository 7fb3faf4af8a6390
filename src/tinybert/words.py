"""What a word is, by language: Chinese is cut by a segmenter, everything else at its marks and spaces."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Literal

import regex

Language = Literal["en", "zh", "other"]
Span = tuple[int, int]

HAN = regex.compile(r"\p{Han}")
LETTER = regex.compile(r"\p{L}")
WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*|[^\s\p{L}\p{M}\p{N}]")
ENGLISH = frozenset(("the", "of", "and", "to", "in", "a", "is", "that", "it", "was", "for", "with", "on"))
TEXTS_LOOKED_AT = 200
HAN_SHARE, ENGLISH_SHARE = 0.3, 0.1


def detect_language(texts: Iterable[str]) -> Language:
    """Return the language of the first texts: by its script, or by its commonest words.

    Example:
        >>> detect_language(["这家餐厅的菜很好吃"]), detect_language(["The food was good"])
        ('zh', 'en')
    """
    sample = " ".join(islice(texts, TEXTS_LOOKED_AT))
    letters = len(LETTER.findall(sample))
    if len(HAN.findall(sample)) > HAN_SHARE * max(letters, 1):
        return "zh"
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
    """
    if language != "zh":
        return [match.span() for match in WORD.finditer(text)]
    import rjieba

    return [(start, end) for word, start, end in rjieba.tokenize(text) if word.strip()]
