"""The shared models are what the other tests take them for."""

from __future__ import annotations

from pathlib import Path

from tests import easy

from tinybert.config import DataSection
from tinybert.models import has_task_head, load_config
from tinybert.stages.evaluation import evaluate_split


def test_the_teacher_knows_the_task(tiny_teacher: Path, easy_rows: Path) -> None:
    scores = evaluate_split(str(tiny_teacher), easy_rows, split="test", settings=DataSection())
    assert scores["accuracy"] >= 0.9
    assert scores["num_rows"] == 32


def test_the_encoder_has_no_head(tiny_encoder: Path) -> None:
    assert not has_task_head(load_config(tiny_encoder))


def test_texts_are_all_different() -> None:
    splits = easy.make_splits()
    texts = [row["text"] for rows in splits.values() for row in rows]
    assert len(set(texts)) == len(texts)
