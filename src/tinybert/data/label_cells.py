"""Several labels in one cell: a list, a list written as text, or names with a separator between them."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import cast

from tinybert.data.labels import kind_of, label_name, tidy

SEPARATORS = {
    "|": re.compile("[|｜]"),
    ";": re.compile(r"(?<!&amp|&#39)(?<!&quot|&nbsp)(?<!&lt|&gt)[;；]"),  # not in R&amp;B
    ",": re.compile("[,，、]"),
    "/": re.compile("[/／]"),
    " ": re.compile(r"\s+(?:(?:[-&+~]|(?i:and|und)|和|与|及)\s+)?"),  # joy and fear
}
"""What separates names, and how it is written; Chinese cells have the marks of full width."""
BETWEEN = (
    *(("+", "+＋"), ("&", "&＆"), ("~", "~～"), ("-", "\\-–—"), (":", ":："), ("・", "・·•")),
    *(("#", "#"), ("^", "\\^")),
)
OTHER_MARKS = {
    mark: re.compile(rf"(?<=[^{marks}\s])\s*[{marks}]\s*(?=[^{marks}\s])") for mark, marks in BETWEEN
} | {"\\n": re.compile(r"\\[nrt]"), "and": re.compile(r"(?i)\s+(?:and|und)\s+|(?<=\w)[和与及](?=\w)")}
"""What people write between names too; nothing is split there, as names hold such marks."""
SURE = ("|", ";", ",")
"""Those that separate wherever they occur; a name may well hold one of the others."""
ANY_MARK = re.compile(r"[|｜;；,，、/／\s]+")
FLAGS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}
"""What says that a label applies, or not, in lower case."""
DIGITS = re.compile("[01]{3,}")
MIN_CELLS = 5
RARE = 10
"""A sure separator in fewer cells than one in so many of those with another mark may be a slip."""
ITEM = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?[0-9]+\.?[0-9]*"""
TUPLE = rf"\(\s*(?:{ITEM})\s*,\s*(?:(?:{ITEM})\s*(?:,\s*|(?=\))))*\)"
SET = rf"\{{\s*(?:(?:{ITEM})\s*(?:,\s*|(?=\}})))+\}}"
TUPLE_OR_SET = re.compile(rf"{TUPLE}|{SET}|\(\)|(?:frozen)?set\(\)")
LIST = re.compile(rf"\[\s*(?:(?:{ITEM})(?:\s*,\s*|\s+|(?=\])))*\]")
CALL = re.compile(r"[A-Za-z_.]+\(\s*(\[.*\]|\{.*\}|\(.*\))\s*(?:,\s*\w+=.+)?\)", re.DOTALL)
"""A list as Python prints it within its type: ``array([...], dtype=object)``, ``frozenset({...})``."""
TAGS = re.compile(r"(?:<[^<>]+>\s*)+|(?:【[^【】]+】\s*)+")
TAG = re.compile(r"[<【]([^<>【】]+)[>】]")
BARE = r"""[^\s{}"',:;|\\][^{}"',:;|\\]*"""
ARRAY = re.compile(rf"""\{{(?:\s*(?:"(?:[^"\\]|\\.)*"|{BARE})\s*(?:,(?!\s*\}})|(?=\}})))*\s*\}}""")
ARRAY_ITEM = re.compile(rf""""(?:[^"\\]|\\.)*"|{BARE}""")
"""An array as PostgreSQL writes it: ``{joy,"very glad"}``."""
CLOSING = {
    **{"(": ")", "{": "}", "[": "]", "<": ">", "【": "】", "（": "）", "「": "」", "『": "』", "《": "》"},
    **{"“": "”", "‘": "’", "„": "“", "«": "»", '"': '"', "'": "'"},
}
AS_A_LIST = 'write ["joy", "fear"], or the names alone with | between them'


