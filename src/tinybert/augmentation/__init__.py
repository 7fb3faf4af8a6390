"""More text from little: copies of rows with some words changed. Texts in, texts out; one idea a file.

Shared by all: labels and the offsets they belong to are kept (words of entities and answers are locked),
spaces stay as they were, a replaced word keeps its capitals, and all drawing comes from ``rng``.

To add a method, write a class whose instances are ``(examples, *, rng) -> examples``
(:class:`~tinybert.augmentation.tools.Method`), made of :class:`~tinybert.augmentation.tools.Tools`, and add a
line to ``BUILTIN``. ``augment.method=package.module:attr`` names such a callable itself, already made.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np

from tinybert.augmentation.augmenter import BLOCK, Augmenter
from tinybert.augmentation.drop import Drop
from tinybert.augmentation.example import Example
from tinybert.augmentation.insert import Insert
from tinybert.augmentation.masked_lm import MaskedLM
from tinybert.augmentation.neighbours import Neighbours
from tinybert.augmentation.processes import copies_in_blocks
from tinybert.augmentation.swap import Swap
from tinybert.augmentation.synonyms import Synonyms
from tinybert.augmentation.tinybert import TinyBERT
from tinybert.augmentation.tools import Filler, Method, Tools
from tinybert.augmentation.vectors import WordVectors, load_vectors
from tinybert.augmentation.wordnet import WordNet
from tinybert.config.recipe import AugmentSection
from tinybert.errors import RecipeError, TinyBertError
from tinybert.language import Language
from tinybert.lookup import find

BUILTIN: dict[str, Callable[[Tools], Method]] = {
    "tinybert": TinyBERT,
    "masked_lm": MaskedLM,
    "neighbours": Neighbours,
    "synonyms": Synonyms,
    "swap": Swap,
    "drop": Drop,
    "insert": Insert,
}

NEEDS: dict[str, frozenset[str]] = {
    "tinybert": frozenset({"filler", "vectors"}),
    "masked_lm": frozenset({"filler"}),
    "neighbours": frozenset({"vectors"}),
    "synonyms": frozenset({"wordnet"}),
}


def needs(method: str, language: Language) -> frozenset[str]:
    """Return which of ``filler``, ``vectors`` and ``wordnet`` a method must be given.

    Example:
        >>> sorted(needs("tinybert", "en")), sorted(needs("insert", "zh")), sorted(needs("swap", "en"))
        (['filler', 'vectors'], ['vectors'], [])
    """
    if method == "insert":
        return frozenset({"wordnet"}) if language == "en" else frozenset({"vectors"})
    return NEEDS.get(method, frozenset())


def build_method(
    section: AugmentSection,
    *,
    language: Language,
    filler: Filler | None = None,
    vectors: WordVectors | None = None,
) -> Method:
    """Return the method that a recipe names.

    Args:
        section: ``augment`` of a recipe.
        language: Of the texts.
        filler: For ``tinybert`` and ``masked_lm``.
        vectors: For ``tinybert`` and ``neighbours``, and for ``insert`` unless the texts are English.

    Raises:
        RecipeError: The name is unknown, or what the method needs is missing.
        DataError: WordNet is needed and not there.
    """
    name = section.method
    found = find(BUILTIN, name, kind="augmentation")
    if name not in BUILTIN:
        if not callable(found):
            raise RecipeError(name, "not callable; an augmentation is (examples, *, rng) -> examples")
        return _Named(name, cast(Method, found))
    if "wordnet" in needs(name, language) and language == "zh":
        raise RecipeError("augment.method", f"{name}: WordNet is English; set augment.method=neighbours")
    wordnet = WordNet(section.wordnet) if "wordnet" in needs(name, language) else None
    tools = Tools(section.probability, section.num_candidates, language, filler, vectors, wordnet)
    return found(tools)


class _Named:
    """A method of the user's own; what it raises is reported with its name."""

    def __init__(self, name: str, method: Method) -> None:
        self.name = name
        self.method = method

    def __call__(self, examples: Sequence[Example], *, rng: np.random.Generator) -> list[Example]:
        """Ask the method."""
        with self._telling():
            return self.method(examples, rng=rng)

    def prepare(self, examples: Sequence[Example]) -> list[Example]:
        """Let the method prepare, if it does."""
        prepare = getattr(self.method, "prepare", None)
        with self._telling():
            return list(examples) if prepare is None else prepare(examples)

    @contextmanager
    def _telling(self) -> Generator[None]:
        try:
            yield
        except TinyBertError:
            raise
        except Exception as error:
            raise RecipeError(
                "augment.method", f"{self.name} raised {type(error).__name__}: {error}; --debug shows where"
            ) from error


__all__ = [
    "BLOCK",
    "BUILTIN",
    "Augmenter",
    "Example",
    "Method",
    "Tools",
    "WordNet",
    "WordVectors",
    "build_method",
    "copies_in_blocks",
    "load_vectors",
    "needs",
]
