"""What validates a model in training gives the scores that a finished model has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from tests import easy, tokens
from torch.nn.functional import cross_entropy

from tinybert.data import Collator, LabelScheme, encode_split
from tinybert.evaluation import RowsEvaluator
from tinybert.inference import Predictor
from tinybert.models import load_classifier
from tinybert.tasks import BUILTIN as TASKS

MAX_LENGTH = 24


def of_task(name: str, folder: Path) -> tuple[Path, Dataset, LabelScheme]:
    """Return a trained model, rows of unequal length and their labels."""
    if name == "classification":
        rows = easy.make_rows(100)
        rows = [{**row, "text": row["text"] * (1 + number % 3)} for number, row in enumerate(rows)]
        return easy.save_teacher(folder), easy.make_dataset(rows), LabelScheme(easy.LABELS)
    if name == "ner":
        columns = tokens.entity_columns(tokens.make_entity_rows(30))
        return tokens.save_entity_teacher(folder), tokens.make_dataset(columns), tokens.SCHEMES["ner"]
    columns = tokens.question_columns(tokens.make_question_rows(30))
    return tokens.save_question_teacher(folder), tokens.make_dataset(columns), tokens.SCHEMES["qa"]


@pytest.mark.parametrize("name", ["classification", "ner", "qa"])
def test_the_scores_are_those_of_the_finished_model(name: str, tmp_path: Path) -> None:
    task = TASKS[name]
    path, rows, labels = of_task(name, tmp_path / "model")
    predictor = Predictor(path, backend="torch", max_length=MAX_LENGTH, labels=labels)
    tokenizer = predictor.tokenizer
    encoded = encode_split(rows, tokenizer, max_length=MAX_LENGTH, format=task.format)
    evaluator = RowsEvaluator(
        task,
        encoded,
        rows,
        labels=labels,
        collator=Collator(tokenizer),
        hard_loss=task.hard_loss("cross_entropy"),
    )
    model = load_classifier(path).eval()
    with torch.no_grad():
        scores = evaluator(model)
    assert evaluator.main_metric == task.main_metric
    assert scores[task.main_metric] > 0.5
    assert scores.pop("loss") > 0
    expected = task.metrics(predictor.outputs(rows), task.format.gold(rows))
    assert scores == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_windows_are_pooled_before_loss_and_scores(pooling: str, tiny_teacher: Path) -> None:
    rows = easy.make_rows(30)
    noise = " ".join(easy.NOISE[:20])
    rows = [{**row, "text": f"{noise} {row['text']}"[6 * number :]} for number, row in enumerate(rows)]
    changes: Any = {"long_text": "windows", "window_pooling": pooling}
    task = replace(TASKS["classification"], format=replace(TASKS["classification"].format, **changes))
    data, labels = easy.make_dataset(rows), LabelScheme(easy.LABELS)
    predictor = Predictor(tiny_teacher, max_length=16, labels=labels, format=task.format)
    encoded = encode_split(data, predictor.tokenizer, max_length=16, format=task.format)
    assert len(encoded) > len(data)
    evaluator = RowsEvaluator(
        task,
        encoded,
        data,
        labels=labels,
        collator=Collator(predictor.tokenizer),
        hard_loss=task.hard_loss("cross_entropy"),
    )
    with torch.no_grad():
        scores = evaluator(load_classifier(tiny_teacher).eval())
    logits = np.asarray(predictor.outputs(data))
    loss = cross_entropy(torch.tensor(logits), torch.tensor(data["label"][:]))
    assert scores.pop("loss") == pytest.approx(float(loss), rel=0.05)  # the last batch is smaller
    assert scores == pytest.approx(task.metrics(logits, task.format.gold(data)))
