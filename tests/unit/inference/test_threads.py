"""One predictor serves several threads at a time, and every text gets its own prediction."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests import easy, tokens

from tinybert.data import TextRow
from tinybert.inference import Predictor

NUM_THREADS = 4
TEXTS = [str(row["text"]) for row in easy.make_rows(60, seed=7)]
LONG = [" ".join(["good", *easy.NOISE[:40]])] * 3
QUESTIONS = [(row["question"], row["context"]) for row in tokens.make_question_rows(40, seed=7)]
SENTENCES = [" ".join(row["tokens"]) for row in tokens.make_entity_rows(40, seed=7)]


@pytest.fixture(autouse=True)
def _threads_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def predicted_together(predictor: Predictor, rows: Sequence[TextRow]) -> None:
    """Predict parts of the rows in several threads, and compare each with the same part alone."""
    parts = [rows[start::NUM_THREADS] for start in range(NUM_THREADS)] * 4
    alone = [predictor(part) for part in parts]
    predictor.num_truncated = 0
    with ThreadPoolExecutor(NUM_THREADS) as threads:
        together = list(threads.map(predictor, parts))
    for part, other in zip(alone, together, strict=True):
        assert [each.is_same(one, value_range=1.0) for each, one in zip(part, other, strict=True)]
        assert [each.scores_compared() for each in part] == [
            pytest.approx(each.scores_compared(), abs=1e-5) for each in other
        ]


@pytest.mark.parametrize("max_length", [8, 64])
def test_texts(tiny_teacher: Path, max_length: int) -> None:
    predictor = Predictor(tiny_teacher, max_length=max_length, batch_size=4)
    rows = [*TEXTS, *LONG]
    predictor(rows)
    truncated = predictor.num_truncated
    assert truncated >= (len(LONG) if max_length == 8 else 0)
    predicted_together(predictor, rows)
    assert predictor.num_truncated == 4 * truncated


@pytest.mark.slow
def test_an_export(exported_teacher: Path) -> None:
    predictor = Predictor(exported_teacher, batch_size=4)
    assert predictor.backend.startswith("onnx")
    predicted_together(predictor, TEXTS)


def test_entities_in_windows(tmp_path: Path) -> None:
    predictor = Predictor(tokens.save_entity_teacher(tmp_path / "ner"), max_length=16, batch_size=4)
    predicted_together(predictor, SENTENCES)


def test_answers_in_windows(tmp_path: Path) -> None:
    predictor = Predictor(tokens.save_question_teacher(tmp_path / "qa"), max_length=24, batch_size=4)
    predicted_together(predictor, QUESTIONS)
