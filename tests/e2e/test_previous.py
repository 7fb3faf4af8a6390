"""Runs, exports and half made work of the previous version open, predict, export and resume as before.

``tests/previous/make.py`` says how they were made.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.command import call
from tests.previous import make

from tinybert import open_run

PREVIOUS = Path(make.__file__).parent
ROWS = {
    "finetuned": "keywords",
    "distilled": "keywords",
    "pairs": "pairs",
    "entities": "entities",
    "questions": "questions",
}
TASKS = {"entities": "ner", "questions": "qa"}
STUDENTS = {"distilled": "student"}
# int8 kernels round differently on processors with and without VNNI
TOLERANCES = {"torch": 1e-5, "onnx-int8": 0.02}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, as the working folder, for its paths are relative."""
    copy = Path(shutil.copytree(PREVIOUS, tmp_path / "previous"))
    monkeypatch.chdir(copy)
    return copy


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def predicted(run: str, backend: str, target: Path) -> list[dict[str, object]]:
    source = f"rows/{ROWS.get(run, 'keywords')}/test.jsonl"
    call("predict", run, "--input", source, "--output", target, "--backend", backend)
    return read(target)


def assert_same(ours: object, recorded: object, *, tolerance: float) -> None:
    """Equal but for numbers, which may differ by a tolerance; what came later may be there too."""
    if isinstance(recorded, dict):
        for name, value in recorded.items():
            assert_same(ours[name], value, tolerance=tolerance)
    elif isinstance(recorded, list):
        assert len(ours) == len(recorded)
        for one, other in zip(ours, recorded, strict=True):
            assert_same(one, other, tolerance=tolerance)
    elif isinstance(recorded, float):
        assert ours == pytest.approx(recorded, abs=tolerance)
    else:
        assert ours == recorded


@pytest.mark.parametrize("name", ROWS)
def test_a_run_opens(folder: Path, name: str) -> None:
    run = open_run(name)
    assert run.metrics == json.loads((PREVIOUS / name / "metrics.json").read_text())
    assert run.recipe.task == TASKS.get(name, "classification")
    assert run.recipe.stage == ("distill" if name == "distilled" else "finetune")
    assert run.recipe.data.path == f"rows/{ROWS[name]}"
    assert run.log[-1]["epoch"] == run.recipe.train.num_epochs
    assert run.inputs.keys() >= {"data"}


@pytest.mark.parametrize(
    ("name", "backend"), [*((name, "torch") for name in ROWS), ("distilled", "onnx-int8")]
)
def test_a_run_predicts_as_before(folder: Path, name: str, backend: str) -> None:
    recorded = read(PREVIOUS / "predictions" / f"{name}-{backend}.jsonl")
    ours = predicted(name, backend, folder / "ours.jsonl")
    assert_same(ours, recorded, tolerance=TOLERANCES[backend])


@pytest.mark.parametrize("name", ROWS)
def test_a_run_is_evaluated_as_before(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    call("evaluate", name, f"rows/{ROWS[name]}", "--json", "--backend", "torch")
    shown = json.loads(capsys.readouterr().out)
    recorded = open_run(name).metrics[STUDENTS.get(name, "model")]["test"]
    assert len(recorded) > 2
    assert_same(shown, recorded, tolerance=1e-5)


@pytest.mark.parametrize(
    "name", ["pairs", *(pytest.param(each, marks=pytest.mark.slow) for each in ("entities", "questions"))]
)
def test_a_run_is_exported_from_its_own_rows(folder: Path, name: str) -> None:
    call("export", name, "--precision", "fp32")
    recorded = read(PREVIOUS / "predictions" / f"{name}-torch.jsonl")
    assert_same(predicted(name, "onnx-fp32", folder / "ours.jsonl"), recorded, tolerance=1e-4)


def test_an_export_is_known_and_can_be_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", "distilled", "--precision", "int8", "--min-kept", "0.8"]
    file = folder / "distilled" / "exports" / "onnx-int8" / "onnx" / "model_quantized.onnx"
    before = file.stat().st_mtime_ns
    call("export", "distilled", "--check", "--min-kept", "0.8")
    call(*words)
    assert "nothing to do" in capsys.readouterr().err
    assert file.stat().st_mtime_ns == before
    call(*words, "--data", "rows/keywords")
    assert file.stat().st_mtime_ns > before
    recorded = read(PREVIOUS / "predictions" / "distilled-onnx-int8.jsonl")
    ours = predicted("distilled", "onnx-int8", folder / "ours.jsonl")
    assert_same(ours, recorded, tolerance=TOLERANCES["onnx-int8"])


def test_a_killed_run_is_finished_by_its_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(*make.UNFINISHED)
    said = capsys.readouterr().err
    assert "Epoch 1," not in said
    assert "Epoch 6," in said
    assert not (folder / ".unfinished.partial").exists()
    recorded = read(PREVIOUS / "predictions" / "unfinished-torch.jsonl")
    assert_same(predicted("unfinished", "torch", folder / "ours.jsonl"), recorded, tolerance=1e-5)


def test_a_half_written_file_of_predictions_is_finished_by_its_command(folder: Path) -> None:
    rows = make.write_many()
    state = json.loads(Path("half.csv.partial.json").read_text())
    state["made_from"]["input"] = str(rows.resolve())
    for name in state["made_from"]["files"]:
        stat = Path(name).stat()
        state["made_from"]["files"][name] = [stat.st_size, stat.st_mtime_ns]
    Path("half.csv.partial.json").write_text(json.dumps(state))
    half = Path("half.csv.partial").read_bytes()[: state["num_bytes"]]
    marked = half.replace(b"carl", b"CARL", 1)  # what is there is kept, not written again
    Path("half.csv.partial").write_bytes(marked)
    call(*make.HALF)
    call(*make.HALF[:-1], "whole.csv")
    finished, whole = Path("half.csv").read_bytes(), Path("whole.csv").read_bytes()
    assert finished.startswith(marked)
    before = half.decode().splitlines()
    ours = whole.decode().splitlines()
    assert finished.decode().splitlines()[len(before) :] == ours[len(before) :]
    for line, own in zip(before[1:], ours[1 : len(before)], strict=True):
        (fields, score), (own_fields, own_score) = line.rsplit(",", 1), own.rsplit(",", 1)
        assert fields == own_fields
        assert float(score) == pytest.approx(float(own_score), abs=1e-5)  # another processor wrote it
    assert not list(folder.glob("half.csv.*"))
