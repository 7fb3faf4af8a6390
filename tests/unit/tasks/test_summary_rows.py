"""Rows of documents and their summaries: which columns, what a label is, which pieces carry one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests import easy

from tinybert.config import DataSection
from tinybert.data import TextData, encode_split, load
from tinybert.errors import DataError
from tinybert.tasks import BUILTIN
from tinybert.tasks.extractive.rows import references_in, sentence_labels

FORMAT = BUILTIN["extractive"].format
DOCUMENT = "One of it. A good day. The far town."
SUMMARY = "a good day"


def read(tmp_path: Path, *rows: dict[str, object], **settings: object) -> TextData:
    easy.write_rows(tmp_path / "test.jsonl", rows)
    return load(tmp_path, settings=DataSection(**settings), format=FORMAT, need=("test",))  # pyright: ignore


def labels_of(tmp_path: Path, *rows: dict[str, object], **settings: object) -> list[object]:
    return list(read(tmp_path, *rows, **settings).splits["test"]["label"])


@pytest.mark.parametrize("text", ["document", "article", "source", "Text", "dialogue", "正文", "原文"])
@pytest.mark.parametrize("label", ["summary", "target", "highlights", "headline", "title", "摘要", "标题"])
def test_the_usual_columns_are_known(tmp_path: Path, text: str, label: str) -> None:
    rows = read(tmp_path, {text: DOCUMENT, label: SUMMARY}).splits["test"]
    assert rows[0] == {
        "text": DOCUMENT,
        "sentence_starts": [0, 11, 23],
        "sentence_ends": [10, 22, 36],
        "label": [SUMMARY],
    }


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (" a day ", ["a day"]),
        (["a day", "one day"], ["a day", "one day"]),
        ('["a day", "one day"]', ["a day", "one day"]),
        ("['a day', 'one day']", ["a day", "one day"]),
        ("[Music] plays", ["[Music] plays"]),
        ("[1, 2]", ["[1, 2]"]),
        ("7", ["7"]),
    ],
)
def test_a_label_is_a_text_or_a_list_of_texts(tmp_path: Path, given: object, stored: list[str]) -> None:
    assert labels_of(tmp_path, {"document": DOCUMENT, "summary": given}) == [stored]


@pytest.mark.parametrize("given", [None, "", "  ", [], "[]"])
def test_an_empty_cell_says_nothing(given: object) -> None:
    assert references_in({"summary": given}, "summary") is None


def test_references_beside_a_summary_win_and_a_named_column_wins_over_them(tmp_path: Path) -> None:
    row = {"document": DOCUMENT, "summary": "one", "references": ["two", "three"]}
    assert labels_of(tmp_path, row) == [["two", "three"]]
    assert labels_of(tmp_path, row, label="summary") == [["one"]]


def test_what_is_wrong_with_a_row_is_said_all_at_once(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"document": DOCUMENT, "summary": 7},
        {"document": DOCUMENT, "summary": ["one", ""]},
        {"document": DOCUMENT, "summary": ["one", 2]},
        {"document": " ", "summary": "one"},
        {"document": ["one", 2], "summary": "one"},
        {"document": DOCUMENT, "summary": None},
    ]
    with pytest.raises(DataError) as error:
        read(tmp_path, *rows)
    said = str(error.value)
    for part in (
        "line 1, summary: a whole number where a summary is expected; write its text, or a list of texts",
        "line 2, summary: summary 2: empty; give its text, or leave it out of the list",
        "line 3, summary: summary 2: a whole number where a summary is expected",
        "line 4, document: empty",
        "line 5, document: a list where a text is expected",
        "line 6, summary: no label; give the row its summary, or several as a list",
    ):
        assert part in said


def test_a_document_in_parts_is_one_text_with_a_line_each(tmp_path: Path) -> None:
    turns = ["Ann: hi there", "Bob: hello"]
    for given in (turns, json.dumps(turns)):
        (row,) = read(tmp_path, {"dialogue": given, "summary": "hi"}).splits["test"]
        assert row["text"] == "Ann: hi there\nBob: hello"
        assert row["sentence_starts"] == [0, 14]
    assert FORMAT.columns_of([{"dialogue": turns}])["text"] == ["Ann: hi there\nBob: hello"]


def test_the_first_piece_of_each_sentence_carries_its_label() -> None:
    batch = {**FORMAT.columns_of([DOCUMENT, DOCUMENT]), "label": [[SUMMARY], None]}
    found = FORMAT.encode(easy.make_tokenizer(), batch, max_length=32)
    labels, unlabelled = found["labels"]
    assert [label for label in labels if label >= 0] == [0, 1, 0]
    assert [sentence for sentence in found["sentences"][0] if sentence >= 0] == [0, 1, 2]
    places = [index for index, sentence in enumerate(found["sentences"][0]) if sentence >= 0]
    assert [found["piece_starts"][0][place] for place in places] == [0, 11, 23]
    assert [labels[place] for place in places] == [0, 1, 0]
    assert set(unlabelled) == {-100}


def test_a_label_is_in_each_window_in_which_its_sentence_begins() -> None:
    long = " ".join([DOCUMENT] * 4)
    batch = {**FORMAT.columns_of([long]), "label": [[SUMMARY]]}
    found = FORMAT.encode(easy.make_tokenizer(), batch, max_length=16)
    chosen = sentence_labels(long, *(batch[f"sentence_{side}"][0] for side in ("starts", "ends")), [SUMMARY])
    assert chosen == [0, 1, *[0] * 10]
    begun = [
        (sentence, label)
        for sentences, labels in zip(found["sentences"], found["labels"], strict=True)
        for sentence, label in zip(sentences, labels, strict=True)
        if sentence >= 0
    ]
    assert len(found["labels"]) > 1
    assert {sentence for sentence, _ in begun} == set(range(12))
    assert all(label == chosen[sentence] for sentence, label in begun)


def test_a_split_is_encoded_with_its_labels(tmp_path: Path) -> None:
    rows = read(tmp_path, {"document": "今天下雨。我们去北京。", "summary": "去北京"}).splits["test"]
    encoded = encode_split(rows, easy.make_tokenizer(), max_length=32, format=FORMAT)
    assert [label for label in encoded[0]["labels"] if label >= 0] == [0, 1]


def test_rows_are_written_in_the_columns_that_are_read(tmp_path: Path) -> None:
    for given, column in (("one", "summary"), (["one", "two"], "references")):
        rows = read(tmp_path, {"document": DOCUMENT, "summary": given}).splits["test"]
        (written,) = map(FORMAT.writer(rows, FORMAT.scheme([])), rows)
        assert written == {"document": DOCUMENT, column: given}
        assert labels_of(tmp_path, written) == list(rows["label"])


def test_a_changed_document_keeps_its_summary_and_has_its_own_sentences() -> None:
    columns = FORMAT.columns_of([DOCUMENT])
    row = {name: column[0] for name, column in columns.items()} | {"label": [SUMMARY]}
    (part,) = FORMAT.parts(row)
    copy = FORMAT.copy(row, [type(part)("A day. Far.")])
    assert copy == {
        "text": "A day. Far.",
        "sentence_starts": [0, 7],
        "sentence_ends": [6, 11],
        "label": [SUMMARY],
    }


def test_texts_to_predict_that_are_none_are_named() -> None:
    with pytest.raises(DataError, match=r"row 2, document: ''; give a text"):
        FORMAT.columns_of([DOCUMENT, "", {"article": "x"}])
    with pytest.raises(DataError, match="row 1, document: None"):
        FORMAT.columns_of([{"number": 3}])


def test_documents_of_one_sentence_are_reported(tmp_path: Path) -> None:
    rows = read(tmp_path, *({"document": f"One of {n}", "summary": "One"} for n in range(3))).splits["test"]
    said = FORMAT.length_warning(rows, easy.make_tokenizer())
    assert said is not None
    assert said.startswith("3 of 3 train documents have one sentence")
    more = read(tmp_path, {"document": DOCUMENT, "summary": "One"}).splits["test"]
    assert FORMAT.length_warning(more, easy.make_tokenizer()) is None
