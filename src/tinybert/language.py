"""What a word is, by language, and what a sentence is.

Chinese words are cut by a segmenter, all others at their marks and spaces.
"""

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
SENTENCE_END = regex.compile(r"(?<=[.!?])[\"'”’)\]]*\s+|(?<=[。！？；])|\n+")
"""Where a sentence may end: a mark and white space, a Chinese mark, a new line."""
CLOSING = regex.compile(r"[”’」』）》】\"')\]]*")
"""Marks that close what a sentence opened: they belong to it, behind its last mark."""
CLOSING_BEHIND_CHINESE = regex.compile(r"[”’」』）》】]*")
VISIBLE = regex.compile(r"[\p{L}\p{N}]")
ABBREVIATED = regex.compile(
    r"(?:^|[^\p{L}\p{N}])(?:"
    r"(?i:mr|mrs|ms|dr|prof|st|sen|rep|gov|gen|col|lt|sgt|capt|rev|hon|mt|messrs|vs|viz|cf|approx"
    r"|fig|eq|sec|vol|pp|nos|e\.g|i\.e)"
    r"|No|[\p{Lu}--I]|\p{Lu}(?:\.\p{Lu})+"  # No. 5, J. Smith, U.S. Senate
    r")\.$",
    regex.VERSION1,
)
"""A text that ends in an abbreviation, behind which a sentence continues, or an initial."""
LONGEST_ABBREVIATED = 12
ITEM = regex.compile(r"\s*[(\[]?(?:\p{Nd}{1,3}|\p{L})[.)]")
"""The number of an item of a list, which is no sentence of its own."""
CHINESE_END = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}。！？；…”’」』）》】]$")
LOWER = regex.compile(r"[\"'“‘(\[]*\p{Ll}")
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


def sentence_spans(text: str) -> list[Span]:
    """Return where each sentence begins and ends, in characters; white space between them belongs to none.

    A sentence ends at ``.``, ``!`` or ``?`` before white space, at a Chinese 。！？；, and with its line. It
    does not end behind an abbreviation or an initial, nor where the next word begins in lower case; what has
    no letter and no digit is no sentence of its own.

    Example:
        >>> def cut(text):
        ...     return [text[start:end] for start, end in sentence_spans(text)]
        >>> cut('Dr. Li paid 3.50 dollars. "Why?" she asked. He left!')
        ['Dr. Li paid 3.50 dollars.', '"Why?" she asked.', 'He left!']
        >>> cut("他问：“你好吗？”我说好。真的！！")
        ['他问：“你好吗？”', '我说好。', '真的！！']
    """
    spans: list[Span] = []
    begin = looked = 0
    is_visible = False
    for end, behind in [*_ends(text), (len(text), len(text))]:
        is_visible = is_visible or VISIBLE.search(text, looked, end) is not None
        looked = behind
        if is_visible and (behind == len(text) or not _continues(text, begin, end, behind)):
            spans.append((begin, end))
            begin, is_visible = behind, False
        elif not is_visible and spans and "\n" not in text[spans[-1][1] : begin]:
            spans[-1] = (spans[-1][0], end)
            begin = behind
        elif not is_visible and "\n" in text[end:behind]:
            begin = behind
    stripped = [_stripped(text, start, end) for start, end in spans or [(0, len(text))]]
    return [(start, end) for start, end in stripped if start < end]


def _ends(text: str) -> list[Span]:
    """Return where sentences may end, and where the next may begin."""
    found: list[Span] = []
    for match in SENTENCE_END.finditer(text):
        closing = CLOSING if match.end() > match.start() else CLOSING_BEHIND_CHINESE
        closed = closing.match(text, match.start())
        end = closed.end() if closed else match.start()
        found.append((end, max(end, match.end())))
    return found


def _continues(text: str, begin: int, end: int, behind: int) -> bool:
    """Return whether what ends in a mark before white space is not yet the whole sentence."""
    if end == behind or "\n" in text[end:behind]:
        return False
    return bool(
        ABBREVIATED.search(text[max(begin, end - LONGEST_ABBREVIATED) : end])
        or ITEM.fullmatch(text, begin, end)
        or LOWER.match(text, behind)
    )


def _stripped(text: str, start: int, end: int) -> Span:
    """Return a stretch without the white space at its ends."""
    inside = text[start:end]
    return start + len(inside) - len(inside.lstrip()), start + len(inside.rstrip())


def join_sentences(sentences: Iterable[str]) -> str:
    """Return sentences as one text, with a space between them; behind Chinese there is none.

    Example:
        >>> join_sentences(["It rained.", "We left."]), join_sentences(["下雨了。", "我们走了。"])
        ('It rained. We left.', '下雨了。我们走了。')
    """
    joined = ""
    for sentence in sentences:
        joined += sentence if not joined or CHINESE_END.search(joined) else f" {sentence}"
    return joined


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
