"""Documents become blocks: nothing lost, nothing padded, no block in two documents unless asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import easy
from transformers import PreTrainedTokenizerFast

from tinybert.corpus.blocks import encode_blocks
from tinybert.errors import DataError

CLS, SEP = 2, 3


def blocks_of(texts: list[str], *, max_length: int = 8, **changes: object) -> list[dict[str, object]]:
    options = {"language": "en", "max_length": max_length, **changes}
    found = encode_blocks(Dataset.from_dict({"text": texts}), tokenizer(), **options)  # type: ignore[arg-type]
    return [found[row] for row in range(len(found))]


def tokenizer() -> PreTrainedTokenizerFast:
    return easy.make_tokenizer([*easy.WORDS, "un", "##happy", "##ly", "我", "在", "北", "京"])


def ids(text: str) -> list[int]:
    return list(tokenizer()(text, add_special_tokens=False)["input_ids"])


def body(block: dict[str, object]) -> list[int]:
    row = block["input_ids"]
    assert isinstance(row, list)
    assert row[0] == CLS
    assert row[-1] == SEP
    return row[1:-1]


def test_a_document_is_cut_into_full_blocks_and_a_rest() -> None:
    words = easy.NOISE[:14]
    blocks = blocks_of([" ".join(words)])
    assert [block["length"] for block in blocks] == [8, 8, 4]
    assert [block["row"] for block in blocks] == [0, 1, 2]
    assert [piece for block in blocks for piece in body(block)] == ids(" ".join(words))


def test_blocks_cross_documents_only_when_asked() -> None:
    texts = [" ".join(easy.NOISE[:4]), " ".join(easy.NOISE[4:10])]
    assert [block["length"] for block in blocks_of(texts)] == [6, 8]
    joined = blocks_of(texts, cross_documents=True)
    assert [block["length"] for block in joined] == [8, 7]
    laid = [piece for block in joined for piece in body(block)]
    assert laid == [*ids(texts[0]), SEP, *ids(texts[1])]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from(easy.NOISE), min_size=1, max_size=20), min_size=1, max_size=6))
def test_no_piece_is_lost_or_added_across_documents(documents: list[list[str]]) -> None:
    texts = [" ".join(words) for words in documents]
    laid = [piece for block in blocks_of(texts, cross_documents=True) for piece in body(block)]
    # where a document ends with its block, the block's own separator is enough
    assert [piece for piece in laid if piece != SEP] == [piece for text in texts for piece in ids(text)]
    assert len(texts) - 1 - len(blocks_of(texts, cross_documents=True)) < laid.count(SEP) < len(texts)


def test_pieces_know_the_word_they_continue() -> None:
    (block,) = blocks_of(["good unhappyly bad"])
    assert block["continues"] == [False, False, False, True, True, False, False]


def test_a_block_never_begins_in_the_middle_of_its_own_word() -> None:
    first, second = blocks_of(["good good good good good unhappy"], max_length=8)
    assert first["continues"] == [False] * 8
    assert second["continues"] == [False] * 3  # what it continues is in another block


def test_chinese_words_are_those_of_a_segmenter() -> None:
    (block,) = blocks_of(["我在北京"], language="zh")
    assert block["continues"] == [False, False, False, False, True, False]
    (apart,) = blocks_of(["我在北京"], language="en")
    assert apart["continues"] == [False] * 6


def test_the_same_documents_are_encoded_once(tmp_path: Path) -> None:
    documents = Dataset.from_dict({"text": [" ".join(easy.NOISE[:9])]})
    kwargs = {"max_length": 8, "language": "en", "cache_dir": tmp_path}
    encode_blocks(documents, tokenizer(), **kwargs)  # type: ignore[arg-type]
    (file,) = tmp_path.glob("*.arrow")
    before = file.stat().st_mtime_ns
    encode_blocks(documents, tokenizer(), **kwargs)  # type: ignore[arg-type]
    assert file.stat().st_mtime_ns == before
    encode_blocks(documents, tokenizer(), **{**kwargs, "max_length": 6})  # type: ignore[arg-type]
    assert len(list(tmp_path.glob("*.arrow"))) == 2


def test_a_tokenizer_without_edges_is_refused() -> None:
    bare = tokenizer()
    bare.cls_token = None
    with pytest.raises(DataError, match=r"no \[CLS\] and \[SEP\]"):
        encode_blocks(Dataset.from_dict({"text": ["good"]}), bare, max_length=8, language="en")


def test_letters_of_other_scripts_are_one_word_in_chinese_text() -> None:
    reads = easy.make_tokenizer(["中", "国", "мос", "##ква", "na", "##ive"])
    text = Dataset.from_dict({"text": ["中国москва naïve"]})
    [block] = encode_blocks(text, reads, max_length=16, language="zh")
    assert block["continues"] == [False, False, True, False, True, False, True, False]


def test_each_document_is_read_in_its_own_language_unless_one_is_set() -> None:
    texts = ["un un 我 un", "我在北京", "unhappyly un"]
    assert [block["continues"] for block in blocks_of(texts, language="auto")] == [
        [False] * 6,
        [False, False, False, False, True, False],
        [False, False, True, True, False, False],
    ]
    assert blocks_of(texts, language="en")[1]["continues"] == [False] * 6
