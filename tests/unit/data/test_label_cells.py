"""Several labels in one cell, and classes that look like several."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.data.made_up import Row, read, rows_of

from tinybert.data.label_cells import SEPARATORS, are_combinations, find_separator, joined_by_others, listed
from tinybert.data.labels import LabelScheme
from tinybert.errors import DataError
from tinybert.tasks.classification import CLASSIFICATION
from tinybert.tasks.multilabel import MULTILABEL

SETS = [["joy"], ["joy", "fear"], ["fear", "anger"], ["joy", "anger"], ["joy", "fear", "anger"]]
SETS += [["anger", "awe"], ["awe", "joy"]]
NAMES = ("anger", "awe", "fear", "joy")


def numpy_text(names: list[str]) -> str:
    return "[" + " ".join(map(repr, names)) + "]"


def rows_in(form: Callable[[list[str]], object], count: int = 70, start: int = 0) -> list[Row]:
    return rows_of(count, start=start, label=lambda index: form(SETS[index % len(SETS)]))


def splits_in(form: Callable[[list[str]], object], *more: Row) -> dict[str, list[Row]]:
    return {"train": [*rows_in(form), *more], "validation": rows_in(form, 7, start=700)}


MARKS = ["、", "，", "；", "/", ";", ",", "|", " ", ", ", "／", "｜"]


@pytest.mark.parametrize("mark", MARKS)
def test_every_separator_is_found(mark: str) -> None:
    found = read(splits_in(mark.join), task="multilabel")
    assert found.labels.names == NAMES
    assert found.splits["train"]["label"][:2] == [[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]]
    assert len(found.splits["validation"]) == 7


def test_marks_of_half_and_full_width_are_one() -> None:
    cells = ["快乐,悲伤", "快乐，愤怒", "悲伤、愤怒"]
    rows = rows_of(30, label=lambda index: cells[index % 3])
    found = read({"train": rows, "validation": rows[:3]}, task="multilabel")
    assert set(found.labels.names) == {"快乐", "悲伤", "愤怒"}


@pytest.mark.parametrize("name", ["(none)", "('a')", "{a, b}", "(1)", "(8 20)", "{'a': 1}", "('a', b)", "{}"])
def test_names_in_brackets_stay_names(name: str) -> None:
    scheme = LabelScheme((name, "a", "b", "1"), "|")
    assert MULTILABEL.format.convert(name, scheme) == [1.0, 0.0, 0.0, 0.0]


def test_a_class_that_looks_like_a_tuple_stays_one() -> None:
    assert CLASSIFICATION.format.scheme(["(0, 2)", "(4, 6)", "{'a'}", "()"]).num_labels == 4
    assert CLASSIFICATION.format.convert("(0, 2)", LabelScheme(("(0, 2)", "(4, 6)"))) == 0


def set_text(names: list[str]) -> str:
    return repr(set(names))


def tuple_text(names: list[str]) -> str:
    return repr(tuple(names))


@pytest.mark.parametrize("form", [repr, numpy_text, set_text, tuple_text])
def test_lists_as_python_and_numpy_write_them(form: Callable[[list[str]], object]) -> None:
    found = read(splits_in(form), task="multilabel")
    assert found.labels.names == NAMES
    assert found.splits["train"]["label"][1] == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[ 8 20]", ["8", "20"]),
        ("[ 8\n 20]", ["8", "20"]),
        ("[8, 20]", ["8", "20"]),
        ("[1. 0.]", ["1", "0"]),
        ("['a', 'b c']", ["a", "b c"]),
        ("['a' 'b c']", ["a", "b c"]),
        ("""['a', "it's"]""", ["a", "it's"]),
        ("[]", []),
        ("[ ]", []),
        ("{'a', 'b c'}", ["a", "b c"]),
        ("{'a','b c',}", ["a", "b c"]),
        ("""{"it's", 'a'}""", ["a", "it's"]),
        ("('a', 'b c')", ["a", "b c"]),
        ("('a',)", ["a"]),
        ("{8, 20}", ["8", "20"]),
        ("(8, 20.0)", ["8", "20"]),
        ("set()", []),
        ("()", []),
        ("\ufeff['a']", ["a"]),
    ],
)
def test_lists_as_text(text: str, names: list[str]) -> None:
    scheme = LabelScheme(("8", "20", "1", "0", "a", "b c", "it's"))
    row = MULTILABEL.format.convert(text, scheme)
    assert {name for name, on in zip(scheme.names, row, strict=True) if on} == set(names)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["['a', 'b'", "['a' b]", "[08]", "['a''b']", "[joy]"])
def test_a_text_that_only_begins_like_a_list(text: str) -> None:
    with pytest.raises(ValueError, match="starts like a"):
        listed(text)


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("joy|fear", "label 'joy|fear'; labels are split at ',', not '|'"),
        ("['joy', 'fear'", "starts like a JSON list but is none"),
        ("joy,", "no name beside a ','"),
    ],
)
def test_one_odd_cell_is_the_only_bad_row(label: str, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        read(splits_in(",".join, {"text": "odd", "label": label}), task="multilabel")
    (problem,) = caught.value.problems
    assert "rows[train], row 71, label: " in problem
    assert reason in problem


def test_cells_that_cannot_be_read_are_reported_where_no_other_has_a_label() -> None:
    rows = rows_of(4, label=lambda index: "[joy")
    with pytest.raises(DataError) as caught:
        read(
            {"train": rows, "validation": rows_of(1, start=9, label=lambda index: "[joy")}, task="multilabel"
        )
    assert len(caught.value.problems) == 5
    assert "row 1, label: '[joy' starts like a JSON list" in caught.value.problems[0]


def test_a_name_of_a_list_is_not_split() -> None:
    sets = [["Lebanon, TN"], ["b", "Lebanon, TN"], ["b"], ["Lebanon"], ["TN"]]
    rows = rows_of(30, label=lambda index: sets[index % 5])
    found = read({"train": rows, "validation": rows[:5]}, task="multilabel")
    assert found.labels.names == ("Lebanon", "Lebanon, TN", "TN", "b")


def test_a_name_with_a_space_or_a_slash_is_one() -> None:
    sets = ["very good", "n/a", "Sci/Tech", "World", "good"]
    rows = rows_of(40, label=lambda index: sets[index % 5])
    found = read({"train": rows, "validation": rows[:5]}, task="multilabel")
    assert set(found.labels.names) == set(sets)
    assert not [warning for warning in found.warnings if "split" in warning]


def test_a_split_at_spaces_is_said() -> None:
    (warning,) = read(splits_in(" ".join), task="multilabel").warnings
    assert warning.startswith("labels are split at ' ', which leaves 4: anger, awe, fear, joy; ")


def test_known_names_decide() -> None:
    known = LabelScheme(("fear", "joy", "New York"))
    rows: list[Row] = [{"text": "a", "label": "joy fear"}, {"text": "b", "label": "joy"}]
    found = read({"test": rows}, task="multilabel", need=("test",), known_labels=known)
    assert found.splits["test"]["label"][:] == [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    rows = [{"text": "a", "label": "New York"}, {"text": "b", "label": "joy|fear"}]
    found = read({"test": rows}, task="multilabel", need=("test",), known_labels=known)
    assert found.splits["test"]["label"][:] == [[0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]


@pytest.mark.parametrize("mark", MARKS)
def test_classes_that_are_combinations_are_doubted(mark: str) -> None:
    (warning,) = (each for each in read(splits_in(mark.join)).warnings if "--task multilabel" in each)
    assert warning.startswith(f"6 of 7 labels look like several with {mark.strip() or mark!r} between them")
    assert f"'anger{mark}awe'" in warning


def test_where_a_combination_stops_the_run_the_fix_is_said() -> None:
    data = splits_in("|".join)
    data["validation"].append({"text": "new", "label": "fear|awe"})
    with pytest.raises(DataError) as caught:
        read(data)
    assert "unknown to train: label 'fear|awe'" in caught.value.problems[0]
    assert "--task multilabel" in caught.value.problems[1]


@pytest.mark.parametrize(
    "names",
    [
        ["Sci/Tech", "World", "Sports", "Business"],
        ["very negative", "negative", "neutral", "positive", "very positive"],
        ["Society & Culture", "Science & Mathematics", "Education & Reference", "Computers & Internet"],
        ["card arrival", "card lost", "pin blocked", "top up failed", "transfer pending", "exchange rate"],
        ["sport/football", "sport/tennis", "sport/golf", "news/world", "news/local", "arts/music"],
    ],
)
def test_ordinary_classes_are_no_combinations(names: list[str]) -> None:
    assert not [mark for mark in SEPARATORS if are_combinations(names, mark)]


@pytest.mark.parametrize(
    "names",
    [
        ["B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "O"],
        ["food:good", "food:bad", "wine:good", "wine:bad", "room:good", "room:bad", "food"],
        ["2020-01-02", "2020-02-01", "2020-01-01", "2020-02-02", "2021-01-02"],
        ["Food and Drink", "Home and Garden", "Arts and Crafts", "Food", "Travel and Home", "Health & Sport"],
        ["A+", "A-", "B+", "B-", "C+", "C-", "A", "C++", "C#", "R&B", "Q&A", "Sci/Tech"],
    ],
)
def test_ordinary_names_with_a_mark_are_not_doubted(names: list[str]) -> None:
    assert joined_by_others(names) == {}


def test_a_list_is_no_class(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a", "label": "[\'x\', \'y\']"}\n{"text": "b", "label": "[NEG]"}\n')
    with pytest.raises(DataError) as caught:
        read(file, need=("test",), known_labels=LabelScheme(("[NEG]", "[POS]")))
    (problem,) = caught.value.problems
    assert "line 1, label: a list where one label is expected" in problem


def test_the_odd_cell_does_not_choose_the_separator() -> None:
    assert find_separator(["a,b", "b,c", "a,c", "a|b"]) == ","
    assert find_separator(["Boston, MA|Salem, MA", "Boston, MA", "Lebanon, TN|Boston, MA"]) == "|"
    assert find_separator([f"{a}/{b}" for a in "abcdef" for b in "abcdef" if a < b] + ["a|b"]) == "/"
    pairs = [
        f"{size} {animal}" for size in ("big", "small", "old", "new") for animal in ("dog", "cat", "cow")
    ]
    assert find_separator([*pairs, "big dog|new cow", "old cat|small dog"]) == "|"
    assert find_separator(["very happy|sad", "very happy", "very sad", "sad"]) == "|"
