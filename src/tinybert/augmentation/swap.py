"""Words that change positions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinybert.augmentation.example import Example
from tinybert.augmentation.tools import Tools


class Swap:
    """Lets pairs of words change positions, at least one pair: p times half the words.

    Marks and locked words stay where they are among the others; a tag goes with its word.

    Source: EDA, arXiv:1901.11196. Differs: EDA swaps 10 % of the words; set ``augment.probability=0.2``.

    Args:
        tools: With a probability.
    """

    def __init__(self, tools: Tools) -> None:
        self.probability = tools.probability

    def __call__(self, examples: Sequence[Example], *, rng: np.random.Generator) -> list[Example]:
        """Return one changed text for each."""
        return [self._changed(example, rng) for example in examples]

    def _changed(self, example: Example, rng: np.random.Generator) -> Example:
        free = example.free
        if len(free) < 2:
            return example
        for _ in range(max(1, round(self.probability * len(free) / 2))):
            one, other = rng.choice(free, size=2, replace=False).tolist()
            example = example.swapped(one, other)
        return example
