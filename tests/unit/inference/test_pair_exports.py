from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests import encdec
from tests.command import call, refused

from tinybert.errors import ModelError, RecipeError
from tinybert.evaluation.report.bench import bench_table
from tinybert.inference import Predictor, bench, choice
from tinybert.inference.bench import (
    Measured,
    Subject,
    disk_bytes,
    footprint,
    measure_all,
    model_bytes,
    subjects_of,
    throughputs,
)
from tinybert.inference.export import check_format, tolerance_of, write_unproved
from tinybert.inference.exports import exports_of, read_export
from tinybert.inference.files import _made_from
from tinybert.inference.parity import Parity, parity_table
from tinybert.models import load_config
from tinybert.stages.export import check_exports, proof_rows
from tinybert.tasks import BUILTIN

SOURCES = encdec.make_sources(20, seed=3)
FILES = ("onnx/encoder_model.onnx", "onnx/decoder_model_merged.onnx")


def test_an_export_writes_the_texts_of_its_checkpoint(exported_pair: Path) -> None:
    own, other = (Predictor(exported_pair, backend=name)(SOURCES) for name in ("torch", "onnx-fp32"))
    assert [text.as_label() for text in other] == [text.as_label() for text in own]
    assert [text.score for text in other] == pytest.approx([text.score for text in own], abs=1e-3)
    assert len({text.as_label() for text in own}) > 10


def test_parity_is_measured_of_texts(exported_pair: Path) -> None:
    full, int8 = (read_export(exported_pair / "exports" / name) for name in ("onnx-fp32", "onnx-int8"))
    parity = full.metadata["parity"]
    assert (parity["writes"], parity["equal"], parity["num_rows"]) == (True, 1, 24)
    assert parity["metric"] == "bleu"
    assert [parity["checkpoint_score"], parity["export_score"]] == pytest.approx([100, 100])
    assert full.metadata["tolerance"]["min_equal"] == 0.99
    assert int8.metadata["tolerance"] == {
        "max_difference": None,
        "mean_difference": 0.1,
        "min_equal": 0.0,
        "min_kept": 0.1,
    }
    assert sorted(full.metadata["files"])[-2:] == ["tokenizer.json", "tokenizer_config.json"]
    assert set(FILES) < set(full.metadata["files"])
    assert "generation_config.json" in full.metadata["files"]


def test_exports_are_checked_again_by_the_tolerance_of_texts(exported_pair: Path) -> None:
    rows = exported_pair / "rows.jsonl"
    found = check_exports(exported_pair, data=rows, min_kept=0.1)
    assert set(found) == {"onnx-fp32", "onnx-int8"}
    assert all(parity.writes for parity in found.values())


def test_int8_is_proved_by_the_metric_and_fp32_by_the_texts_too() -> None:
    parity = Parity(100, 5.0, 0.05, 0.6, "bleu", 30.0, 29.7, writes=True)
    int8, full = tolerance_of("int8", None, writes=True), tolerance_of("fp32", None, writes=True)
    assert parity.failures(int8) == []
    assert parity_table(parity, int8)[3] == ["equal predictions", "60.00%", ""]
    assert len(parity.failures(full)) == 2
    worse = Parity(100, 5.0, 0.05, 0.6, "bleu", 30.0, 29.0, writes=True)
    assert worse.failures(int8) == ["bleu 29.0000, 96.67% of the checkpoint's 30.0000 (at least: 98.00%)"]


def test_an_export_that_is_copied_away_writes_alone(exported_pair: Path, tmp_path: Path) -> None:
    away = Path(shutil.copytree(exported_pair / "exports" / "onnx-int8", tmp_path / "away"))
    assert Predictor(away)(SOURCES) == Predictor(exported_pair, backend="onnx-int8")(SOURCES)


def test_the_fastest_is_measured_by_writing(exported_pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "REPEATS", 1)
    config = load_config(exported_pair)
    for each in exports_of(exported_pair):
        assert 0 < choice._product(each, config) < 1e6
    assert Predictor(exported_pair).backend in ("onnx-fp32", "onnx-int8")


def test_all_files_of_a_model_count(exported_pair: Path) -> None:
    full, int8 = (Predictor(exported_pair, backend=name) for name in ("onnx-fp32", "onnx-int8"))
    folder = exported_pair / "exports" / "onnx-fp32"
    assert model_bytes(full) == sum((folder / name).stat().st_size for name in FILES)
    assert model_bytes(full) > model_bytes(int8)
    assert disk_bytes(full) > model_bytes(full)
    source = exported_pair / "rows.jsonl"
    assert {str(folder / name) for name in FILES} <= set(_made_from(full, source)["files"])