def split_labels(raw: object, separator: str) -> list[str]:
    """Return the names in one multi-label cell: a list, a list as text, or names with a separator.

    Raises:
        ValueError: There is no label at all (an empty list is one: it says "none of them"), or it is nested.
    """
    if isinstance(raw, str):
        raw = listed(raw) if is_list_text(raw) else _separated(raw, separator)
    names = [label_in(part) for part in parts_of(raw)]
    if any(name is None for name in names):
        raise ValueError("no label; write [] for a row to which none applies")
    return cast(list[str], names)


def parts_of(raw: object) -> list[object]:
    """Return the items of a list, a set or an array, none of ``{}``; anything else is one item."""
    raw = raw.tolist() if hasattr(raw, "tolist") else raw  # type: ignore[attr-defined]
    return (
        list(cast("Iterable[object]", raw))
        if isinstance(raw, list | tuple | set | frozenset) or raw == {}
        else [raw]
    )


def label_in(part: object) -> str | None:
    """Return the name of a label that is one of several; None where there is none.

    Raises:
        ValueError: It is a list or a mapping, or a number with a fraction.
    """
    part = part.tolist() if hasattr(part, "tolist") else part  # type: ignore[attr-defined]
    if isinstance(part, list | tuple | set | frozenset | dict):
        kind = kind_of(cast(object, part))
        raise ValueError(f"a {kind} where the name of a label is expected; {AS_A_LIST}")
    return label_name(part)


def _separated(text: str, separator: str) -> list[str] | None:
    text = tidy(text)
    if not text:
        return None
    parts = [part.strip() for part in SEPARATORS[separator].split(text)]
    if not all(parts):
        raise ValueError(f"{text!r:.60}: no name beside a {separator!r}; remove the mark, or give the name")
    if _is_wrapped(parts):
        raise ValueError(f"{text!r:.60}: marks around several names; {AS_A_LIST}")
    return parts


def _is_wrapped(parts: Sequence[str]) -> bool:
    """Return whether the first of several parts opens a bracket or quote that the last one closes."""
    first, last = parts[0], parts[-1]
    mark = CLOSING.get(first[0])
    if len(parts) == 1 or mark is None or not last.endswith(mark):
        return False
    return mark not in first[1:] and first[0] not in last[:-1]


def is_list_text(text: str) -> bool:
    """Return whether a text begins like a list, is a mapping or set, or is a whole list in another form.

    Example:
        >>> is_list_text("['a'"), is_list_text("('a', 'b')"), is_list_text("(none)"), is_list_text("('a')")
        (True, True, False, False)
        >>> is_list_text("{a,b}"), is_list_text("<a><b>"), is_list_text("array(['a'])"), is_list_text("f(x)")
        (True, True, True, False)
    """
    text = tidy(text)
    return (
        begins_like_list(text)
        or (text.startswith("{") and text.endswith("}"))
        or any(form.fullmatch(text) for form in (TUPLE_OR_SET, TAGS, CALL))
    )


def begins_like_list(text: str) -> bool:
    """Return whether a text begins like a list, be it one or a name in brackets."""
    return tidy(text).startswith("[")


def listed(text: str) -> list[object]:
    """Return the list that a text holds, as JSON, Python, numpy, PostgreSQL or tags (``<a><b>``) write it.

    Example:
        >>> cells = '["a", "b"]', "['a', 'b']", "['a' 'b']", "[ 8 20]", "{'a'}"
        >>> [listed(cell) for cell in cells]
        [['a', 'b'], ['a', 'b'], ['a', 'b'], [8, 20], ['a']]
        >>> listed("{a,b c}"), listed("<a><b>"), listed("array(['a'], dtype=object)")
        (['a', 'b c'], ['a', 'b'], ['a'])

    Raises:
        ValueError: It holds none.
    """
    text = tidy(text)
    if call := CALL.fullmatch(text):
        text = call[1]
    if TAGS.fullmatch(text):
        return [*TAG.findall(text)]
    if ARRAY.fullmatch(text) and not TUPLE_OR_SET.fullmatch(text):
        items = ARRAY_ITEM.findall(text)
        return [json.loads(item) if item.startswith('"') else item.strip() for item in items]
    if text.startswith("{") and not TUPLE_OR_SET.fullmatch(text):
        raise ValueError(f"{text!r:.60} is no list of names; {AS_A_LIST}")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if not (LIST.fullmatch(text) or TUPLE_OR_SET.fullmatch(text)):
            raise ValueError(f"{text!r:.60} starts like a JSON list but is none: {error.msg}") from error
    try:
        return [ast.literal_eval(item) for item in re.findall(ITEM, text)]
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{text!r:.60} starts like a list but is none") from error


