"""Summaries of a document's own sentences through the command line: rows in; runs and lines out."""

from __future__ import annotations

import csv
import json
import random
import shutil
from pathlib import Path

import pytest
import torch
from tests import easy
from tests.command import call, metrics_of, refused
from transformers import BertModel

from tinybert import Predictor, open_run

FAST = ["train.num_epochs=8", "train.batch_size=8", "train.learning_rate=4e-3", "train.precision=fp32"]
MAIN = "rougeL"


def make_sentence(rng: random.Random, *, is_good: bool) -> str:
    return " ".join([*(["good"] if is_good else []), *rng.sample(easy.NOISE, 4)]) + "!"


def make_row(rng: random.Random) -> dict[str, object]:
    """The two sentences with "good" in them are the summary; the last but one and the last never begin it."""
    good = set(rng.sample(range(2, 6), 2))
    sentences = [make_sentence(rng, is_good=index in good) for index in range(6)]
    return {
        "article": "\n".join(sentences),
        "highlights": " ".join(sentences[index] for index in sorted(good)),
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder and rows."""
    folder = tmp_path_factory.mktemp("extractive")
    torch.manual_seed(1)
    BertModel(easy.make_config()).save_pretrained(folder / "encoder")
    easy.make_tokenizer().save_pretrained(folder / "encoder")
    rng = random.Random(0)
    rows = [make_row(rng) for _ in range(48)]
    easy.write_splits(folder / "rows", {"train": rows[:32], "validation": rows[32:40], "test": rows[40:]})
    return folder


@pytest.fixture(scope="module")
def teacher(home: Path) -> Path:
    words = ["--task", "extractive", "--model", home / "encoder", "--out", home / "teacher"]
    call("finetune", home / "rows", *words, *FAST, "data.max_length=32")
    return home / "teacher"


@pytest.fixture(scope="module")
def student(home: Path, teacher: Path) -> Path:
    words = ["--task", "extractive", "--teacher", teacher, "--out", home / "student"]
    call("distill", home / "rows", *words, *FAST, *easy.TINY_STUDENT, "baseline=[]", "data.max_length=32")
    return home / "student"


def test_it_learns_which_sentences_a_summary_has_and_how_many(teacher: Path) -> None:
    scores = metrics_of(teacher)
    assert scores["model"]["test"][MAIN] > 90  # type: ignore[index]
    assert (scores["main_metric"], scores["best_score"]) == (MAIN, 100.0)
    config = json.loads((teacher / "config.json").read_text())
    assert config["num_sentences"] == 2.0
    assert config["tinybert"]["task"] == "extractive"
    assert config["id2label"] == {"0": "other", "1": "summary"}


def test_the_lead_is_beside_the_models(teacher: Path, student: Path) -> None:
    for run in (teacher, student):
        lead = metrics_of(run)["lead"]
        assert str(lead["title"]).startswith("lead: the first ")
        assert 0 < lead["test"][MAIN] < 60  # type: ignore[index]
        report = (run / "report.md").read_text()
        assert f"| {lead['title']} |" in report
        assert "not above lead" not in report
    assert metrics_of(student)["student"]["test"][MAIN] > 90  # type: ignore[index]


def test_it_is_evaluated_beside_the_lead(
    home: Path, teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    call("evaluate", teacher, home / "rows", "--json")
    found, metrics = json.loads(capsys.readouterr().out), metrics_of(teacher)
    assert found[MAIN] == metrics["model"]["test"][MAIN]  # type: ignore[index]
    assert found[f"lead_{MAIN}"] == metrics["lead"]["test"][MAIN]  # type: ignore[index]
    easy.write_rows(home / "other.jsonl", [make_row(random.Random(7))])
    call("evaluate", teacher, home / "other.jsonl", "--json")
    assert {"rouge1", "rouge2", MAIN, f"lead_{MAIN}"} <= set(json.loads(capsys.readouterr().out))


def test_it_predicts_texts_and_files(
    home: Path, teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = make_row(random.Random(5))
    document = str(row["article"])
    capsys.readouterr()
    call("predict", teacher, document)
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert said["document"] == document
    assert said["summary"] == row["highlights"]
    assert [document[each["start"] : each["end"]] for each in said["sentences"]] == [
        each["text"] for each in said["sentences"]
    ]
    test = home / "rows" / "test.jsonl"
    call("predict", teacher, "--input", test, "--output", tmp_path / "out.jsonl")
    given = [json.loads(line) for line in test.read_text().splitlines()]
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["article"] for line in lines] == [row["article"] for row in given]
    assert [line["summary"] for line in lines] == [row["highlights"] for row in given]
    call("predict", teacher, "--input", test, "--output", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        header, *table = csv.reader(file)
    assert header == ["row", "article", "highlights", "summary", "score"]
    assert [line[3] for line in table] == [line["summary"] for line in lines]


def test_a_long_document_is_read_in_windows(teacher: Path) -> None:
    rng = random.Random(9)
    sentences = [make_sentence(rng, is_good=index in (3, 37)) for index in range(40)]
    (found,) = Predictor(teacher)(["\n".join(sentences)])
    assert [each.text for each in found.sentences] == [sentences[3], sentences[37]]  # type: ignore[attr-defined]


def test_its_export_predicts_the_same(home: Path, student: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied = Path(shutil.copytree(student, home / "copied"))
    capsys.readouterr()
    call("export", copied, "--precision", "fp32", "--json")
    parity = json.loads(capsys.readouterr().out)["onnx-fp32"]
    assert (parity["equal"], parity["metric"]) == (1.0, MAIN)


def test_what_it_cannot_use_is_said_with_the_fix(
    home: Path, teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = easy.write_rows(tmp_path / "rows.jsonl", [{"article": "a! b!", "label": "x"}])
    words = ["--task", "extractive", "--model", home / "encoder", "--out", tmp_path / "run"]
    said = refused(capsys, "finetune", data, *words)
    assert "no column is known as the summary (the columns are: article, label)" in said
    balanced = refused(capsys, "finetune", home / "rows", *words, "train.class_weights=balanced")
    assert "train.class_weights" in balanced
    assert open_run(teacher).recipe.task == "extractive"
