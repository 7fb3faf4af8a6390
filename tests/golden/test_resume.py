"""A run that was killed and begun again equals one that nobody disturbed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests import easy
from tests.command import kill_after_first_checkpoint

from tinybert.cli import main

SETTINGS = [
    *easy.NARROW_STUDENT,
    "train.num_epochs=5",
    "train.batch_size=8",
    "train.learning_rate=1e-3",
    "train.precision=fp32",
]


def words(rows: Path, teacher: Path, out: Path) -> list[str]:
    return ["distill", str(rows), "--teacher", str(teacher), "--no-baseline", "--out", str(out), *SETTINGS]


def scores(out: Path) -> dict[str, object]:
    metrics = json.loads((out / "metrics.json").read_text())
    return {"retention": metrics["retention"], "test": metrics["student"]["test"]}


def test_a_killed_run_equals_an_undisturbed_one(
    tmp_path: Path, tiny_teacher: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = easy.write_splits(tmp_path / "rows", easy.make_splits(train=320))
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    monkeypatch.setenv("TINYBERT_CACHE", str(tmp_path / "cache"))
    kill_after_first_checkpoint(words(rows, tiny_teacher, killed), killed)
    assert (tmp_path / ".killed.partial").exists()
    main(words(rows, tiny_teacher, killed))
    said = capsys.readouterr().err
    assert "Epoch 1," not in said
    assert "Epoch 5," in said
    monkeypatch.setenv("TINYBERT_CACHE", str(tmp_path / "another cache"))
    main(words(rows, tiny_teacher, whole))
    assert scores(killed) == scores(whole)
    ours, theirs = load_file(killed / "model.safetensors"), load_file(whole / "model.safetensors")
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], atol=1e-6, rtol=1e-5)
    assert (killed / "recipe.yaml").read_text() == (whole / "recipe.yaml").read_text()
    assert not (tmp_path / ".killed.partial").exists()
