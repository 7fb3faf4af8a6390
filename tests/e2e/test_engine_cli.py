"""The engine as a user meets it: export, predict, bench and a budget from the command line."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests import easy
from tests.command import call, kill_when, refused

from tinybert.cli import main
from tinybert.inference import bench

MAIN = """
import signal
from tinybert.cli import main
main()
"""


@pytest.fixture(scope="module")
def run(tiny_teacher: Path, easy_rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student, whose run knows the rows it was trained on."""
    out = tmp_path_factory.mktemp("engine") / "run"
    call(
        "distill",
        easy_rows,
        "--teacher",
        tiny_teacher,
        "--out",
        out,
        *easy.TINY_STUDENT,
        *easy.FAST,
        "baseline=false",
    )
    return out


def test_export_check_predict_and_evaluate(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("export", run, "--format", "onnx", "--precision", "int8")
    said = capsys.readouterr()
    assert "equal predictions" in said.out
    assert f"export: {run / 'exports' / 'onnx-int8'}" in said.out
    call("export", run, "--precision", "fp32", "--json")
    assert json.loads(capsys.readouterr().out)["onnx-fp32"]["equal"] == 1
    call("export", run, "--check")
    assert capsys.readouterr().out.count("kept") == 2

    call("predict", run, "a good bab", "an awful bab", "--backend", "onnx-int8")
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["label"] for answer in answers] == ["positive", "negative"]
    rows = easy.write_rows(tmp_path / "rows.jsonl", easy.make_rows(20))
    call("evaluate", run, rows, "--json", "--backend", "onnx-int8")
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.8


@pytest.mark.slow
def test_bench(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (run / "exports" / "onnx-int8").is_dir():
        call("export", run, "--precision", "int8")
    for name, value in {
        "LATENCY_ROWS": 20,
        "BLOCK_ROWS": 10,
        "THROUGHPUT_ROWS": 20,
        "LENGTHS": (16,),
    }.items():
        monkeypatch.setattr(bench, name, value)
    call("bench", run, "--batch", "1,8", "--out", tmp_path / "bench")
    table = capsys.readouterr().out
    assert all(name in table for name in ("onnx-int8", "torch-bf16", "start-up s", "rows/s ×8", "8 × 16"))
    assert (tmp_path / "bench" / "bench.png").is_file()
    said = refused(capsys, "bench", run, "--batch", "many")
    assert "bench.batch_sizes.0 = 'many': must be a whole number" in said


def test_a_long_text_and_bad_rows_are_told(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"text": "good " * 100_000}, {"text": ""}, {"text": "bad"}]
    source = easy.write_rows(tmp_path / "rows.jsonl", rows)
    call("predict", run, "--input", source, "--output", tmp_path / "out.csv", "--backend", "torch")
    said = capsys.readouterr().err
    assert "line 2, text: ''; give a text, a str with a visible character" in said
    assert "1 of 3 rows have no prediction, they are in" in said
    assert "1 texts were truncated to" in said
    call("predict", run, "good " * 1000, "--backend", "torch")
    assert "1 texts were truncated to" in capsys.readouterr().err


def words_of(run: Path, source: Path, target: Path) -> list[str]:
    return ["predict", str(run), "--backend", "torch", "--input", str(source), "--output", str(target)]


@pytest.mark.slow
def test_a_killed_prediction_goes_on(run: Path, tmp_path: Path) -> None:
    rows = easy.make_rows(400)
    source = easy.write_rows(tmp_path / "rows.jsonl", rows * 40)
    whole, target = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    state = tmp_path / "out.jsonl.partial.json"
    kill_when(words_of(run, source, target), state.is_file)
    assert not target.exists()
    before = json.loads(state.read_text())["num_read"]
    assert 0 < before < len(rows) * 40
    call("predict", run, "--backend", "torch", "--input", source, "--output", target)
    call("predict", run, "--backend", "torch", "--input", source, "--output", whole)
    assert target.read_bytes() == whole.read_bytes()


def test_ctrl_c_stops_at_once_and_says_how_to_go_on(run: Path, tmp_path: Path) -> None:
    source = easy.write_rows(tmp_path / "rows.jsonl", easy.make_rows(400) * 200)
    words = [sys.executable, "-c", MAIN, *words_of(run, source, tmp_path / "out.jsonl")]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    state = tmp_path / "out.jsonl.partial.json"
    while not state.is_file() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "give the same command again to resume" in said
    assert "Traceback" not in said


def test_a_budget_that_nobody_keeps_exits_with_1(
    easy_rows: Path,
    tiny_teacher: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tinybert.search.measuring.ENGINES", ("torch",))
    words = [
        "distill",
        easy_rows,
        "--teacher",
        tiny_teacher,
        "--out",
        tmp_path / "run",
        "--student",
        "2l-128d",
    ]
    words += ["--max-latency-ms", "0.000001", *easy.FAST, *easy.TINY_STUDENT]
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert "too slow" in said
    assert "no student fits, so none was trained" in said
    assert "Traceback" not in said


def test_what_is_missing_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "has no export openvino-bf16" in refused(
        capsys, "predict", run, "good", "--backend", "openvino-bf16"
    )
    assert "unknown; did you mean 'onnx-int8'?" in refused(
        capsys, "predict", run, "good", "--backend", "onnx-int"
    )
    assert "no such file or folder" in refused(capsys, "export", tmp_path / "nothing")
    bare = Path(shutil.copytree(run, tmp_path / "bare"))
    (bare / "recipe.yaml").unlink()
    shutil.rmtree(bare / "exports", ignore_errors=True)
    assert "no rows of its own are known" in refused(capsys, "export", bare)