def are_vectors(cells: Collection[Sequence[str]]) -> bool:
    """Return whether the parts of all cells are 0 and 1 that each stand for a label not named.

    They are equally many, or some cell has one of them twice, as no list of names has.

    Example:
        >>> are_vectors([["1", "0", "0"], ["0", "1", "1"]]), are_vectors([["0"], ["0", "1"]])
        (True, False)
        >>> are_vectors([["1", "0", "1"], ["0", "1"]])
        True
    """
    if not all(part.lower() in FLAGS for cell in cells for part in cell):
        return False
    lengths = {len(cell) for cell in cells}
    return (len(lengths) == 1 and lengths.pop() > 1) or any(len({*cell}) < len(cell) for cell in cells)


def smallest_parts(cells: Iterable[str]) -> list[list[str]]:
    """Return what cells hold between any marks, for :func:`are_vectors`; of a list its items.

    Where all cells are 0 and 1 side by side, equally many and one of them with 0 first, each digit is a part.

    Example:
        >>> smallest_parts(["1 0 1", "0,1"]), smallest_parts(["101", "010"]), smallest_parts(["101", "110"])
        ([['1', '0', '1'], ['0', '1']], [['1', '0', '1'], ['0', '1', '0']], [['101'], ['110']])
    """
    texts = [tidy(cell) for cell in cells]
    digits = [text for text in texts if DIGITS.fullmatch(text)]
    if len(digits) == len(texts) and len({*map(len, texts)}) == 1 and any(text[0] == "0" for text in texts):
        return [list(text) for text in texts]
    return [_parts(text) for text in texts]


def is_vector(cell: str) -> bool:
    """Return whether one cell alone shows that it is 0 and 1: it has one of them twice, as no names are.

    Example:
        >>> is_vector("1 0 1"), is_vector("[1, 0, 1]"), is_vector("1 0"), is_vector("joy 1 1")
        (True, True, False, False)
    """
    parts = _parts(tidy(cell))
    return len({*parts}) < len(parts) and all(part.lower() in FLAGS for part in parts)


def _parts(text: str) -> list[str]:
    if not is_list_text(text):
        return ANY_MARK.split(text)
    try:
        return split_labels(text, "|")
    except ValueError:  # reported with its row, later
        return []


def find_separator(raw_labels: Iterable[object], known: Collection[str] = ()) -> str:
    """Return what separates several names in the cells that hold plain text; ``|`` where nothing does.

    With known names it is the separator that leaves the fewest unknown ones. Else it is the one that leaves
    the fewest different names (of equals that in the most cells), so that an odd cell does not decide; ``/``
    and a space only where the cells are combinations, see :func:`are_combinations`.

    Example:
        >>> find_separator(["joy,fear", "fear,anger", "joy|anger"]), find_separator(["very good", "bad"])
        (',', '|')
    """
    cells = {tidy(raw) for raw in raw_labels if isinstance(raw, str) and not is_list_text(raw)}
    if known:
        found = {mark: set(_names(cells, mark)) for mark in SEPARATORS}
        return min(found, key=lambda mark: (len(found[mark] - set(known)), -len(found[mark] & set(known))))
    held = {mark: sum(_holds(cell, mark) for cell in cells) for mark in SEPARATORS}
    sure = [mark for mark in SURE if held[mark]]
    most = max((held[mark] for mark in sure), default=0)
    doubtful = [mark for mark in SEPARATORS if mark not in SURE and held[mark] > RARE * most]
    marks = sure + [mark for mark in doubtful if are_combinations(cells, mark)]
    return min(marks, key=lambda mark: (len(set(_names(cells, mark))), -held[mark]), default="|")


