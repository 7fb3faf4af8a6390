"""Words that are dropped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinybert.augmentation.example import Example
from tinybert.augmentation.tools import Tools


class Drop:
    """Drops each word with probability p; at least one always stays, and so do marks and locked words.

    Source: EDA, arXiv:1901.11196 (random deletion).

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
        dropped = [index for index in free if rng.random() < self.probability]
        if dropped and len(dropped) == len(free) and not any(example.locked):
            dropped.pop(int(rng.integers(len(dropped))))
        for index in reversed(dropped):
            example = example.without(index)
        return example
