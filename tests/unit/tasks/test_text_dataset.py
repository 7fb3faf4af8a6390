from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerFast

from tinybert.errors import DataError
from tinybert.tasks import TextDataset

TEXTS = ["a good film", "dull", "a b c d e"]


@pytest.mark.parametrize(
    ("labels", "wanted", "task"),
    [
        (["good", "bad", "good"], [1, 0, 1], "classification"),
        ([0, 1, 1], [0, 1, 1], "classification"),
        ([0.5, 1.0, 2.0], [0.5, 1.0, 2.0], "regression"),
        ([["a"], ["a", "b"], []], [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], "multilabel"),
    ],
)
def test_items_and_batches(
    tokenizer: PreTrainedTokenizerFast, labels: list[object], wanted: list[object], task: str
) -> None:
    rows = TextDataset(TEXTS, labels, tokenizer, max_length=6)
    assert len(rows) == 3
    assert rows.labels_scheme is not None
    assert rows.task.name == task
    assert [rows[index]["labels"] for index in range(3)] == wanted
    assert rows[2]["length"] == len(rows[2]["input_ids"]) == 6
    batch = next(iter(DataLoader(rows, batch_size=3, collate_fn=rows.collate)))
    assert batch["input_ids"].shape == (3, 6)
    assert batch["row"].tolist() == [0, 1, 2]
    assert batch["labels"].tolist() == wanted
    assert batch["labels"].dtype == (torch.int64 if task == "classification" else torch.float32)


def test_without_labels(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = TextDataset(TEXTS, None, tokenizer)
    assert rows.labels_scheme is None
    assert "labels" not in rows[-1]
    assert rows[-1]["row"] == 2
    with pytest.raises(IndexError):
        rows[3]


def test_labels_that_do_not_fit(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(DataError, match="3 texts but 1 labels"):
        TextDataset(TEXTS, ["good"], tokenizer)
    with pytest.raises(DataError, match="several tasks"):
        TextDataset(TEXTS, ["good", 0.5, ["a"]], tokenizer)
