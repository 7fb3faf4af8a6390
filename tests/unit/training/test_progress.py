from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from tinybert.training.progress import EpochLines, Progress, epoch_line


def test_the_line_of_an_epoch_is_the_promised_one() -> None:
    assert epoch_line(1, 0.09756, "accuracy", 0.96666) == "Epoch 1, Loss: 0.0976, Val Accuracy: 96.67%"


@pytest.mark.parametrize(
    ("metric", "shown"),
    [("macro_f1", "Val Macro F1: 50.00%"), ("mcc", "Val MCC: 0.5000"), ("pearson", "Val Pearson: 0.5000")],
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


def test_a_plain_line_counts_from_where_the_training_went_on(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Progress("student")
    progress.rows_a_step = 32
    progress.start_step, progress.start_time = 100, 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: 10.0)
    line = progress.plain_line(state(global_step=120, max_steps=200))
    assert line == "student: step 120/200, 64 examples/s, 40 s left"
