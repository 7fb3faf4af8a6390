from __future__ import annotations

import re

import pytest
from tests import easy

from tinybert.stages.classic import train_model
from tinybert.tasks import TextDataset


def make(rows: list[easy.Row]) -> TextDataset:
    return TextDataset([row["text"] for row in rows], [row["label"] for row in rows], easy.make_tokenizer())


def test_the_teaching_form_trains_and_prints_one_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    splits = easy.make_splits(train=320, validation=40)
    model = easy.seeded_classifier(num_hidden_layers=1)
    history = train_model(
        model, make(splits["train"]), make(splits["validation"]), epochs=2, batch_size=16, learning_rate=3e-3
    )
    lines = re.findall(
        r"^Epoch \d, Loss: \d\.\d{4}, Val Accuracy: \d+\.\d\d%$", capsys.readouterr().err, re.M
    )
    assert len(lines) == len(history) == 2
    assert history[-1]["loss"] < history[0]["loss"]
    assert lines[-1].endswith(f"{history[-1]['val_accuracy']:.2%}")
    assert history[-1]["val_accuracy"] >= 0.75
