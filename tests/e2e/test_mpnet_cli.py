"""MPNet as teacher and student through the command line: every task, raw text, exports, trimming."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from tests import easy, tokens
from tests.command import call, metrics_of, refused
from transformers import (
    AutoModel,
    AutoTokenizer,
    MPNetForMaskedLM,
    MPNetModel,
)

import tinybert
from tinybert.models import load_config

COUNT = {"train": 24, "validation": 8, "test": 8}
FAST = [
    *easy.NARROW_STUDENT,
    *("train.num_epochs=1", "train.batch_size=8", "train.precision=fp32"),
]
TEACHER = ["teacher.num_epochs=1", "baseline=false"]
LAYERS = "distill.losses={hidden_state_mse: 1, attention_score_mse: 1, relation_kl: 1, kl_divergence: 1}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mpnet")
    easy.save_mpnet(folder / "encoder", MPNetModel)
    easy.save_mpnet(folder / "tokens", MPNetModel, words=tokens.WORDS)
    easy.save_mpnet(folder / "masked", MPNetForMaskedLM)
    easy.write_splits(folder / "rows", easy.make_splits(**COUNT))
    easy.write_splits(folder / "ner-rows", tokens.make_splits(tokens.make_entity_rows, **COUNT))
    easy.write_splits(folder / "qa-rows", tokens.make_splits(tokens.make_question_rows, **COUNT))
    easy.write_documents(folder / "text.txt", 40)
    return folder


@pytest.mark.parametrize("start", ["project", "slice", "random"])
def test_a_student_of_mpnet_is_an_mpnet_and_learns_its_layers(home: Path, tmp_path: Path, start: str) -> None:
    run = tmp_path / "run"
    size = easy.TINY_STUDENT if start == "slice" else []
    words = ["--teacher", home / "encoder", "--out", run, *FAST, *TEACHER, *size, LAYERS]
    call("distill", home / "rows", *words, f"student.start={start}")
    assert load_config(run).model_type == "mpnet"
    assert metrics_of(run)["student_start"] == start
    plain = AutoModel.from_pretrained(run).eval()
    batch = AutoTokenizer.from_pretrained(run)(["good " * 9, "bad"], padding=True, return_tensors="pt")
    assert torch.isfinite(plain(**batch).last_hidden_state).all()


def test_a_student_of_mpnet_may_be_a_bert_and_another_family_is_refused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = ["distill", home / "rows", "--teacher", home / "encoder", "--out", out, *FAST, *TEACHER]
    call(*words, "student.family=bert")
    assert load_config(tmp_path / "run").model_type == "bert"
    assert "allowed: auto, mpnet, bert" in refused(capsys, *words, "student.family=roberta")
    assert "did you mean 'mpnet'" in refused(capsys, *words, "student.family=mpnett")


@pytest.mark.slow
def test_long_rows_are_predicted_by_every_engine(home: Path, tmp_path: Path) -> None:
    run, long = tmp_path / "run", " ".join(random.Random(0).choices(easy.WORDS, k=200))
    call("distill", home / "rows", "--teacher", home / "encoder", "--out", run, *FAST, *TEACHER)
    call("export", run, "--format", "onnx", "--precision", "fp32")
    texts = [long, "good", *(f"{word} bad" for word in easy.NOISE[:5])]
    own, other = (
        [list(each.scores.values()) for each in tinybert.predict(run, texts, backend=backend)]
        for backend in ("torch", "onnx-fp32")
    )
    np.testing.assert_allclose(own, other, atol=1e-4)


@pytest.mark.parametrize("task", ["ner", pytest.param("qa", marks=pytest.mark.slow)])
def test_tokens_are_taught_and_predicted_in_long_texts(home: Path, tmp_path: Path, task: str) -> None:
    run = tmp_path / "run"
    words = ["--task", task, "--teacher", home / "tokens", "--out", run]
    call("distill", home / f"{task}-rows", *words, *FAST, *TEACHER)
    assert load_config(run).model_type == "mpnet"
    text = " ".join(["mister ada smith in rome"] * 40)
    given = [("which colour", text)] if task == "qa" else [text]
    assert len(tinybert.predict(run, given, backend="torch")) == 1
    call("export", run, "--format", "onnx", "--precision", "fp32")


def test_raw_text_teaches_layers_and_masked_words(home: Path, tmp_path: Path) -> None:
    steps = [part for part in FAST if "epochs" not in part]
    losses = "distill.losses={hidden_state_mse: 1, attention_score_mse: 1, masked_lm: 1}"
    words = ["--teacher", home / "masked", "--out", tmp_path / "general", *steps, "train.num_steps=2", losses]
    call("distill", home / "text.txt", "--task", "general", *words)
    assert load_config(tmp_path / "general").architectures == ["MPNetForMaskedLM"]
    rest = ["--out", tmp_path / "more", "train.num_steps=2", "train.precision=fp32"]
    call("pretrain", home / "text.txt", "--model", tmp_path / "general", *rest)
    call("trim", home / "masked", home / "text.txt", "--out", tmp_path / "small")
    small = AutoTokenizer.from_pretrained(tmp_path / "small")
    assert (small.pad_token_id, small.mask_token) == (1, "<mask>")
