"""Words that a masked language model finds likely at a place."""

from __future__ import annotations

from collections.abc import Sequence

from tinybert.augmentation.example import Example
from tinybert.augmentation.replacement import Candidates, Replacement
from tinybert.augmentation.tools import Tools


class MaskedLM(Replacement):
    """Replaces words by those a masked language model proposes for their place.

    Source: conditional BERT without the labels, arXiv:1812.06705; the masked-LM half of arXiv:1909.10351.

    Args:
        tools: With a filler.

    Raises:
        RecipeError: No masked language model is given.
    """

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.filler = tools.need_filler("masked_lm")

    def propose(self, examples: Sequence[Example], places: Sequence[Sequence[int]]) -> list[Candidates]:
        """Ask for every word, of one piece or of several."""
        return self.filler.candidates([example.words for example in examples], places)
