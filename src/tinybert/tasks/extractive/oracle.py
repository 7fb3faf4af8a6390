"""Which of a document's sentences a model is taught: those that together come nearest to its summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tinybert.metrics.words import words

Grams = Counter[tuple[str, ...]]


def single_words(tokens: list[str]) -> Grams:
    """Count the words of a text."""
    return Grams((token,) for token in tokens)


def pairs_of_words(tokens: list[str]) -> Grams:
    """Count the pairs of neighbouring words of a text."""
    return Grams(pairwise(tokens))


GRAMS = (single_words, pairs_of_words)
"""Those of ROUGE-1 and ROUGE-2."""


def oracle(sentences: Sequence[str], references: Sequence[str], *, num_sentences: int) -> list[int]:
    """Return the sentences that are chosen one after another, in their order in the document.

    Each time it is the one that raises ROUGE-1 plus ROUGE-2 (F1) most, the first of equal ones, until none
    does. Of several references the one counts whose sentences come nearest to it.

    Args:
        sentences: Of the document.
        references: Its summary, or several.
        num_sentences: At most so many.

    Source: SummaRuNNer, arXiv:1611.04230, section 3.1.

    Differs: stops at ``num_sentences``; pairs of words do not reach over the end of a sentence.

    Example:
        >>> sentences = ["It rained.", "A fox ran home.", "The old fox slept."]
        >>> oracle(sentences, ["an old fox slept"], num_sentences=3)
        [2]
    """
    of_sentences = [words(sentence) for sentence in sentences]
    found = [_nearest(of_sentences, words(reference), num_sentences) for reference in references]
    return max(found, key=lambda each: each[0], default=(0.0, list[int]()))[1]


def _nearest(sentences: list[list[str]], reference: list[str], num_sentences: int) -> tuple[float, list[int]]:
    overlaps = [_Overlap(grams(reference)) for grams in GRAMS]
    counted = [
        [overlap.within(grams(each)) for overlap, grams in zip(overlaps, GRAMS, strict=True)]
        for each in sentences
    ]
    chosen: list[int] = []
    best = 0.0
    while len(chosen) < num_sentences:
        rest = [index for index in range(len(sentences)) if index not in chosen]
        scores = {
            index: sum(overlap.f1_with(*each) for overlap, each in zip(overlaps, counted[index], strict=True))
            for index in rest
        }
        index = max(rest, key=lambda index: scores[index], default=-1)
        if index < 0 or scores[index] <= best:
            break
        best = scores[index]
        chosen.append(index)
        for overlap, each in zip(overlaps, counted[index], strict=True):
            overlap.add(*each)
    return best, sorted(chosen)


@dataclass
class _Overlap:
    """What the chosen sentences have in common with a reference.

    Attributes:
        wanted: The reference's n-grams.
        found: Of these, how many the chosen sentences have.
        length: n-grams of the chosen sentences, in the reference or not.
        hits: n-grams in common.
    """

    wanted: Grams
    found: Grams = field(default_factory=Grams)
    length: int = 0
    hits: int = 0

    def within(self, grams: Grams) -> tuple[Grams, int]:
        """Return the n-grams of a sentence that the reference has too, and how many it has in all."""
        return Grams({gram: grams[gram] for gram in grams if gram in self.wanted}), grams.total()

    def f1_with(self, grams: Grams, length: int) -> float:
        """Return the F1 with one sentence more; 0 where nothing is in common."""
        hits = self.hits + self._new_hits(grams)
        return 2 * hits / (self.wanted.total() + self.length + length) if hits else 0.0

    def add(self, grams: Grams, length: int) -> None:
        """Choose a sentence."""
        self.hits += self._new_hits(grams)
        self.length += length
        self.found.update(grams)

    def _new_hits(self, grams: Grams) -> int:
        return sum(
            min(self.wanted[gram], self.found[gram] + count) - min(self.wanted[gram], self.found[gram])
            for gram, count in grams.items()
        )
