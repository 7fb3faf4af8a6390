"""The augmentation of the TinyBERT paper: masked LM for whole words, neighbours for words in pieces."""

from __future__ import annotations

from collections.abc import Sequence

from tinybert.augmentation.example import Example
from tinybert.augmentation.masked_lm import MaskedLM
from tinybert.augmentation.neighbours import Neighbours
from tinybert.augmentation.replacement import Candidates, Replacement
from tinybert.augmentation.tools import Tools


class TinyBERT(Replacement):
    """Replaces words of one piece by what the masked LM proposes, words of several by their neighbours.

    The paper makes N = 20 copies, replaces with p = 0.4 and keeps K = 15 candidates.

    Differs: the word itself is no candidate, so p is the chance of a real change; marks, numbers and words of
    entities and answers stay. Without a file of word vectors the neighbours come from the model's own
    embeddings, not from GloVe. How the masked LM is asked: :class:`tinybert.augmentation.filler.WordFiller`.

    Args:
        tools: With a filler and word vectors.

    Raises:
        RecipeError: The masked language model or the word vectors are missing.

    Source: arXiv:1909.10351, algorithm 1.
    """

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.filler = tools.need_filler("tinybert")
        self.neighbours = Neighbours(tools)
        self.masked_lm = MaskedLM(tools)

    def propose(self, examples: Sequence[Example], places: Sequence[Sequence[int]]) -> list[Candidates]:
        """Ask the model for words it knows as one, the word vectors for the rest."""
        fillable = [
            self.filler.can_fill([example.words[i] for i in asked])
            for example, asked in zip(examples, places, strict=True)
        ]
        whole = [
            [i for i, fits in zip(asked, can, strict=True) if fits]
            for asked, can in zip(places, fillable, strict=True)
        ]
        cut = [
            [i for i, fits in zip(asked, can, strict=True) if not fits]
            for asked, can in zip(places, fillable, strict=True)
        ]
        filled = self.masked_lm.propose(examples, whole)
        near = self.neighbours.propose(examples, cut)
        found: list[Candidates] = []
        for can, likely, close in zip(fillable, filled, near, strict=True):
            found_by = {True: iter(likely), False: iter(close)}
            found.append([next(found_by[fits]) for fits in can])
        return found
