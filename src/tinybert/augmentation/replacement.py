"""What the methods that replace words share: which words, and how one of the candidates is drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tinybert.augmentation.example import Example, is_word, like
from tinybert.augmentation.stop_words import is_stop_word
from tinybert.augmentation.tools import Tools
from tinybert.language import Language

Candidates = list[list[str]]
"""One list a place, in the order of the places."""


class Replacement(ABC):
    """Replaces each content word with probability p by one of its candidates, drawn evenly.

    Args:
        tools: Probability, K, language, and who proposes words.
    """

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    @abstractmethod
    def propose(self, examples: Sequence[Example], places: Sequence[Sequence[int]]) -> list[Candidates]:
        """Return candidates for these words of these texts."""

    def prepare(self, examples: Sequence[Example]) -> list[Example]:
        """Find the candidates of many texts at once.

        They are sorted: a model whose batches have other shapes may rank two of them the other way round.
        """
        places = [content_words(example, self.tools.language) for example in examples]
        proposed = self.propose(examples, places)
        prepared: list[Example] = []
        for example, asked, found in zip(examples, places, proposed, strict=True):
            candidates: list[tuple[str, ...]] = [()] * len(example.words)
            for index, words in zip(asked, found, strict=True):
                kept = dict.fromkeys(like(example.words[index], word) for word in words)
                kept.pop(example.words[index], None)
                candidates[index] = tuple(sorted([*kept][: self.tools.num_candidates]))
            prepared.append(replace(example, candidates=tuple(candidates)))
        return prepared

    def __call__(self, examples: Sequence[Example], *, rng: np.random.Generator) -> list[Example]:
        """Return one changed text for each."""
        ready = with_candidates(examples, self)
        return [self._changed(example, rng) for example in ready]

    def _changed(self, example: Example, rng: np.random.Generator) -> Example:
        candidates = example.candidates or ()
        places = [index for index, words in enumerate(candidates) if words]
        chances, picks = rng.random(len(places)), rng.random(len(places))
        return example.with_words(
            (index, candidates[index][int(pick * len(candidates[index]))])
            for index, chance, pick in zip(places, chances, picks, strict=True)
            if chance < self.tools.probability
        )


def with_candidates(examples: Sequence[Example], method: Replacement) -> list[Example]:
    """Prepare those examples that are not; copies of one text only once."""
    bare = list({id(example): example for example in examples if example.candidates is None}.values())
    ready = dict(zip(map(id, bare), method.prepare(bare), strict=True)) if bare else {}
    return [ready.get(id(example), example) for example in examples]


def content_words(example: Example, language: Language) -> list[int]:
    """Return the indices of words that may be replaced: not locked, no mark, number or stop word."""
    return [
        index
        for index in example.free
        if is_word(example.words[index]) and not is_stop_word(example.words[index], language)
    ]
