"""All windows of a row come into one batch, with the row's label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from datasets import Dataset
from tests.unit.data.made_up import make_tokenizer

from tinybert.data import Collator, WholeRows, encode_split, num_tokens_of
from tinybert.tasks import BUILTIN

TEXTS = ["a " * 40, "b", "c " * 14, "d " * 30]


def encoded(task: str, labels: list[object]) -> Dataset:
    rows = Dataset.from_dict({"text": TEXTS, "label": labels})
    format = replace(BUILTIN[task].format, long_text="windows")  # type: ignore[call-arg]
    return encode_split(rows, make_tokenizer(), max_length=16, format=format)


def test_a_batch_of_whole_rows() -> None:
    windows = encoded("classification", [1, 0, None, 2])
    rows = WholeRows(windows)
    assert windows.column_names == ["input_ids", "token_type_ids", "length", "row", "example", "labels"]
    counts = np.bincount(windows["example"]).tolist()
    assert counts == [4, 1, 1, 3]
    assert [len(rows[index]) for index in range(len(rows))] == counts
    assert num_tokens_of(rows).tolist() == [sum(map(len, (w["input_ids"] for w in row))) for row in rows]  # type: ignore[attr-defined]
    batch = Collator(make_tokenizer())([rows[3], rows[2], rows[0]])
    assert batch["num_windows"].tolist() == [3, 1, 4]
    assert batch["labels"].tolist() == [2, -100, 1]
    assert batch["row"].tolist() == [6, 7, 8, 5, 0, 1, 2, 3]
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (8, 16)
    assert batch["input_ids"][3].tolist() == windows[5]["input_ids"]


def test_labels_of_every_kind_are_one_a_row() -> None:
    many = encoded("multilabel", [[1.0, 0.0], [0.0, 1.0], None, [1.0, 1.0]])
    batch = Collator(make_tokenizer())([WholeRows(many)[0], WholeRows(many)[3]])
    assert batch["labels"].tolist() == [[1.0, 0.0], [1.0, 1.0]]
    numbers = encoded("regression", [0.5, 1.5, 2.5, 3.5])
    batch = Collator(make_tokenizer())([WholeRows(numbers)[0], WholeRows(numbers)[1]])
    assert batch["labels"].tolist() == [0.5, 1.5]


def test_rows_that_were_chosen_keep_their_windows() -> None:
    windows = encoded("classification", [1, 0, None, 2])
    some = WholeRows(windows.select([0, 1, 2, 3, 6, 7, 8]))
    assert [[window["row"] for window in some[index]] for index in range(2)] == [[0, 1, 2, 3], [6, 7, 8]]


def test_windows_alone_are_a_batch_too() -> None:
    windows = encoded("classification", [1, 0, None, 2])
    batch = Collator(make_tokenizer())([windows[0], windows[8]])
    assert batch["labels"].tolist() == [1, 2]
    assert "num_windows" not in batch


@pytest.mark.parametrize("name", ["head_tail", "truncate"])
def test_one_row_stays_one_row(name: str) -> None:
    rows = Dataset.from_dict({"text": TEXTS, "label": [1, 0, 1, 0]})
    format = replace(BUILTIN["classification"].format, long_text=name)  # type: ignore[call-arg]
    found = encode_split(rows, make_tokenizer(), max_length=16, format=format)
    assert [len(ids) for ids in found["input_ids"]] == [16, 3, 16, 16]
    assert found["labels"][:] == [1, 0, 1, 0]
    assert "example" not in found.column_names
