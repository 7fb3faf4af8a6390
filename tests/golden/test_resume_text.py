"""A training on raw text that was killed amid its data ends with the weights of one nobody disturbed."""

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
    *("train.batch_size=4", "train.precision=fp32", "data.max_length=16", "train.num_epochs=2"),
    *("train.eval_steps=13", "train.learning_rate=2e-3", "corpus.near_duplicates=null"),
]


def command(stage: str, text: Path, model: Path, out: Path) -> list[str]:
    if stage == "pretrain":
        return ["pretrain", str(text), "--model", str(model), "--out", str(out), *SETTINGS]
    masked = "distill.losses={hidden_state_mse: 1, masked_lm: 1}"
    words = ["distill", str(text), "--task", "general", "--teacher", str(model), "--out", str(out)]
    return [*words, *easy.NARROW_STUDENT, *SETTINGS, masked]


@pytest.mark.parametrize(
    ("stage", "step"), [("pretrain", "model"), pytest.param("general", "student", marks=pytest.mark.slow)]
)
def test_a_killed_run_equals_an_undisturbed_one(
    stage: str, step: str, tmp_path: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = easy.write_documents(tmp_path / "text.txt", 240)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    kill_after_first_checkpoint(command(stage, text, tiny_encoder, killed), killed, step=step)
    main(command(stage, text, tiny_encoder, killed))
    assert "Step 13/" not in capsys.readouterr().err  # it did go on, not begin again
    main(command(stage, text, tiny_encoder, whole))
    assert "Step 13/" in capsys.readouterr().err
    ours, theirs = load_file(killed / "model.safetensors"), load_file(whole / "model.safetensors")
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], atol=1e-6, rtol=1e-5)
    losses = [
        [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]
        for run in (killed, whole)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
