"""``predict`` and ``evaluate`` with settings of decoding, and what is said of texts that were cut."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import pytest
from tests.command import call, refused
from tests.unit.cli.test_functions import defaults

import tinybert
from tinybert.cli.options import SearchOptions, WritingOptions
from tinybert.inference.generation_options import NAMES

FEW = ("--num-beams", 2, "--max-new-tokens", 5)


def test_options_and_arguments_are_the_settings_of_a_predictor() -> None:
    for options, function in ((WritingOptions, tinybert.predict), (SearchOptions, tinybert.evaluate)):
        given = {field.name: field.default for field in dataclasses.fields(options)}
        assert set(given) <= set(NAMES)
        arguments = defaults(function)
        assert given == {name: arguments[name] for name in NAMES if name in arguments}
    assert {field.name for field in dataclasses.fields(WritingOptions)} == set(NAMES)


def test_json_holds_all_texts_of_a_row_and_says_which_were_cut(
    tiny_writer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("predict", tiny_writer, "good bab", "你好", *FEW, "--num-return", 2)
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    texts = tinybert.predict(tiny_writer, ["good bab", "你好"], num_beams=2, max_new_tokens=5, num_return=2)
    for row, text in zip(rows, texts, strict=True):
        assert [each["text"] for each in row["candidates"]] == [each.text for each in text.candidates]
        assert row["prediction"] == row["candidates"][0]["text"]
        assert all(each["is_finished"] or each["num_tokens"] == 5 for each in row["candidates"])
    num_cut = sum(not all(each["is_finished"] for each in row["candidates"]) for row in rows)
    assert num_cut == 2
    assert "2 rows were cut: not at an end after 5 tokens; give more with --max-new-tokens" in captured.err


def test_a_terminal_shows_a_line_for_each_text(
    tiny_writer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tinybert.console.is_terminal", lambda stream: True)
    call(
        "predict", tiny_writer, "good bab", "--sample", "--seed", 1, "--max-new-tokens", 5, "--num-return", 3
    )
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_file_counts_what_was_cut_and_is_not_resumed_with_other_settings(
    tiny_writer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("source\ngood bab\n你好\n", encoding="utf-8")
    words = ("predict", tiny_writer, "--input", source, "--output", target)
    call(*words, *FEW, "--num-return", 2)
    assert "2 rows were cut" in capsys.readouterr().err
    with target.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["row"] for row in rows] == ["1", "1", "2", "2"]
    assert "made with other generation" in refused(capsys, *words, *FEW)


def test_wrong_settings_are_listed_and_refused(tiny_writer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = refused(capsys, "predict", tiny_writer, "good", "--num-beams", 0, "--top-p", 0.5)
    assert "2 problems" in shown
    assert "num_beams = 0: allowed are whole numbers from 1 to 64" in shown
    assert "top_p: read in sampling only" in shown
    shown = refused(capsys, "predict", tiny_writer, "good", "--num-beams", 2, "--sample")
    assert "sampling has one beam; give num_beams of 1" in shown


def test_a_split_is_scored_with_other_settings(
    tiny_writer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (text,) = tinybert.predict(tiny_writer, ["good bab"], num_beams=1, max_new_tokens=5)
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"source": "good bab", "target": text.text}) + "\n", encoding="utf-8")
    call("evaluate", tiny_writer, rows, "--num-beams", 1, "--max-new-tokens", 5, "--json")
    same = json.loads(capsys.readouterr().out)
    assert same["chrf"] == pytest.approx(100)
    assert tinybert.evaluate(tiny_writer, rows, num_beams=1, max_new_tokens=5) == same
    assert tinybert.evaluate(tiny_writer, rows, num_beams=1, max_new_tokens=1)["chrf"] < 100


def test_a_classifier_refuses_settings_of_decoding(
    tiny_teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "writes no texts" in refused(capsys, "predict", tiny_teacher, "good", "--num-beams", 1)
