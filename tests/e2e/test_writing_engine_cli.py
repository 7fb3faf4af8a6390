"""A run that writes texts from the command line: exported on its own rows, then used and compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests import writing
from tests.command import call

from tinybert.inference import bench

FEW = {"LATENCY_ROWS": 4, "BLOCK_ROWS": 2, "WARM_ROWS": 1, "THROUGHPUT_ROWS": 8, "REPEATS": 1}


@pytest.mark.slow
def test_a_run_is_exported_and_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    rows, run = writing.write_splits(tmp_path / "rows", train=300), tmp_path / "run"
    settings = ["train.num_epochs=1", "train.precision=fp32", "generation.max_new_tokens=8"]
    pair = writing.save_pair(tmp_path / "pair")
    call("finetune", rows, "--task", "seq2seq", "--model", pair, *settings, "--out", run)
    call("export", run, "--precision", "fp32")
    parity = json.loads((run / "exports" / "onnx-fp32" / "export.json").read_text())["parity"]
    assert (parity["equal"], parity["num_rows"]) == (1, 20)
    written: list[str] = []
    for backend in ("torch", "onnx-fp32"):
        target = tmp_path / f"{backend}.jsonl"
        call("predict", run, "--input", rows / "test.jsonl", "--output", target, "--backend", backend)
        written.append("".join(json.loads(line)["prediction"] for line in target.read_text().splitlines()))
    assert written[0] == written[1] != ""
    capsys.readouterr()
    call("evaluate", run, rows / "test.jsonl", "--json", "--backend", "onnx-fp32")
    assert json.loads(capsys.readouterr().out)["bleu"] >= 0
    for name, value in FEW.items():
        monkeypatch.setattr(bench, name, value)
    call("bench", run, "--batch", "4", "--out", tmp_path / "bench")
    table = capsys.readouterr().out
    assert "tokens/s ×4" in table
    assert "onnx-fp32" in table
    assert (tmp_path / "bench" / "bench.html").read_text().count("tokens/s ×4") == 1
