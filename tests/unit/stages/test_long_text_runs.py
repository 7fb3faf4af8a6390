"""A run whose rows are longer than its model reads: trained, scored, predicted and exported alike."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from tests import easy
from tests.command import call, metrics_of, refused

from tinybert import Predictor
from tinybert.config import build_recipe
from tinybert.errors import RecipeError
from tinybert.stages.pipeline import make_plan

WINDOWS = ["data.max_length=16", "data.long_text=windows", "data.window_pooling=max", "data.max_windows=4"]
NOTES = {"long_text": "windows", "window_pooling": "max", "max_windows": 4}


def long_rows(count: int) -> list[easy.Row]:
    rng = random.Random(0)
    rows: dict[str, easy.Row] = {}
    while len(rows) < count:
        label = easy.LABELS[len(rows) % 2]
        words = rng.choices(easy.NOISE, k=rng.choice([5, 20, 32]))
        words.insert(rng.randrange(len(words) + 1), rng.choice(easy.KEYWORDS[label]))
        rows[" ".join(words)] = {"text": " ".join(words), "label": label}
    return list(rows.values())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = long_rows(112)
    splits = {"train": rows[:48], "validation": rows[48:80], "test": rows[80:]}
    return easy.write_splits(tmp_path_factory.mktemp("long"), splits)


@pytest.fixture(scope="module")
def command(data: Path, tiny_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    out = tmp_path_factory.mktemp("runs") / "student"
    layers = "distill.losses={hidden_state_mse: 1, kl_divergence: 1, hard: 0.1}"
    words = ["--teacher", tiny_teacher, "--out", out, *easy.FAST, *WINDOWS, layers, *easy.TINY_STUDENT]
    return ["distill", data, *words]


@pytest.fixture(scope="module")
def run(command: list[object]) -> Path:
    call(*command)
    return Path(str(command[5]))


def test_teacher_student_and_baseline_are_scored_on_pooled_logits(run: Path, data: Path) -> None:
    scores = metrics_of(run)
    texts = [json.loads(line)["text"] for line in (data / "test.jsonl").read_text().splitlines()]
    first = Predictor(run, format=type(Predictor(run).task.format)()).logits(texts)  # their beginnings
    assert (first != Predictor(run).logits(texts)).any()
    assert scores["teacher"]["test"]["accuracy"] > 0.8  # type: ignore[index]
    assert scores["student"]["test"]["accuracy"] > 0.6  # type: ignore[index]


def test_the_run_remembers_how_it_reads(run: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads((run / "config.json").read_text())["tinybert"] == {"text_pair": False, **NOTES}
    capsys.readouterr()
    call("evaluate", run, data, "--json")
    shown = json.loads(capsys.readouterr().out)
    recorded = metrics_of(run)["student"]["test"]
    assert {name: shown[name] for name in recorded} == pytest.approx(recorded)  # type: ignore[union-attr]


def test_its_export_pools_too(run: Path, data: Path, tmp_path: Path) -> None:
    call("export", run, "--precision", "fp32")
    texts = [json.loads(line)["text"] for line in (data / "test.jsonl").read_text().splitlines()]
    alone = Predictor(run / "exports" / "onnx-fp32")
    assert alone.backend == "onnx-fp32"
    assert alone.logits(texts) == pytest.approx(Predictor(run, backend="torch").logits(texts), abs=1e-4)
    out = tmp_path / "out.jsonl"
    call("predict", run, "--input", data / "test.jsonl", "--output", out, "--backend", "onnx-fp32")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["text"] for row in rows] == texts
    assert [row["label"] for row in rows] == [each.fields()["label"] for each in alone(texts)]


def test_another_rule_is_another_run(
    run: Path, command: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, *command, "data.long_text=head_tail", "data.window_pooling=mean")
    assert "data.long_text" in said


@pytest.mark.parametrize(
    ("task", "overrides", "said"),
    [
        ("classification", ["data.long_text=window"], "data.long_text"),
        ("classification", ["data.window_pooling=max"], "only data.long_text=windows uses it"),
        ("classification", ["data.max_windows=4", "data.long_text=head_tail"], "data.max_windows: only"),
        ("classification", ["data.long_text=windows", "data.max_length=15"], "at least 16 tokens"),
        ("regression", ["data.long_text=windows", "data.window_pooling=max"], "task regression does not"),
        ("ner", ["data.long_text=windows"], "data.long_text: task ner does not use it"),
        ("qa", ["data.long_text=head_tail"], "data.long_text: task qa does not use it"),
    ],
)
def test_what_cannot_be_is_refused(tiny_encoder: Path, task: str, overrides: list[str], said: str) -> None:
    tree = {"stage": "finetune", "task": task, "model": str(tiny_encoder), "data": {"path": "rows"}}
    with pytest.raises(RecipeError, match=said):
        make_plan(build_recipe(tree, overrides))
