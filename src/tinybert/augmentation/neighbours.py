"""Words whose vectors lie nearest."""

from __future__ import annotations

from collections.abc import Sequence

from tinybert.augmentation.example import Example
from tinybert.augmentation.replacement import Candidates, Replacement
from tinybert.augmentation.tools import Tools


class Neighbours(Replacement):
    """Replaces words by their nearest neighbours among word vectors, wherever they are.

    Source: the word-embedding half of arXiv:1909.10351.

    Args:
        tools: With word vectors.

    Raises:
        RecipeError: No word vectors are given.
    """

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.vectors = tools.need_vectors("neighbours")

    def propose(self, examples: Sequence[Example], places: Sequence[Sequence[int]]) -> list[Candidates]:
        """Look all words up at once."""
        words = [[example.words[i] for i in asked] for example, asked in zip(examples, places, strict=True)]
        flat = self.vectors.neighbours([word for each in words for word in each], self.tools.num_candidates)
        found = iter(flat)
        return [[next(found) for _ in each] for each in words]
