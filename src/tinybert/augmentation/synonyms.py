"""Synonyms from WordNet."""

from __future__ import annotations

from collections.abc import Sequence

from tinybert.augmentation.example import Example
from tinybert.augmentation.replacement import Candidates, Replacement
from tinybert.augmentation.tools import Tools


class Synonyms(Replacement):
    """Replaces words by synonyms. Only a word that is its own dictionary form has any: "film", not "films".

    Source: EDA, arXiv:1901.11196. Differs: each content word is replaced with probability p; EDA replaces a
    fixed number of words, and takes an inflected word for its dictionary form.

    Args:
        tools: With WordNet.

    Raises:
        RecipeError: No WordNet is given.
    """

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.wordnet = tools.need_wordnet("synonyms")

    def propose(self, examples: Sequence[Example], places: Sequence[Sequence[int]]) -> list[Candidates]:
        """Look each word up."""
        return [
            [self.wordnet.synonyms(example.words[i]) for i in asked]
            for example, asked in zip(examples, places, strict=True)
        ]