def combined_by(names: Collection[str]) -> str | None:
    """Return what separates the parts of names that look like combinations; None where they do not."""
    names = [_with_bars(name) for name in names]
    marks = [mark for mark in SEPARATORS if are_combinations(names, mark)]
    return min(marks, key=lambda mark: len(set(_names(names, mark))), default=None)


def joined_by_others(names: Iterable[str]) -> dict[str, str]:
    """Return the names that look like several with a mark between that separates none; with that mark.

    At least two parts are once the first and once the last one, unlike those of ``food:good``, ``wine:good``;
    numbers, as in dates, are no such parts.

    Example:
        >>> joined_by_others(["joy+fear", "awe+joy", "fear+awe", "fear+joy", "joy+awe"])["joy+fear"]
        '+'
        >>> joined_by_others(["C++", "C", "A+B", "R&B", "Q&A", "2026-01-02", "x-ray"])
        {}
    """
    names = [name for name in names if not any(part.isdigit() for part in re.split(r"\W+", name))]
    for mark, pattern in OTHER_MARKS.items():
        parts = [list(_names([name], mark)) for name in names]
        both_ends = {each[0] for each in parts if each} & {each[-1] for each in parts if each}
        if len(both_ends) > 1 and are_combinations(names, mark):
            return {name: found[0] for name in names if (found := pattern.search(name))}
    return {}


def _with_bars(name: str) -> str:
    """Return a list that is written as text as names with bars between, another name without brackets."""
    try:
        if is_list_text(name):
            return "|".join(map(str, listed(name)))
    except ValueError:
        pass
    return name[1:-1] if CLOSING.get(name[:1]) == name[-1:] else name


def are_combinations(cells: Collection[str], mark: str) -> bool:
    """Return whether different cells look like combinations of a few names with a mark between them.

    At least five hold the mark, there are fewer different parts than cells, and most parts are in several.

    Example:
        >>> are_combinations(["joy/fear", "joy/anger", "fear/anger", "joy/awe", "awe/fear"], "/")
        True
        >>> are_combinations(["Sci/Tech", "World", "Sports", "Business"], "/")
        False
    """
    if sum(_holds(cell, mark) for cell in cells) < MIN_CELLS:
        return False
    counts = Counter(part for cell in cells for part in set(_names([cell], mark)))
    return len(counts) < len(cells) and 2 * sum(count > 1 for count in counts.values()) > len(counts)


def written_with(name: str, names: Collection[str], *, separator: str) -> str | None:
    """Return another separator that a name holds between names; None where it is one name.

    Between names that there are, all of them; for ``|`` and ``;`` it is enough that one is. A comma is part
    of many a name (``Neurons, Motor``).

    Example:
        >>> written_with("b|c", ["a", "b"], separator=";"), written_with("b, c", ["a", "b"], separator=";")
        ('|', None)
    """
    for mark in SURE:
        parts = set(_names([name], mark)) if mark != separator else set()
        known = [part in names for part in parts]
        if len(parts) > 1 and (all(known) or (mark != "," and any(known))):
            return mark
    return None


def with_other_marks(names: Collection[str], separator: str) -> list[str]:
    """Return the names that may be several: with ``|`` or ``;`` in them, or a comma beside another name.

    Example:
        >>> with_other_marks(["joy", "joy, fear", "History, ancient", "a|b"], ";")
        ['joy, fear', 'a|b']
    """
    marks = [mark for mark in SURE if mark != separator]
    return [
        name
        for name in names
        if any(_holds(name, mark) and (mark != "," or _is_beside(name, names)) for mark in marks)
    ]


def _is_beside(name: str, names: Collection[str]) -> bool:
    return any(part in names for part in _names([name], ","))


def _holds(cell: str, mark: str) -> bool:
    return _pattern(mark).search(cell) is not None


def _names(cells: Iterable[str], mark: str) -> Iterator[str]:
    for cell in cells:
        yield from filter(None, (part.strip() for part in _pattern(mark).split(cell)))


def _pattern(mark: str) -> re.Pattern[str]:
    return SEPARATORS.get(mark) or OTHER_MARKS[mark]
