import json
import os
import shutil
from pathlib import Path

import pytest
from tests import command, writing
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from tinybert.inference import Predictor

FAST = [
    *("train.batch_size=32", "train.learning_rate=3e-3", "train.precision=fp32"),
    *("generation.max_new_tokens=8", "generation.metric=exact_match", "generation.num_beams=2"),
]
STUDENT = [
    *("student.num_hidden_layers=1", "student.hidden_size=48", "student.num_attention_heads=4"),
    *("student.intermediate_size=96", "student.num_decoder_layers=1"),
]
ROWS = 3000


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return writing.write_splits(tmp_path_factory.mktemp("backwards"), train=ROWS)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory, rows: Path) -> Path:
    """A model that has learnt to write its source backwards."""
    folder = tmp_path_factory.mktemp("teacher")
    encoder = writing.save_encoder(folder / "encoder")
    words = ["finetune", rows, "--task", "seq2seq", "--model", encoder, "train.num_epochs=3", *FAST]
    command.call(*words, "--out", folder / "run")
    return folder / "run"


def test_a_tiny_model_learns_to_write_backwards_exactly(teacher: Path) -> None:
    metrics = json.loads((teacher / "metrics.json").read_text())
    assert metrics["model"]["test"]["exact_match"] == 100.0
    texts = [row.text for row in Predictor(teacher)(["red fox owl", "hot rice soup owl"])]
    assert texts == ["owl fox red", "owl soup rice hot"]


def test_its_checkpoint_writes_the_same_in_plain_transformers(teacher: Path) -> None:
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(teacher), AutoTokenizer.from_pretrained(teacher)
    sources = [str(row["source"]) for row in writing.make_rows(12, seed=5)]
    batch = tokenizer(sources, padding=True, return_tensors="pt", return_token_type_ids=False)
    ids = model.generate(**batch, num_beams=2, max_new_tokens=8)
    texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
    assert [row.text for row in Predictor(teacher)(sources)] == [text.strip() for text in texts]


def test_a_student_learns_what_its_teacher_writes(
    teacher: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["distill", rows, "--task", "seq2seq", "--teacher", teacher, *STUDENT, *FAST]
    command.call(*words, "train.num_epochs=3", "data.max_train_rows=800", "--out", tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    scores = {name: metrics[name]["test"]["exact_match"] for name in ("teacher", "student", "fine_tune_only")}
    assert scores["teacher"] == 100.0
    assert scores["student"] >= 90.0
    assert metrics["student"]["num_parameters"] < metrics["teacher"]["num_parameters"]
    report = (tmp_path / "run" / "report.md").read_text()
    assert "The student learnt the texts that its teacher writes of each source." in report
    capsys.readouterr()
    command.call("predict", tmp_path / "run", "red fox hot owl", "--json")
    assert json.loads(capsys.readouterr().out)["prediction"] == "owl hot fox red"


def test_rows_without_a_target_are_the_teachers_to_write(teacher: Path, tmp_path: Path) -> None:
    splits = writing.make_rows(360, seed=9)
    train = [row | {"target": None} if index % 2 else row for index, row in enumerate(splits[:300])]
    folder = writing.easy.write_splits(
        tmp_path / "rows", {"train": train, "validation": splits[300:330], "test": splits[330:]}
    )
    words = ["distill", folder, "--task", "seq2seq", "--teacher", teacher, *STUDENT, *FAST]
    more = ["train.num_epochs=1", "distill.targets=reference", "baseline=false", "--out", tmp_path / "run"]
    command.call(*words, *more)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["num_train_rows"] == 300
    assert metrics["student"]["test"]["exact_match"] > 20.0  # 150 labelled rows alone do not teach it


@pytest.mark.slow
def test_a_killed_distillation_resumes_in_each_part(teacher: Path, rows: Path, tmp_path: Path) -> None:
    words = ["distill", rows, "--task", "seq2seq", "--teacher", teacher, *STUDENT, *FAST]
    words += ["train.num_epochs=2", "baseline=false", "--out"]
    command.call(*words, tmp_path / "whole")
    stores = Path(os.environ["TINYBERT_CACHE"]) / "teacher-stores"
    shutil.rmtree(stores)
    command.kill_when([*words, tmp_path / "part"], lambda: list(stores.glob("*/texts-00001.json")))
    command.kill_after_first_checkpoint([*words, tmp_path / "part"], tmp_path / "part")
    command.call(*words, tmp_path / "part")
    one, other = (
        json.loads((tmp_path / name / "metrics.json").read_text())["student"] for name in ("whole", "part")
    )
    assert one["test"] == other["test"]


def test_layers_of_encoder_and_decoder_teach_a_narrower_student(
    teacher: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow = [each.replace("48", "24") for each in STUDENT]
    losses = "distill.losses={decoder_hidden_state_mse: 1, hidden_state_mse: 1, kl_divergence: 1}"
    words = ["distill", rows, "--task", "seq2seq", "--teacher", teacher, *narrow, *FAST, "baseline=false"]
    more = ["train.num_epochs=1", "data.max_train_rows=200", losses, "--out"]
    command.call(*words, *more, tmp_path / "run")
    history = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all(row["loss/decoder_hidden_state_mse"] > 0 for row in history)
    cross = "distill.losses={cross_attention_score_mse: 1, kl_divergence: 1}"
    heads = ["student.num_attention_heads=2" if "heads" in str(each) else each for each in words]
    shown = command.refused(capsys, *heads, *more[:-2], cross, "--out", tmp_path / "other")
    assert "cross_attention_score_mse: 2 heads against the teacher's 4" in shown
