"""What a maximum length cuts off is counted."""

from __future__ import annotations

import pytest
from datasets import Dataset
from transformers import PreTrainedTokenizerFast

from tinybert.data import count_truncated, truncation


def test_count_truncated(tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Dataset.from_dict({"text": ["a", "a b c d e a", "a b c", "a b c d e"]})
    found = count_truncated(rows, tokenizer, max_length=6)
    assert (found.rows, found.tokens_cut, found.longest, found.sampled) == (2, 3, 8, 4)
    monkeypatch.setattr(truncation, "MAX_ROWS_SAMPLED", 2)
    assert count_truncated(rows, tokenizer, max_length=6).sampled == 2
