from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests import easy

from tinybert.inference import Predictor, choice
from tinybert.inference.exports import exports_of
from tinybert.models import load_config

TEXTS = [str(row["text"]) for row in easy.make_rows(6, seed=9)]


@pytest.fixture
def exported(exported_teacher: Path) -> Path:
    return exported_teacher


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Let fp32 be the faster one, and note what is measured."""
    monkeypatch.setenv("TINYBERT_CACHE", str(tmp_path / "cache"))
    calls: list[str] = []

    def product(export: object, config: object) -> float:
        calls.append(export.name)
        return 1.0 if export.name == "onnx-fp32" else 2.0

    monkeypatch.setattr(choice, "_product", product)
    return calls


def test_the_fastest_is_measured_once_and_remembered(exported: Path, measured: list[str]) -> None:
    assert Predictor(exported).backend == "onnx-fp32"
    assert sorted(measured) == ["onnx-fp32", "onnx-int8"]
    assert Predictor(exported).backend == "onnx-fp32"
    assert len(measured) == 2


def test_another_number_of_threads_or_another_export_is_measured_anew(
    exported: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Predictor(exported)
    monkeypatch.setattr(choice, "num_threads", lambda: 7)
    Predictor(exported)
    assert len(measured) == 4
    other = shutil.copytree(exported, tmp_path / "other")
    facts = other / "exports" / "onnx-int8" / "export.json"
    known = json.loads(facts.read_text())
    known["files"]["onnx/model_quantized.onnx"] = "0" * 64
    facts.write_text(json.dumps(known))
    choice.fastest(exports_of(other), load_config(other))
    assert len(measured) == 6


def test_a_damaged_memory_is_measured_anew(exported: Path, measured: list[str], tmp_path: Path) -> None:
    Predictor(exported)
    for file in (tmp_path / "cache" / "engines").iterdir():
        file.write_text("{")
    assert Predictor(exported).backend == "onnx-fp32"
    assert len(measured) == 4


def test_a_cache_that_cannot_be_written_does_no_harm(
    exported: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYBERT_CACHE", str(tmp_path / "file"))
    assert Predictor(exported).backend == "onnx-fp32"


def test_the_real_measurement_gives_a_time(exported: Path) -> None:
    for each in exports_of(exported):
        assert 0 < choice._product(each, load_config(exported)) < 1e6


def test_without_exports_the_checkpoint_answers(tiny_teacher: Path) -> None:
    assert Predictor(tiny_teacher).backend == "torch"


def test_exports_whose_runtime_is_missing_are_passed_over(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "is_installed", lambda backend: False)
    assert Predictor(exported).backend == "torch"
