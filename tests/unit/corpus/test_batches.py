"""Texts a batch at a time."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from datasets import Dataset

from tinybert.corpus import batches
from tinybert.corpus.batches import batches_of, stored_texts
from tinybert.sources.arrow import write_rows


def test_a_batch_holds_few_long_texts_and_many_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "CHARS_AT_ONCE", 10)
    made = list(batches_of(["aaaa", "bbbb", "cccc", "d" * 50, "e", "f", "g"], size=2))
    assert made == [["aaaa", "bbbb"], ["cccc", "d" * 50], ["e", "f"], ["g"]]
    assert list(batches_of(["a" * 10, "b" * 9, "c"], size=5)) == [["a" * 10], ["b" * 9, "c"]]


def test_stored_texts_are_those_of_the_file_in_order(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(2500)]
    write_rows(tmp_path / "texts.arrow", pa.schema({"text": pa.large_string()}), [{"text": texts}])
    documents = Dataset.from_file(str(tmp_path / "texts.arrow"))
    assert list(stored_texts(documents)) == texts
    assert list(stored_texts(documents.select([3, 1]))) == ["text 3", "text 1"]
