"""Offsets in other units, and which unit some offsets are in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from tinybert.data.offsets import AS_WRITTEN, OTHER_UNITS, SHIFTED, Place, Reading, Verdict, find_reading
from tinybert.language import cuts_word

TEXT = "e\u0301 😀👩‍👧 北京 Ann"
COUNTS: dict[str, Callable[[str], int]] = {
    "UTF-16 code units": lambda text: len(text.encode("utf-16-le")) // 2,
    "bytes of UTF-8": lambda text: len(text.encode()),
    "grapheme clusters": lambda text: len(regex.findall(r"\X", text)),
}


@pytest.mark.parametrize("reading", OTHER_UNITS, ids=str)
@given(text=st.text(st.sampled_from("aB \u0301北😀\u200d🇫🇷\r\n"), max_size=12))
def test_each_unit_counts_as_other_programs_do(reading: Reading, text: str) -> None:
    count = COUNTS[reading.unit]
    borders = [
        place for place in range(len(text) + 1) if count(text[:place]) + count(text[place:]) == count(text)
    ]
    if reading.unit != "grapheme clusters":
        assert borders == list(range(len(text) + 1))
    else:
        borders = [0, *(match.end() for match in regex.finditer(r"\X", text))]
    assert [reading.character(text, count(text[:place])) for place in borders] == borders
    assert reading.character(text, count(text) + 1) is reading.character(text, -1) is None


def test_an_offset_amid_a_character_is_none() -> None:
    assert Reading("UTF-16 code units").character("a😀b", 2) is None
    assert Reading("bytes of UTF-8").character("é", 1) is None
    assert Reading("UTF-16 code units").character("a😀b", 3) == 2


def test_spans_with_inclusive_ends_and_from_one() -> None:
    assert Reading(is_inclusive=True).span("in Rome.", 3, 6) == (3, 7)
    assert Reading(first=1).span("in Rome.", 4, 8) == (3, 7)
    assert Reading(first=1, is_inclusive=True).span("in Rome.", 4, 7) == (3, 7)
    assert Reading("UTF-16 code units", is_inclusive=True).span("😀 Rome", 3, 6) == (2, 6)
    assert AS_WRITTEN.span("in", 1, 1) is AS_WRITTEN.span("in", 1, 3) is AS_WRITTEN.span("in", -1, 1) is None


def claim(reading: Reading, *, text: str, word: str, start: int) -> tuple[Place, bool]:
    found = reading.character(text, start)
    return found, found is not None and text.startswith(word, found)


def verdict(*claims: tuple[str, str, int]) -> Verdict:
    made = [partial(claim, text=text, word=word, start=start) for text, word, start in claims]
    return find_reading(made, (*OTHER_UNITS, *SHIFTED))


@pytest.mark.parametrize("reading", OTHER_UNITS, ids=str)
def test_the_unit_of_all_offsets_is_found(reading: Reading) -> None:
    start = COUNTS[reading.unit](TEXT[: TEXT.index("Ann")])
    assert verdict((TEXT, "Ann", start), ("Ann", "Ann", 0)) == Verdict(reading, 1, 2)


def test_what_is_right_is_left_alone() -> None:
    assert verdict((TEXT, "Ann", TEXT.index("Ann")), ("Ann", "Ann", 0)) == Verdict(AS_WRITTEN, 0, 2)
    assert verdict() == Verdict()


def test_one_offset_that_is_right_as_written_alone_keeps_all_as_written() -> None:
    wanted = Verdict(AS_WRITTEN, 1, 2)
    assert verdict(("😀 Ann", "Ann", 3), ("😀😀 Ann", "Ann", 3)) == wanted


def test_what_no_unit_moves_is_no_evidence() -> None:
    assert verdict(("😀 Ann", "Ann", 3), ("nothing", "Ann", 0)) == Verdict(OTHER_UNITS[0], 2, 2)


def test_one_offset_in_ten_that_is_too_high_is_an_error_not_a_unit() -> None:
    right = [("in Rome", "Rome", 3)] * 3
    assert verdict(*right, ("in Oslo", "Oslo", 4)).reading == AS_WRITTEN
    assert verdict(("in Rome", "Rome", 4), ("in Oslo", "Oslo", 4)).reading == Reading(first=1)
    assert verdict(("in Rome", "Rome", 2), ("in Oslo", "Oslo", 2)).reading == Reading(first=-1)


def test_two_units_that_mend_as_much_and_differ_decide_nothing() -> None:
    text = "😀éa  a "
    places = [reading.character(text, 6) for reading in OTHER_UNITS[:2]]
    assert places == [5, 2]
    assert verdict((text, "a", 6)).reading == AS_WRITTEN


@pytest.mark.parametrize(
    ("text", "place", "cuts"),
    [
        ("in Rome", 3, False),
        ("in Rome", 4, True),
        ("EU-based", 2, False),
        ("Germany's", 7, False),
        ("cafe\u0301", 4, True),
        ("北京大学", 2, False),
        ("서울에서", 2, False),
        ("ประเทศไทย", 6, False),
        ("北京abc", 2, False),
        ("2026", 2, True),
        ("Rome", 0, False),
        ("Rome", 4, False),
    ],
)
def test_where_a_word_is_cut(text: str, place: int, cuts: bool) -> None:
    assert cuts_word(text, place) == cuts
