from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from tinybert.training.progress import EpochLines, Progress, epoch_line


def test_the_line_of_an_epoch_is_the_promised_one() -> None:
    assert epoch_line(1, 0.09756, "accuracy", 0.96666) == "Epoch 1, Loss: 0.0976, Val Accuracy: 96.67%"


@pytest.mark.parametrize(
    ("metric", "shown"),
    [
        ("macro_f1", "Val Macro F1: 50.00%"),
        ("mcc", "Val MCC: 0.5000"),
        ("pearson", "Val Pearson: 0.5000"),
        ("rougeL", "Val ROUGE-L: 0.5000"),
        ("bleu", "Val BLEU: 0.5000"),
    ],
)
def test_shares_are_percentages_and_correlations_are_not(metric: str, shown: str) -> None:
    assert epoch_line(3, 1.0, metric, 0.5).endswith(shown)


def state(**values: object) -> SimpleNamespace:
    return SimpleNamespace(**{"is_world_process_zero": True, "log_history": [], "epoch": 1.0, **values})


def test_an_epoch_line_tells_the_last_logged_loss(capsys: pytest.CaptureFixture[str]) -> None:
    seen = state(log_history=[{"loss": 0.9}, {"eval_accuracy": 0.1}, {"loss": 0.5}], epoch=1.9999)
    EpochLines("accuracy").on_evaluate(None, seen, None, metrics={"eval_accuracy": 0.75})  # pyright: ignore
    captured = capsys.readouterr()
    assert captured.err == "Epoch 2, Loss: 0.5000, Val Accuracy: 75.00%\n"
    assert captured.out == ""


def test_progress_counts_from_where_the_training_resumed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    arguments = SimpleNamespace(train_batch_size=16, gradient_accumulation_steps=2, world_size=1)
    shown = Progress("student")
    shown.on_train_begin(arguments, state(global_step=100, max_steps=200), None)  # pyright: ignore
    now[0] = 10.0
    for step in range(101, 121):
        shown.on_step_end(arguments, state(global_step=step, max_steps=200), None)  # pyright: ignore
    shown.on_train_end(arguments, state(), None)  # pyright: ignore
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == "student: 3,840/6,400 examples (60%), 64 a second, 40 s left"
