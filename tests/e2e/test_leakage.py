"""Test rows that stand in train too: reported, and every score with and without them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests import easy
from tests.command import call, metrics_of

import tinybert
from tinybert.inference import Predictor

FAST = [*easy.TINY_STUDENT, *easy.FAST, "train.num_epochs=4"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return splits of which two of the 20 test rows are train rows, with the wrong label."""
    splits = easy.make_splits(test=18)
    other = dict(zip(easy.LABELS, reversed(easy.LABELS), strict=True))
    wrong = [{**row, "label": other[str(row["label"])]} for row in splits["train"][:2]]
    return easy.write_splits(tmp_path_factory.mktemp("rows"), {**splits, "test": [*wrong, *splits["test"]]})


@pytest.fixture(scope="module")
def run(rows: Path, tiny_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    call("distill", rows, "--teacher", tiny_teacher, "--out", out, *FAST)
    return out


def by_hand(model: Path, rows: Path) -> tuple[float, float]:
    """Return the accuracy over all 20 rows, and over those behind the first two."""
    test = [json.loads(line) for line in (rows / "test.jsonl").read_text().splitlines()]
    predictions = Predictor(model)([row["text"] for row in test])
    right = [prediction.label == row["label"] for prediction, row in zip(predictions, test, strict=True)]
    return sum(right) / 20, sum(right[2:]) / 18


def test_every_score_is_given_twice(run: Path, rows: Path, tiny_teacher: Path) -> None:
    metrics = metrics_of(run)
    assert (metrics["num_rows_scored"], metrics["num_rows_leaked"]) == (20, 2)
    for name, path in (("student", run), ("teacher", tiny_teacher)):
        scores = metrics[name]
        found = scores["test"]["accuracy"], scores["test_without_leakage"]["accuracy"]
        assert found == pytest.approx(by_hand(path, rows))
        assert found[0] < found[1]
    assert "test_without_leakage" in metrics["fine_tune_only"]
    report = (run / "report.md").read_text()
    assert "| test accuracy | without leaked rows |" in report
    assert "2 of them are also in the train split" in report


@pytest.mark.parametrize("kind", ["rows", "folder"])
def test_evaluate_gives_both_where_it_reads_the_train_split(
    kind: str, rows: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    splits = {
        name: [json.loads(line) for line in (rows / f"{name}.jsonl").read_text().splitlines()]
        for name in ("train", "validation", "test")
    }
    source = splits if kind == "rows" else rows
    run = tinybert.finetune(source, *easy.FAST, model=tiny_encoder, out=tmp_path / "run")
    scores = tinybert.evaluate(run, source)
    assert scores["num_rows_leaked"] == 2
    assert (scores["accuracy"], scores["accuracy_without_leakage"]) == pytest.approx(by_hand(run.path, rows))
    alone = tinybert.evaluate(run, rows / "test.jsonl")
    assert alone == scores


@pytest.mark.parametrize("words", [["data.max_leakage=1"], ["--on-bad-row", "skip"]])
def test_evaluate_reads_the_data_of_a_run_as_its_training_did(
    words: list[str], tiny_encoder: Path, tmp_path: Path
) -> None:
    splits = easy.make_splits(test=20)
    splits = {**splits, "test": [*splits["test"], *splits["train"][:12]]}
    if words[0] == "--on-bad-row":
        splits["train"] = [*splits["train"], {"text": "", "label": easy.LABELS[0]}]
    named = {name: [{"review": r["text"], "y": r["label"]} for r in rows] for name, rows in splits.items()}
    folder = easy.write_splits(tmp_path / "rows", named)
    columns = ["--text", "review", "--label", "y"]
    call("finetune", folder, "--model", tiny_encoder, "--out", tmp_path / "run", *columns, *words, *easy.FAST)
    trained = metrics_of(tmp_path / "run")
    scores = tinybert.evaluate(tmp_path / "run", folder)
    assert scores["num_rows"] == trained["num_rows_scored"]
    assert scores["accuracy"] == pytest.approx(trained["model"]["test"]["accuracy"])
    assert scores.get("num_rows_leaked") == trained.get("num_rows_leaked")


def test_rows_without_leakage_have_one_score(rows: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    clean = easy.write_splits(tmp_path / "rows", easy.make_splits(test=18))
    call("finetune", clean, "--model", tiny_encoder, "--out", tmp_path / "run", *easy.FAST)
    metrics = metrics_of(tmp_path / "run")
    assert "num_rows_leaked" not in metrics
    assert "test_without_leakage" not in metrics["model"]
