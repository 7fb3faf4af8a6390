"""What a maximum length cuts off the rows of a split."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

ROWS_AT_ONCE = 2000
MAX_ROWS_SAMPLED = 10_000


@dataclass(frozen=True)
class Truncation:
    """What a maximum length cuts off.

    Attributes:
        rows: How many of the sampled rows are longer.
        tokens_cut: How many tokens they have more, together.
        longest: The longest sampled row in tokens, special tokens included.
        sampled: How many rows were looked at.
    """

    rows: int
    tokens_cut: int
    longest: int
    sampled: int

    @property
    def share(self) -> float:
        """The share of the sampled rows that are longer."""
        return self.rows / max(self.sampled, 1)


def count_truncated(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, *, max_length: int) -> Truncation:
    """Count what ``max_length`` cuts off, on at most 10,000 rows spread evenly over the split."""
    step = max(1, math.ceil(len(dataset) / MAX_ROWS_SAMPLED))
    rows = cut = longest = sampled = 0
    for start in range(0, len(dataset), step * ROWS_AT_ONCE):
        batch = dataset[list(range(start, min(start + step * ROWS_AT_ONCE, len(dataset)), step))]
        found = tokenizer(
            batch["text"], batch.get("text_pair"), truncation=False, padding=False, verbose=False
        )
        lengths = [len(ids) for ids in cast(list[list[int]], found["input_ids"])]
        over = [length - max_length for length in lengths if length > max_length]
        rows, cut, sampled = rows + len(over), cut + sum(over), sampled + len(lengths)
        longest = max(longest, *lengths)
    return Truncation(rows, cut, longest, sampled)
