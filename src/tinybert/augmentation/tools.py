"""What the methods work with: the contract, the settings, and who proposes words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tinybert.augmentation.example import Example
from tinybert.augmentation.vectors import WordVectors
from tinybert.augmentation.wordnet import WordNet
from tinybert.errors import RecipeError
from tinybert.language import Language

SETTING = "augment.method"


class Method(Protocol):
    """Changes words of texts: the contract of this room.

    One changed text comes back for each given one, in their order. Locked words are unchanged, in their
    order, with nothing put between two that are neighbours; each word keeps its tag.

    A method whose work is the same for all copies of a text may also have ``prepare(examples) -> examples``,
    which is given many texts at once, before any copy is made.
    """

    def __call__(self, examples: Sequence[Example], *, rng: np.random.Generator) -> list[Example]:
        """Return one changed text for each."""
        ...


class Filler(Protocol):
    """Proposes words for places in sentences: :class:`tinybert.augmentation.filler.WordFiller`."""

    def can_fill(self, words: Sequence[str]) -> list[bool]:
        """Say which words the model knows as one."""
        ...

    def candidates(
        self, sentences: Sequence[Sequence[str]], places: Sequence[Sequence[int]]
    ) -> list[list[list[str]]]:
        """Return the likeliest words for each place of each sentence, without the word that is there."""
        ...


@dataclass(frozen=True)
class Tools:
    """What a method is made of.

    Attributes:
        probability: That a word is changed in a copy.
        num_candidates: Words that may replace one, at most.
        language: Decides which are stop words.
        filler: Masked language model.
        vectors: Word vectors.
        wordnet: Synonyms.
    """

    probability: float
    num_candidates: int
    language: Language
    filler: Filler | None = None
    vectors: WordVectors | None = None
    wordnet: WordNet | None = None

    def need_filler(self, method: str) -> Filler:
        """Return the masked language model, or say how to give one."""
        if self.filler is None:
            raise RecipeError(
                SETTING,
                f"{method} asks a masked language model; set augment.model=MODEL (a run of pretrain, or a "
                "checkpoint with a masked-LM head), or augment.method=synonyms",
            )
        return self.filler

    def need_vectors(self, method: str) -> WordVectors:
        """Return the word vectors, or say how to give some."""
        if self.vectors is None:
            raise RecipeError(
                SETTING, f"{method} needs word vectors; set augment.word_vectors=FILE or augment.model=MODEL"
            )
        return self.vectors

    def need_wordnet(self, method: str) -> WordNet:
        """Return the synonyms, or say how to give them."""
        if self.wordnet is None:
            raise RecipeError(SETTING, f"{method} needs WordNet; set augment.wordnet=FOLDER")
        return self.wordnet
