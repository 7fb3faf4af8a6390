"""Spans and answers that were counted otherwise than in characters, and spans that cut words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import regex

from tinybert.config import DataSection
from tinybert.data import TextData, load
from tinybert.errors import DataError
from tinybert.tasks import BUILTIN

Row = dict[str, object]
Count = Callable[[str], int]
TEXTS = ["😀 Ann Lee left Rome.", "In Oslo 😀😀 Bob ran", "cafe\u0301 Ann 😀 Lima", "Plain Ann here"]
WORDS = ["Ann Lee", "Bob", "Lima", "Ann"]
CHINESE = ["😀 张三在北京工作", "李四😀去上海了吗", "王五在广州看书"]
PLACES = ["北京", "上海", "广州"]
COUNTS: dict[str, Count] = {
    "characters": len,
    "UTF-16 code units": lambda text: len(text.encode("utf-16-le")) // 2,
    "bytes of UTF-8": lambda text: len(text.encode()),
    "grapheme clusters": lambda text: len(regex.findall(r"\X", text)),
}


def span_rows(
    count: Count,
    *,
    texts: Sequence[str] = TEXTS,
    words: Sequence[str] = WORDS,
    quoted_as: str = "",
    first: int = 0,
    back: int = 0,
) -> list[Row]:
    rows: list[Row] = []
    for text, word in zip(texts, words, strict=True):
        start = text.index(word)
        places = {
            "start": count(text[:start]) + first,
            "end": count(text[: start + len(word)]) + first - back,
        }
        quoted = {quoted_as: word} if quoted_as else {}
        rows.append({"text": text, "spans": [{**places, "label": "X", **quoted}]})
    return rows


def answer_rows(count: Count, *, shift: int = 0) -> list[Row]:
    return [
        {
            "question": f"who {number}?",
            "context": text,
            "answers": {"text": [word], "answer_start": [count(text[: text.index(word)]) + shift]},
        }
        for number, (text, word) in enumerate(zip(TEXTS, WORDS, strict=True))
    ]


def loaded(rows: list[Row], task: str = "ner") -> TextData:
    return load(rows, settings=DataSection(), format=BUILTIN[task].format, need=("test",))


def entities(data: TextData) -> list[str]:
    """The entity of each row: from its first word to its last."""
    found: list[str] = []
    for row in data.splits["test"]:
        spots = list(zip(row["word_starts"], row["word_ends"], row["label"], strict=True))
        tagged = [(start, end) for start, end, tag in spots if tag]
        found.append(row["text"][tagged[0][0] : tagged[-1][1]])
    return found


@pytest.mark.parametrize("unit", list(COUNTS))
@pytest.mark.parametrize("back", [0, 1])
def test_spans_in_any_unit_with_ends_of_either_kind(unit: str, back: int) -> None:
    data = loaded(span_rows(COUNTS[unit], back=back))
    assert entities(data) == WORDS
    if unit == "characters" and not back:
        assert data.warnings == []
        return
    (said,) = data.warnings
    inclusive = ", the end being the last one itself" if back else ""
    assert said.startswith(f"rows: its spans are counted in {unit}{inclusive}, and are read so; as written, ")


def test_how_many_are_wrong_as_written_is_said() -> None:
    (said,) = loaded(span_rows(COUNTS["UTF-16 code units"])).warnings
    assert said.endswith("as written, 3 of 4 would cut words, differ from their text or lie outside it")


@pytest.mark.parametrize("back", [0, 1])
def test_spans_from_one(back: int) -> None:
    data = loaded(span_rows(len, first=1, back=back))
    assert entities(data) == WORDS
    assert "counted in characters from 1" in data.warnings[0]


@pytest.mark.parametrize("field", ["text", "surface"])
@pytest.mark.parametrize(
    ("unit", "back"), [("UTF-16 code units", 0), ("bytes of UTF-8", 0), ("characters", 1)]
)
def test_the_text_of_chinese_spans_says_how_they_are_counted(unit: str, back: int, field: str) -> None:
    rows = span_rows(COUNTS[unit], texts=CHINESE, words=PLACES, quoted_as=field, back=back)
    data = loaded(rows)
    assert entities(data) == PLACES
    assert f"its spans are counted in {unit}" in data.warnings[0]


def test_well_formed_chinese_and_korean_spans_are_not_doubted() -> None:
    rows = span_rows(len, texts=CHINESE, words=PLACES)
    korean = span_rows(len, texts=["서울에서 만나요", "부산에 가요"], words=["서울", "부산"])
    data = loaded([*rows, *korean])
    assert entities(data) == [*PLACES, "서울", "부산"]
    assert data.warnings == []


def test_spans_that_cut_words_and_that_no_unit_explains_are_reported() -> None:
    rows = [*span_rows(len), {"text": "Germanys press", "spans": [[0, 7, "X"]]}]
    data = loaded(rows)
    assert entities(data) == [*WORDS, "Germany"]
    assert data.warnings == [
        "rows: 1 of 5 spans (20.0%) cut words, whose parts are words of their own now: row 5, spans: "
        "'Germany' in 'Germanys press'; offsets are counted in characters from 0, the end behind the last one"
    ]
    quoted = {"text": "Germanys press", "spans": [{"start": 0, "end": 7, "label": "X", "text": "Germany"}]}
    assert loaded([*span_rows(len), quoted]).warnings == []  # it says so itself


def test_a_cut_word_where_all_units_agree_does_not_hide_the_unit() -> None:
    data = loaded(
        [*span_rows(COUNTS["UTF-16 code units"]), {"text": "Germanys press", "spans": [[0, 7, "X"]]}]
    )
    assert entities(data) == [*WORDS, "Germany"]
    converted, cut = data.warnings
    assert "counted in UTF-16 code units" in converted
    assert "1 of 5 spans (20.0%) cut words" in cut


def test_few_short_spans_are_no_inclusive_ends() -> None:
    rows = [*span_rows(len), {"text": "Ann left", "spans": [[0, 2, "X"]]}]
    assert entities(loaded(rows))[-1] == "An"
    empty = [*span_rows(len), {"text": "Ann left", "spans": [[0, 0, "X"]]}]
    with pytest.raises(DataError, match="an end is the offset behind the last character"):
        loaded(empty)


def test_a_span_amid_a_character_of_its_unit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BUILTIN["ner"].format.__class__, "num_rows_weighed", 4)
    rows = [*span_rows(COUNTS["UTF-16 code units"]), {"text": "😀 Ann", "spans": [[1, 3, "X"]]}]
    with pytest.raises(DataError, match=r"row 5, spans: span 1–3 \(X\) does not lie .* counted in UTF-16"):
        loaded(rows)


@pytest.mark.parametrize("unit", list(COUNTS))
def test_answers_in_any_unit(unit: str) -> None:
    data = loaded(answer_rows(COUNTS[unit]), "qa")
    found = [row["text_pair"][start:end] for row in data.splits["test"] for start, end in row["label"]]
    assert found == WORDS
    wanted = (
        []
        if unit == "characters"
        else [f"rows: answer_start is counted in {unit}, and is read so; as written"]
    )
    assert [said.partition(",")[0] for said in data.warnings] == [said.partition(",")[0] for said in wanted]


@pytest.mark.parametrize("shift", [1, -1])
def test_answers_that_all_are_one_off(shift: int) -> None:
    data = loaded(answer_rows(len, shift=shift), "qa")
    assert [row["label"] for row in data.splits["test"]] == [
        [[text.index(word), text.index(word) + len(word)]] for text, word in zip(TEXTS, WORDS, strict=True)
    ]
    assert data.warnings == [
        f"rows: answer_start is counted in characters from {shift}, and is read so; as written, 4 of 4 "
        "answers would not be there"
    ]


def test_one_answer_elsewhere_is_still_refused() -> None:
    rows = answer_rows(len)
    rows[0]["answers"] = {"text": ["Ann Lee"], "answer_start": [5]}
    with pytest.raises(
        DataError, match="row 1, answers: the answer 'Ann Lee' is not at character 5; it is at 2"
    ):
        loaded(rows, "qa")
