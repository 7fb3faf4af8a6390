"""Where several columns have a usual name, the one that is read is named."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.command import call

import tinybert
from tinybert.advice import advise
from tinybert.config import DataSection
from tinybert.data import TextData, load
from tinybert.data.columns import header_problems
from tinybert.tasks import BUILTIN

MANY = {"question": "q", "question2": "w", "text": "good", "content": "c", "label": "x", "score": "1"}
TEXT = "the text is read from 'text'; to read 'question' or 'content' instead: data.text=question"
LABEL = "the label is read from 'label'; to read 'score' instead: data.label=score"
PAIRS = "rows are read as pairs: 'text', and 'question2' as the second text"


def read(row: dict[str, object], *, task: str = "classification", **settings: object) -> TextData:
    splits = {name: [row] for name in ("train", "validation", "test")}
    return load(
        splits,
        settings=DataSection(max_leakage=1, **settings),  # type: ignore[arg-type]
        format=BUILTIN[task].format,
        need=("test",),
    )


def test_what_is_read_is_said_once_for_all_files() -> None:
    found = read(MANY)
    assert found.warnings == [TEXT, LABEL, PAIRS]
    assert found.splits["test"][0]["text"] == "good"
    assert found.splits["test"][0]["text_pair"] == "w"


def test_what_was_named_is_not_doubted() -> None:
    assert read(MANY, text="text", label="label").warnings == []
    assert read(MANY, text="content", text_pair="question2", label="score").warnings == []
    assert read(MANY, label="label").warnings == [TEXT, PAIRS]
    assert read({"text": "good", "label": "x", "note": "no usual name"}).warnings == []


def test_a_column_that_may_be_a_second_text_is_named_where_it_is_not_read() -> None:
    row = {"Title": "a", "text": "good", "body": "b", "label": "x"}
    said = "only 'text' is read as the text; columns 'Title', 'body' are not read"
    assert read(row).warnings == [f"{said} (as the second text: data.text_pair=Title)"]
    assert read(row, text_pair="body").warnings == []
    assert read(row, text="text").warnings == []
    assert read({"text": "good", "answer": "x"}, label="answer").warnings == []
    assert read({"text": "good", "sentence2": "w", "title": "a", "label": "x"}).warnings == []


def test_columns_that_belong_together_are_no_choice() -> None:
    words = {
        "tokens": ["good", "film"],
        "tags": ["O", "B-F"],
        "text": "good film",
        "sentence": 3,
        "label": "x",
    }
    assert read(words, task="ner").warnings == []
    question = {"id": "1", "title": "t", "question": "q", "context": "an answer", "answers": []}
    assert read(question, task="qa").warnings == []
    assert read({"sentence1": "good", "sentence2": "bad", "label": "x"}).warnings == []


def test_the_fix_is_an_option_where_options_are_given() -> None:
    with advise("option"):
        assert read(MANY).warnings[0].endswith("instead: --text question")


@pytest.mark.parametrize("is_file", [True, False])
def test_prediction_says_which_text_it_reads(
    is_file: bool, tiny_teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame([{"sentence": "good", "content": "bad", "label": "x"}])
    if is_file:
        frame.to_csv(tmp_path / "rows.csv", index=False)
        call("predict", tiny_teacher, "--input", tmp_path / "rows.csv")
    else:
        tinybert.predict(tiny_teacher, frame)
    captured = capsys.readouterr()
    assert "'sentence' is read as the text; it could be 'content' too" in captured.err
    tinybert.predict(tiny_teacher, frame[["sentence", "label"]])
    assert capsys.readouterr().err == ""


def test_a_header_is_asked_for_only_where_a_table_as_text_may_lack_one() -> None:
    format = BUILTIN["classification"].format
    assert header_problems("a.csv", ["good film", "1"], format)
    assert not header_problems("a.csv", ["text", "1"], format)
    assert not header_problems("a.jsonl", ["good film", "1"], format)
    assert not header_problems("rows", ["good film", "1"], format)
