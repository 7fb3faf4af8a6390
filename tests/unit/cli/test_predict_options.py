"""What ``predict`` is given: options that do not go together, texts with a dash, texts that are files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.command import call, refused

from tinybert.cli.app import dash_hint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], ["give either texts or --input FILE"]),
        (["good", "--input", "rows.csv"], ["give either texts or --input FILE"]),
        (["good", "--encoding", "gb18030"], ["--encoding is that of --input or --context-file"]),
        (["good", "--text-pair", " "], ["--text-pair is empty"]),
        (["good", "--context", "a", "--context-file", "b.txt"], ["either --context or --context-file"]),
        (
            ["good", "--output", "o.jsonl", "--encoding", "big5"],
            ["--output goes with --input", "--encoding is that of", "2 problems"],
        ),
        (["--input", "rows.csv", "--context-file", "b.txt"], ["a file has a column of contexts"]),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(
    words: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = refused(capsys, "predict", "none", *words)
    assert all(part in shown for part in said)


@pytest.mark.parametrize("text", ["-5 degrees", "--good film", "– good"])
def test_a_text_that_begins_with_a_dash_is_taken_behind_two_dashes(
    text: str, tiny_teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text.startswith("-"):
        assert f"behind two dashes: -- '{text}'" in refused(capsys, "predict", tiny_teacher, text)
    call("predict", tiny_teacher, "--", text)
    assert json.loads(capsys.readouterr().out)["text"] == text


def test_a_misspelt_option_and_a_number_are_no_text() -> None:
    assert dash_hint(["predict", "RUN", "-5", "--encodng", "big5", "--split=dev"]) == ""
    for words in (
        ["finetune", "data.csv", "-o", "run"],
        ["predict", "RUN", "-o", "a"],
        ["bench", "-5 degrees"],
    ):
        assert dash_hint(words) == ""
    assert "--text-pair='-5 degrees'" in dash_hint(["predict", "RUN", "good", "--text-pair", "-5 degrees"])


def test_a_text_that_is_a_file_is_reported(
    tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.csv").write_text("text\nbad\n")
    call("predict", tiny_teacher, "good.csv", "none.csv", "good")
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 3
    assert captured.err.count("is a file, and is predicted as a text") == 1
    assert "to predict the rows in it: --input good.csv" in captured.err
