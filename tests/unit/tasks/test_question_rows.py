"""Questions, their texts and where the answers stand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.data.made_up import read

from tinybert.data.fields import FieldError
from tinybert.errors import DataError
from tinybert.sources.text_files import Fault
from tinybert.tasks.qa import QA
from tinybert.tasks.qa.reading import as_stored, from_stored, read_answers

Write = Callable[..., Path]
CONTEXT = "The fox ran. The old fox slept."


def answers(value: object, context: str = CONTEXT, **more: object) -> list[list[int]] | None:
    return read_answers({"answers": value, **more}, context, "answers")


def question(number: int, **changes: object) -> dict[str, object]:
    return {
        "question": f"Who ran in year {number}?",
        "context": f"In year {number} the fox ran.",
        "answers": {"text": ["the fox"], "answer_start": [9 + len(str(number))]},
        **changes,
    }


def questions(count: int, *, start: int = 0) -> list[dict[str, object]]:
    return [question(number) for number in range(start, start + count)]


def only_problem(source: object, *wanted: str, **options: object) -> None:
    with pytest.raises(DataError) as caught:
        read(source, task="qa", **options)
    assert len(caught.value.problems) == 1, caught.value.problems
    for part in wanted:
        assert part in caught.value.problems[0], caught.value.problems[0]


@pytest.mark.parametrize(
    "value",
    [
        {"text": ["old fox"], "answer_start": [17]},
        {"text": "old fox", "answer_start": 17},
        [{"text": "old fox", "answer_start": 17}],
        [{"text": "old fox"}],
        ["old fox"],
        "old fox",
        [{"text": " old fox ", "answer_start": 16}],
        " old fox ",
        [{"text": "old fox", "answer_start": 17}, {"text": "old fox", "answer_start": 17}],  # three people
    ],
)
def test_an_answer_in_any_form(value: object) -> None:
    assert answers(value) == [[17, 24]]
    assert CONTEXT[17:24] == "old fox"


def test_different_answers_stay_in_order() -> None:
    value = {"text": ["old fox", "fox", "old fox"], "answer_start": [17, 4, 17]}
    assert answers(value) == [[17, 24], [4, 7]]


@pytest.mark.parametrize("value", [[], {"text": [], "answer_start": []}])
def test_an_empty_field_says_that_there_is_no_answer(value: object) -> None:
    assert answers(value) == []


def test_a_missing_field_or_an_empty_cell_says_nothing() -> None:
    assert answers("") is answers("  ") is None
    assert read_answers({}, CONTEXT, "answers") is None
    assert answers(None) is None
    assert as_stored([]) == "[]"
    assert from_stored(as_stored([[1, 2]])) == [[1, 2]]


def test_impossible_questions_have_no_answer_whatever_is_plausible() -> None:
    assert answers([], is_impossible=True, plausible_answers=[{"text": "fox", "answer_start": 4}]) == []
    assert answers({"text": ["fox"], "answer_start": [4]}, is_impossible=False) == [[4, 7]]
    assert answers("", is_impossible="True") == answers(None, is_impossible="1") == []
    assert answers("", is_impossible="False") is None
    for flag in (True, "true", 1):
        with pytest.raises(FieldError, match="is_impossible says that there is none"):
            answers({"text": ["fox"], "answer_start": [4]}, is_impossible=flag)


def test_a_cell_of_a_table_holds_an_answer_its_place_or_json() -> None:
    assert answers('{"text": ["old fox"], "answer_start": [17]}') == [[17, 24]]
    assert answers('[{"text": "old fox"}]') == [[17, 24]]
    assert answers("[]") == []
    assert answers("fox", answer_start="4") == answers("fox", answer_start=4) == [[4, 7]]
    assert answers("old fox", answer_start="") == [[17, 24]]
    with pytest.raises(FieldError, match="is not at character 0; it is at 4"):
        answers("fox", answer_start="0")
    assert answers("[1]", context="as was shown [1] here") == [[13, 16]]
    with pytest.raises(
        FieldError, match=r"occurs in the context 0 times, and '\[broken' starts like .*to_json"
    ):
        answers("[broken")


@pytest.mark.parametrize(
    "cell",
    [
        "{'text': ['old fox'], 'answer_start': [17]}",
        "{'text': 'old fox', 'answer_start': 17}",
        "[{'text': 'old fox', 'answer_start': 17}]",
        "['old fox']",
    ],
)
def test_a_cell_of_a_table_holds_answers_as_python_writes_them(cell: str) -> None:
    assert answers(cell) == [[17, 24]]
    assert answers("{'text': [], 'answer_start': []}") == []


def test_answers_in_arrays_of_numpy_name_the_fix() -> None:
    cell = "{'text': array(['old fox'], dtype=object), 'answer_start': array([17])}"
    with pytest.raises(
        FieldError, match=r'starts like a JSON object but is none: .*df.to_json\("FILE.jsonl"'
    ):
        answers(cell)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (
            [{"text": "old fox", "answer_start": 16}],
            "'old fox' is not at character 16; it is at 17",
        ),
        ([{"text": "wolf", "answer_start": 0}], "it is nowhere in the context"),
        ([{"text": "fox", "answer_start": -27}], "is not at character -27"),
        ([{"text": "fox", "answer_start": 999}], "it is at 4"),
        ([{"text": "slept.!", "answer_start": 25}], "is nowhere"),
        ([{"text": "fox", "answer_start": "4th"}], "answer_start '4th': a whole number"),
        ([{"text": "fox", "answer_start": True}], "answer_start True"),
        ([{"text": "", "answer_start": 4}], "visible characters"),
        ([{"text": None, "answer_start": 4}], "visible characters"),
        (["fox"], "'fox' occurs in the context 2 times; say where"),
        ([7], "visible characters"),
        ("fox", "'fox' occurs in the context 2 times; say where with answer_start"),
        ("wolf", "0 times"),
        ({"text": ["fox"], "answer_start": []}, "of different length"),
        ({"text": ["fox"]}, "of different length"),
        ({"answer_start": [4]}, "each a list"),
        (5, "a whole number where answers are expected"),
    ],
)
def test_an_answer_that_cannot_be_used_is_named(value: object, wanted: str) -> None:
    with pytest.raises(FieldError) as caught:
        answers(value)
    assert wanted in str(caught.value)
    assert caught.value.field == "answers"


@given(st.text(st.sampled_from("ab 北😀.\n"), min_size=1, max_size=30), st.data())
def test_an_answer_is_the_slice_of_its_context(context: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(context) - 1))
    text = context[start : data.draw(st.integers(start + 1, len(context)))]
    if text.strip():
        found = answers([{"text": text, "answer_start": start}], context)
        assert found is not None
        ((first, last),) = found
        assert context[first:last] == text.strip()
        assert start <= first < last <= start + len(text)


def test_articles_become_a_row_a_question_with_the_number_of_the_article() -> None:
    qas = [{"question": "a?", "id": "1"}, {"question": "b?", "id": "2"}]
    none: dict[str, object] = {"context": "empty", "qas": []}
    article = {"title": "Fox", "paragraphs": [{"context": CONTEXT, "qas": qas}, none]}
    fault, flat = Fault(5, "broken", {}), (6, {"question": "c?"})
    rows = list(QA.format.unpack([(4, article), fault, flat]))
    assert rows[2:] == [fault, flat]
    assert [number for number, _ in rows[:2]] == [4, 4]  # type: ignore[misc]
    assert [row["question"] for _, row in rows[:2]] == ["a?", "b?"]  # type: ignore[misc,index]
    assert all(row["context"] == CONTEXT and row["title"] == "Fox" for _, row in rows[:2])  # type: ignore[misc,index]


@pytest.mark.parametrize(
    ("paragraphs", "wanted"),
    [
        (["text"], "paragraph 1, paragraphs: 'text' is in the list; an object is expected"),
        (
            [{"contexts": CONTEXT, "qa": []}],
            "paragraph 1, qas: missing (there is: contexts, qa); a list of objects is expected, [] for none",
        ),
        ([{"context": CONTEXT, "qas": {"question": "?"}}], "qas: {'question': '?'}; a list of objects"),
        ([{"context": CONTEXT, "qas": ["who?"]}], "qas: 'who?' is in the list"),
    ],
)
def test_a_broken_article_is_a_fault_and_the_next_is_read(paragraphs: list[object], wanted: str) -> None:
    good = {"context": CONTEXT, "qas": [{"question": "a?", "is_impossible": True}]}
    articles = [(1, {"title": "Fox", "paragraphs": [*paragraphs, good]}), (2, {"paragraphs": [good]})]
    fault, *rows = QA.format.unpack(articles)
    assert isinstance(fault, Fault)
    assert fault.number == 1
    assert wanted in fault.why
    assert [(number, row["question"], row["answers"]) for number, row in rows] == [
        (1, "a?", []),
        (2, "a?", []),
    ]  # type: ignore[misc,index]


def test_questions_none_of_which_has_an_answer_are_refused() -> None:
    only_problem([question(number, answers=[]) for number in range(40)], "no question has an answer")


def squad(rows: list[dict[str, object]], *, version: str) -> str:
    def entry(row: Mapping[str, object]) -> dict[str, object]:
        given = row["answers"]
        assert isinstance(given, dict)
        pairs = zip(given["text"], given["answer_start"], strict=True)
        listed = [{"text": text, "answer_start": start} for text, start in pairs]
        flags = {"is_impossible": row.get("is_impossible", False)} if version == "v2.0" else {}
        return {"id": "x", "question": row["question"], "answers": listed, **flags}

    paragraphs = [{"context": row["context"], "qas": [entry(row)]} for row in rows]
    return json.dumps({"version": version, "data": [{"title": "Fox", "paragraphs": paragraphs}]})


@pytest.mark.parametrize("version", ["1.1", "v2.0"])
def test_squad_as_published(write: Write, tmp_path: Path, version: str) -> None:
    write("train-v1.1.json", squad(questions(30), version=version))
    path = tmp_path / "train-v1.1.json"
    data = read(path, task="qa")
    assert {name: len(split) for name, split in data.splits.items()}.keys() == {"train", "validation", "test"}
    assert sum(map(len, data.splits.values())) == 30
    assert data.is_pair
    assert data.labels.names == ("start", "end")
    for row in data.splits["train"]:
        assert [row["text_pair"][start:end] for start, end in row["label"]] == ["the fox"]
        assert row["text"].startswith("Who ran")


def test_squad_2_keeps_questions_without_an_answer(write: Write, tmp_path: Path) -> None:
    none = question(77, answers={"text": [], "answer_start": []}, is_impossible=True)
    write("train.json", squad([*questions(5), none], version="v2.0"))
    write("validation.json", squad(questions(3, start=90), version="v2.0"))
    train = read(tmp_path, task="qa").splits["train"]
    assert train["label"][5] == []
    assert train["text"][5] == "Who ran in year 77?"


def test_json_lines_of_questions(write: Write, tmp_path: Path) -> None:
    write("train.jsonl", [*questions(4), question(9, answers="the fox"), question(8, answers=[])])
    write("validation.jsonl", questions(2, start=50))
    data = read(tmp_path, task="qa")
    assert data.splits["train"]["label"][:] == [[[10, 17]]] * 5 + [[]]
    assert len(data.splits["validation"]) == 2


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        (
            {"answers": {"text": ["the fox"], "answer_start": [0]}},
            "answers: the answer 'the fox' is not at",
        ),
        ({"question": "  "}, "question: empty"),
        ({"question": None}, "question: missing"),
        ({"context": ""}, "context: empty"),
        ({"question": "a\0b"}, "question: a NUL byte"),
        ({"answers": None}, "answers: no label; give the row its answers ([]"),
    ],
)
def test_a_bad_question_is_named_by_file_line_and_field(
    write: Write, tmp_path: Path, changes: dict[str, object], wanted: str
) -> None:
    write("train.jsonl", [*questions(4), question(9, **changes)])
    write("validation.jsonl", questions(2, start=50))
    only_problem(tmp_path, "train.jsonl, line 5", wanted, "data.on_bad_row=skip")
    kept = read(tmp_path, task="qa", on_bad_row="skip")
    assert len(kept.splits["train"]) == 4
    assert [(row.file, row.row) for row in kept.bad_rows] == [("train.jsonl", 5)]


def test_questions_without_a_label_are_for_training_only_and_only_where_they_are_allowed() -> None:
    bare = {"question": "Who slept?", "context": CONTEXT}
    splits = {"train": [*questions(4), bare], "validation": questions(2, start=50)}
    only_problem(splits, "row 5, answers: no label")
    train = read(splits, task="qa", allow_unlabelled=True).splits["train"]
    assert train["label"][:] == [[[10, 17]]] * 4 + [None]

    splits = {"train": questions(4), "validation": [*questions(2, start=50), bare]}
    only_problem(splits, "rows[validation], row 3, answers: no label", allow_unlabelled=True)


def test_columns_by_other_names() -> None:
    rows = [
        {"query": row["question"], "passage": row["context"], "answer": "the fox"} for row in questions(30)
    ]
    train = read(rows, task="qa").splits["train"]
    assert train["label"][0] != []
    only_problem([{"question": "a?", "answers": "b"}], "no column is known as the context", "data.text_pair")
