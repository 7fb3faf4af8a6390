"""Synonyms of words, put in somewhere else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinybert.augmentation.example import Example
from tinybert.augmentation.neighbours import Neighbours
from tinybert.augmentation.replacement import with_candidates
from tinybert.augmentation.synonyms import Synonyms
from tinybert.augmentation.tools import Tools


class Insert:
    """Puts in synonyms of random words at random places: p times as many as there are words, one at least.

    Nothing is put between two locked words, so that entities and answers stay whole.

    Source: EDA, arXiv:1901.11196. Differs: for languages other than English, which WordNet does not know, a
    nearest neighbour takes the synonym's place; EDA inserts 10 % (set ``augment.probability=0.1``).

    Args:
        tools: With WordNet for English, else with word vectors.

    Raises:
        RecipeError: Neither is given.
    """

    def __init__(self, tools: Tools) -> None:
        self.probability = tools.probability
        self.source = Synonyms(tools) if tools.language == "en" else Neighbours(tools)

    def prepare(self, examples: Sequence[Example]) -> list[Example]:
        """Find the synonyms of many texts at once."""
        return self.source.prepare(examples)

    def __call__(self, examples: Sequence[Example], *, rng: np.random.Generator) -> list[Example]:
        """Return one changed text for each."""
        return [self._changed(example, rng) for example in with_candidates(examples, self.source)]

    def _changed(self, example: Example, rng: np.random.Generator) -> Example:
        sources = [words for words in example.candidates or () if words]
        if not sources:
            return example
        for _ in range(max(1, round(self.probability * len(example.free)))):
            words = sources[int(rng.integers(len(sources)))]
            places = insertable(example)
            if not places:
                break
            place = places[int(rng.integers(len(places)))]
            example = example.with_inserted(place, words[int(rng.integers(len(words)))].lower())
        return example


def insertable(example: Example) -> list[int]:
    """Return before which words another may be put: not between two locked ones."""
    locked = (False, *example.locked, False)
    return [i for i in range(len(example.words) + 1) if not (locked[i] and locked[i + 1])]
