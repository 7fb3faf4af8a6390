"""Rows that belong together, and questions that are truncated, through the command line."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import yaml
from tests import easy, tokens
from tests.command import call, metrics_of, refused

LONG = " ".join(["which", *["please"] * 30, "colour"])
FAST = ["train.num_epochs=1", "train.batch_size=16", "train.precision=fp32", "data.max_length=48"]


def question_rows(num_contexts: int, *, seed: int) -> list[tokens.Row]:
    """Three questions about each context, one after the other."""
    rng, rows = random.Random(seed), []
    for row in tokens.make_question_rows(num_contexts, seed=seed):
        for _ in range(3):
            asked = f"{row['question']} {rng.choice(easy.NOISE)} {len(rows)}"
            rows.append({**row, "question": asked, "document": f"d{len(rows) // 9}"})
    return rows


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tokens.save(
        tokens.random_model(tokens.BertForQuestionAnswering), tmp_path_factory.mktemp("qa-teacher")
    )


def test_a_file_of_questions_is_split_by_context_and_the_run_knows_it(
    tmp_path: Path, teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = question_rows(30, seed=3)
    rows[0]["question"] = LONG
    data, run = easy.write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "run"
    words = ["finetune", data, "--task", "qa", "--model", teacher, "--out", run, *FAST]
    capsys.readouterr()
    call(*words)
    assert "train questions were truncated to 16 tokens, a third of a window" in capsys.readouterr().err
    assert yaml.safe_load((run / "recipe.yaml").read_text())["data"]["group"] == "context"
    metrics = metrics_of(run)
    assert metrics["group"] == "context"
    assert metrics["num_rows_scored"] % 3 == 0  # type: ignore[operator]

    call("evaluate", run, data, "--json")
    scores = json.loads(capsys.readouterr().out)
    assert scores["num_rows"] == metrics["num_rows_scored"]
    assert scores["f1"] == metrics["model"]["test"]["f1"]  # type: ignore[index]

    call(*words, "--group", "context")
    assert "nothing to do" in capsys.readouterr().err
    assert "data.group = 'context', now 'document'" in refused(capsys, *words, "--group", "document")
    other = [tmp_path / "new" if word == run else word for word in words]
    assert "no such column; did you mean 'document'?" in refused(capsys, *other, "--group", "documnt")


def test_a_run_of_an_earlier_version_is_evaluated_on_the_rows_that_it_held_out(
    tmp_path: Path, teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = easy.write_rows(tmp_path / "rows.jsonl", question_rows(20, seed=4))
    run = tmp_path / "run"
    words = ["finetune", data, "--task", "qa", "--model", teacher, "--out", run, *FAST]
    call(*words, "--group", "none")
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    assert recipe["data"].pop("group") == "none"
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    capsys.readouterr()
    call("evaluate", run, data, "--json")
    scores = json.loads(capsys.readouterr().out)
    assert scores["f1"] == metrics_of(run)["model"]["test"]["f1"]  # type: ignore[index]
    assert scores["num_rows"] == metrics_of(run)["num_rows_scored"]
    call(*words, "data.group=none")
    assert "nothing to do" in capsys.readouterr().err
    assert "data.group = 'none', now 'context'" in refused(capsys, *words)


def test_the_doctor_names_the_groups_and_what_splits_share(
    tmp_path: Path, teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = question_rows(12, seed=5)
    splits = {"train": rows[:19], "validation": rows[21:27], "test": rows[19:21] + rows[27:]}
    data = easy.write_splits(tmp_path / "rows", splits)
    words = ["doctor", data, "--task", "qa", "--teacher", teacher, *easy.TINY_STUDENT, "--json"]

    def leakage(*more: str) -> dict[str, str]:
        capsys.readouterr()
        call(*words, "data.max_length=48", *more)
        return next(each for each in json.loads(capsys.readouterr().out) if each["check"] == "leakage")

    assert leakage() == {
        "level": "warn",
        "check": "leakage",
        "message": "1 of 4 test contexts also in train (2 of 11 test rows); rows are grouped by context",
    }
    shared = leakage("--group", "document")["message"].split("; ")
    assert shared == [
        "1 of 2 test groups (document) also in train (2 of 11 test rows)",
        "1 of 1 validation groups (document) also in train (6 of 6 validation rows)",
        "rows are grouped by document",
    ]
    assert leakage("--group", "none")["message"] == "none between splits"


def test_a_prediction_says_once_how_many_questions_were_truncated(
    tmp_path: Path, teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"question": row["question"], "context": row["context"]} for row in question_rows(4, seed=6)]
    for row in rows[:3]:
        row["question"] = " ".join([LONG] * 8)
    source = easy.write_rows(tmp_path / "new.jsonl", rows)
    capsys.readouterr()
    call("predict", teacher, "--input", source, "--output", tmp_path / "out.jsonl")
    said = capsys.readouterr().err
    assert said.count("3 questions were truncated to ") == said.count("truncated") == 1
    call("predict", teacher, "which colour", "--context", "the colour is red")
    assert "truncated" not in capsys.readouterr().err
