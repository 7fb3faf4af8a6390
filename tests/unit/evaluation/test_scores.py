from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests import easy

from tinybert.data import LabelScheme, RowFormat
from tinybert.evaluation import latencies_ms, score_checkpoint
from tinybert.evaluation import scores as scores_module
from tinybert.tasks import BUILTIN, Task

LABELS = LabelScheme(easy.LABELS)
TASK = BUILTIN["classification"]


def test_a_checkpoint_is_scored_and_measured(tiny_teacher: Path) -> None:
    rows = easy.make_dataset(easy.make_rows(30, seed=4))
    scores = score_checkpoint(tiny_teacher, rows, task=TASK, labels=LABELS, max_length=32, split="validation")
    assert scores["validation"]["accuracy"] >= 0.9
    assert scores["size_mb"] == pytest.approx(scores["num_parameters"] * 4e-6, abs=0.05)


def test_a_permuted_checkpoint_scores_the_same(tmp_path: Path, tiny_teacher: Path) -> None:
    rows = easy.make_dataset(easy.make_rows(30, seed=4))
    permuted = easy.permuted_copy(tiny_teacher, tmp_path / "permuted")
    one, other = (
        score_checkpoint(path, rows, task=TASK, labels=LABELS, max_length=32)
        for path in (tiny_teacher, permuted)
    )
    assert one["test"] == other["test"]


def test_leaked_rows_count_in_the_first_score_only(tiny_teacher: Path) -> None:
    rows = easy.make_rows(20, seed=4)
    wrong = [{**row, "label": easy.LABELS[row["label"] == "negative"]} for row in rows[:2]]
    data = easy.make_dataset([*wrong, *rows[2:]])
    leaked = np.arange(20) < 2
    scores = score_checkpoint(tiny_teacher, data, task=TASK, labels=LABELS, max_length=32, leaked=leaked)
    assert scores["test"]["accuracy"] == pytest.approx(18 / 20)
    assert scores["test_without_leakage"]["accuracy"] == 1.0
    for mask in (None, ~np.ones(20, bool), np.ones(20, bool)):  # none, and nothing left
        scores = score_checkpoint(tiny_teacher, data, task=TASK, labels=LABELS, max_length=32, leaked=mask)
        assert "test_without_leakage" not in scores


def test_latency_is_of_one_row_a_call_and_the_models_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int]] = []

    class Counting:
        def __init__(
            self, path: str, *, backend: str, max_length: int, task: Task, format: RowFormat
        ) -> None:
            assert backend == "torch"
            assert format is task.format
            self.path = path

        def chunk_outputs(self, rows: dict[str, list[str]]) -> np.ndarray:
            calls.append((self.path, len(rows["text"])))
            return np.zeros((len(rows["text"]), 2))

    monkeypatch.setattr(scores_module, "Predictor", Counting)
    monkeypatch.setattr(scores_module, "LATENCY_ROWS", 40)
    rows = easy.make_dataset(easy.make_rows(40))
    taken = latencies_ms({"teacher": "a", "student": "b"}, rows, task=TASK, max_length=32)
    assert taken.keys() == {"teacher", "student"}
    assert calls == [("a", 1), ("b", 1)] * 40 * 4  # a warm-up and three rounds
    assert latencies_ms({"student": "b"}, rows.select(range(2)), task=TASK, max_length=32)["student"] >= 0
