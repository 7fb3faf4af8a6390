from __future__ import annotations

import math
from pathlib import Path

import pytest
from datasets import Dataset, concatenate_datasets
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.data.made_up import make_tokenizer, read, rows_of
from transformers import PreTrainedTokenizerFast

from tinybert.data import encode, encode_split, pad, tokenise
from tinybert.errors import DataError

ROWS = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=20), min_size=1, max_size=8)


def test_tokenise_gives_whole_texts_without_special_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenise(["films badly", "a b c d e a b c d e"], tokenizer) == [
        ["film", "##s", "bad", "##ly"],
        list("abcdeabcde"),
    ]
    assert tokenise([], tokenizer) == []


def test_encode_overrides_what_the_tokenizer_file_fixes(tokenizer: PreTrainedTokenizerFast) -> None:
    found = encode(tokenizer, ["a", "a b c d e a b c d e"], max_length=9)
    assert [len(row) for row in found["input_ids"]] == [3, 9]
    assert found["input_ids"][0] == [2, 5, 3]
    assert set(found) == {"input_ids", "token_type_ids"}
    assert [len(row) for row in encode(tokenizer, ["a b c d e"], max_length=4)["input_ids"]] == [4]
    assert encode(tokenizer, [], max_length=9) == {"input_ids": []}


def test_a_pair_loses_tokens_from_its_longer_text(tokenizer: PreTrainedTokenizerFast) -> None:
    found = encode(tokenizer, ["a b c d e a b c"], ["good film"], max_length=8)
    assert found["input_ids"] == [[2, 5, 6, 7, 3, 10, 12, 3]]
    assert found["token_type_ids"] == [[0, 0, 0, 0, 0, 1, 1, 1]]
    found = encode(tokenizer, ["good film"], ["a b c d e a b c"], max_length=8)
    assert found["input_ids"] == [[2, 10, 12, 3, 5, 6, 7, 3]]


def test_no_token_types_where_the_tokenizer_has_none() -> None:
    assert set(encode(make_tokenizer(token_types=False), ["a"], max_length=9)) == {"input_ids"}


@given(ROWS)
def test_padding_adds_only_padding(rows: list[list[int]]) -> None:
    batch = pad(
        [{"input_ids": row, "token_type_ids": [1] * len(row)} for row in rows],
        pad_token_id=0,
    )
    length = batch["input_ids"].shape[1]
    longest = max(map(len, rows))
    assert length == longest
    for index, row in enumerate(rows):
        real = batch["attention_mask"][index].bool()
        assert batch["input_ids"][index][real].tolist() == row
        assert batch["input_ids"][index][~real].tolist() == [0] * (length - len(row))
        assert batch["token_type_ids"][index].tolist() == real.long().tolist()


def test_encode_split(tokenizer: PreTrainedTokenizerFast) -> None:
    data = read({"train": rows_of(30), "validation": rows_of(4, start=90)})
    found = encode_split(data.splits["train"], tokenizer, max_length=16)
    assert found.column_names == ["input_ids", "token_type_ids", "length", "row", "labels"]
    assert found["row"][:] == list(range(30))
    assert found["labels"][:] == data.splits["train"]["label"][:]
    assert found["length"][:] == [len(ids) for ids in found["input_ids"]]
    assert (
        found["input_ids"][:]
        == encode(tokenizer, data.splits["train"]["text"][:], max_length=16)["input_ids"]
    )


def test_a_teachers_columns_lie_beside_the_students(tokenizer: PreTrainedTokenizerFast) -> None:
    train = read({"train": rows_of(30), "validation": rows_of(4, start=90)}).splits["train"]
    teacher = encode_split(train, make_tokenizer(token_types=False), max_length=4, prefix="teacher_")
    assert teacher.column_names == ["teacher_input_ids"]
    both = concatenate_datasets([encode_split(train, tokenizer, max_length=16), teacher], axis=1)
    assert len(both) == 30


@pytest.mark.parametrize(
    ("task", "labels", "wanted"),
    [
        ("classification", ["a", None, "b"], [0, -100, 1]),
        ("regression", [0.5, None, 2.0], [0.5, math.nan, 2.0]),
        ("multilabel", [["a"], None, ["a", "b"]], [[1.0, 0.0], [math.nan, math.nan], [1.0, 1.0]]),
    ],
)
def test_unlabelled_rows(
    tokenizer: PreTrainedTokenizerFast, task: str, labels: list[object], wanted: list[object]
) -> None:
    rows = [{"text": f"film {index}", "label": label} for index, label in enumerate(labels)]
    splits = {"train": rows, "validation": [rows[0], rows[2]]}
    train = read(splits, task=task, allow_unlabelled=True).splits["train"]
    assert repr(encode_split(train, tokenizer, max_length=16)["labels"][:]) == repr(wanted)


def test_pairs_are_encoded_as_pairs(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = [{"text": "a", "text_pair": "b", "label": index % 2} for index in range(4)]
    train = read({"train": rows, "validation": rows}).splits["train"]
    assert encode_split(train, tokenizer, max_length=16)["input_ids"][0] == [2, 5, 3, 6, 3]


def test_the_cache_is_found_again_only_for_the_same_rows(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    def files(number: int, max_length: int = 16, prefix: str = "") -> int:
        rows = Dataset.from_list(rows_of(number, label=lambda index: index % 2))
        encode_split(rows, tokenizer, max_length=max_length, prefix=prefix, cache_dir=tmp_path)
        return len(list(tmp_path.glob("*.arrow")))

    assert [files(5), files(5), files(6), files(6, 8), files(6, 8, "teacher_"), files(5)] == [
        1,
        1,
        2,
        3,
        4,
        4,
    ]


def test_a_dataset_without_labels(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = Dataset.from_dict({"text": ["a", "b c"]})
    found = encode_split(rows, tokenizer, max_length=16)
    assert found.column_names == ["input_ids", "token_type_ids", "length", "row"]


def test_a_slow_tokenizer_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    class Slow:
        pass

    with pytest.raises(DataError, match="fast tokenizers"):
        encode_split(Dataset.from_dict({"text": ["a"]}), Slow(), max_length=8)  # type: ignore[arg-type]
