from __future__ import annotations

import pytest
import torch
from tests.unit.data.made_up import make_tokenizer
from transformers import PreTrainedTokenizerFast

from tinybert.data import Collator
from tinybert.errors import DataError

ROWS = [
    {"input_ids": [2, 5, 3], "token_type_ids": [0, 0, 1], "row": 7, "labels": 1, "teacher_input_ids": [9]},
    {"input_ids": [2, 3], "token_type_ids": [0, 0], "row": 3, "labels": 0, "teacher_input_ids": [9, 8, 7, 6]},
]


def test_a_batch_is_as_long_as_its_longest_row(tokenizer: PreTrainedTokenizerFast) -> None:
    batch = Collator(tokenizer, make_tokenizer(token_types=False))(ROWS)
    assert batch["input_ids"].tolist() == [[2, 5, 3], [2, 3, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 1], [0, 0, 0]]
    assert batch["teacher_input_ids"].tolist() == [[9, 0, 0, 0], [9, 8, 7, 6]]
    assert batch["teacher_attention_mask"].tolist() == [[1, 0, 0, 0], [1, 1, 1, 1]]
    assert "teacher_token_type_ids" not in batch
    assert batch["row"].tolist() == [7, 3]
    assert all(tensor.dtype == torch.int64 for tensor in batch.values())


@pytest.mark.parametrize("labels", [[0.5, 2.0], [[1.0, 0.0], [0.0, float("nan")]]])
def test_numbers_and_several_labels_are_float32(
    tokenizer: PreTrainedTokenizerFast, labels: list[object]
) -> None:
    rows = [{"input_ids": [2, 3], "labels": label} for label in labels]
    batch = Collator(tokenizer)(rows)
    assert batch["labels"].dtype == torch.float32
    torch.testing.assert_close(batch["labels"], torch.tensor(labels), equal_nan=True)
    assert batch["input_ids"].shape == (2, 2)


def test_a_teachers_tokens_need_a_teachers_tokenizer(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(DataError, match="teacher_tokenizer"):
        Collator(tokenizer)(ROWS)


def test_a_tokenizer_without_padding_is_refused() -> None:
    tokenizer = make_tokenizer()
    tokenizer.pad_token = None
    with pytest.raises(DataError, match="padding token"):
        Collator(tokenizer)([{"input_ids": [2]}])