def test_tokens_a_second_are_those_that_are_written(
    exported_pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"THROUGHPUT_ROWS": 8, "REPEATS": 1}.items():
        monkeypatch.setattr(bench, name, value)
    predictor = Predictor(exported_pair, backend="onnx-fp32")
    ((rows_per_s, tokens_per_s),) = throughputs([predictor], SOURCES, batch_size=4)
    written = sum(text.num_tokens for text in predictor(SOURCES[:8]))
    assert tokens_per_s == pytest.approx(rows_per_s * written / 8)


def test_bench_of_models_that_write(exported_pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"LATENCY_ROWS": 4, "BLOCK_ROWS": 2, "WARM_ROWS": 1, "THROUGHPUT_ROWS": 8, "REPEATS": 1}
    for name, value in few.items():
        monkeypatch.setattr(bench, name, value)
    cost = {"memory_mb": 2.0, "memory_of_libraries_mb": 1.0, "start_up_s": 1.0}
    monkeypatch.setattr(bench, "footprint", lambda subject, rows: cost)
    proof = proof_rows(exported_pair, exported_pair / "rows.jsonl", None)
    _, half, *exports = subjects_of(str(exported_pair))
    assert [each.backend for each in (half, *exports)] == ["torch-bf16", "onnx-fp32", "onnx-int8"]
    found = measure_all(exports, proof.rows, batch_sizes=[4])
    assert found[0].score == pytest.approx(100)
    assert all(each.tokens_per_s["4"] >= each.rows_per_s["4"] > 0 for each in found)
    assert all(each.rows_per_s_by_length == {} for each in found)
    header, first, *_ = bench_table(found, "bleu")
    assert first[header.index("tokens/s ×4")] == f"{found[0].tokens_per_s['4']:,.0f}"
    assert not any("tokens/s" in name for name in bench_table([Measured("a", "torch")], "accuracy")[0])


@pytest.mark.slow
def test_footprint_of_a_model_that_writes(exported_pair: Path) -> None:
    cost = footprint(Subject("pair", str(exported_pair), "onnx-int8"), SOURCES[:2])
    assert cost["memory_mb"] > cost["memory_of_libraries_mb"] > 50


@pytest.mark.slow
def test_an_export_without_parity_is_written_too(exported_pair: Path, tmp_path: Path) -> None:
    folder = encdec.save(tmp_path / "pair")
    made = write_unproved(folder, "onnx", "fp32", task=BUILTIN["seq2seq"])
    assert Predictor(made, check=False)(SOURCES) == Predictor(exported_pair, backend="onnx-fp32")(SOURCES)


@pytest.mark.parametrize("format", ["openvino", "litert"])
def test_a_format_that_has_no_such_models_is_refused(exported_pair: Path, format: str) -> None:
    with pytest.raises(RecipeError, match=f"'{format}': not for models that write texts; take --format onnx"):
        check_format(format, "int8", load_config(exported_pair))


def test_an_unknown_encoder_decoder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "marian", "pad_token_id": 0}))
    with pytest.raises(ModelError, match="model_type marian: cannot be exported"):
        check_format("onnx", "int8", load_config(tmp_path))


def test_the_commands(exported_pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = exported_pair / "rows.jsonl"
    targets = [json.loads(line)["target"] for line in rows.read_text().splitlines()]
    for backend in ("torch", "onnx-fp32"):
        target = tmp_path / f"{backend}.jsonl"
        call("predict", exported_pair, "--input", rows, "--output", target, "--backend", backend)
        written = [json.loads(line)["prediction"] for line in target.read_text().splitlines()]
        assert written == targets
    capsys.readouterr()
    call("evaluate", exported_pair, rows, "--json", "--backend", "onnx-fp32")
    assert json.loads(capsys.readouterr().out)["bleu"] == pytest.approx(100)
    call("export", exported_pair, "--check", "--data", rows, "--min-kept", "0.1")
    assert capsys.readouterr().out.count("bleu of the export") == 2
    said = refused(capsys, "export", exported_pair, "--format", "openvino", "--data", rows)
    assert "not for models that write texts; take --format onnx" in said
