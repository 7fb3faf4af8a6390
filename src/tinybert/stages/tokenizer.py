"""Train a tokenizer: from raw text to a folder with its vocabulary and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinybert.checksums import write_model_checksums
from tinybert.config import Recipe
from tinybert.console import say
from tinybert.corpus.wordpiece import train_wordpiece, write_tokenizer
from tinybert.errors import RecipeError
from tinybert.stages.stage import Made, Plan
from tinybert.stages.steps.vocabulary import (
    coverage_of,
    examples_of,
    folder_output,
    made_from,
    read_text,
    texts_of,
)
from tinybert.storage import Json

REPORT = "tokenizer_report.json"


@dataclass(frozen=True)
class TokenizerPlan(Plan):
    """Everything that a tokenizer is made by.

    Attributes:
        vocab_size: Pieces, special tokens included.
    """

    vocab_size: int


def plan_tokenizer(recipe: Recipe) -> TokenizerPlan:
    """Decide everything that a tokenizer is made by.

    Raises:
        RecipeError: Its number of pieces is not set.
    """
    vocab_size = recipe.tokenizer.vocab_size
    if vocab_size is None:
        raise RecipeError(
            "recipe", "tokenizer.vocab_size is missing; give --vocab-size a number, such as 8000"
        )
    return TokenizerPlan(recipe, vocab_size)


def train_tokenizer(plan: TokenizerPlan, out: Path, source: object) -> Made:
    """Train a WordPiece tokenizer, and measure it on documents that it was not trained on.

    Args:
        plan: Made by :func:`plan_tokenizer`.
        out: The folder to make. One that was made from the same is returned as it is.
        source: Anything :func:`tinybert.corpus.corpus.load_corpus` reads.

    Returns:
        The folder, with the content of its ``tokenizer_report.json``.

    Raises:
        DataError: The text cannot be read, or is not one for so many pieces.
        RunError: The folder holds something else.
    """
    section, column = plan.recipe.tokenizer, plan.recipe.data.text
    settings = {
        "vocab_size": plan.vocab_size,
        "lowercase": not section.cased,
        "min_frequency": section.min_frequency,
        "text": column,
    }
    origin = made_from(settings, plan.recipe.corpus, text=source)
    with folder_output(out, REPORT, origin, source=source) as output:
        if output.metadata is not None:
            return Made(out, output.metadata)
        text = read_text(source, settings=plan.recipe.corpus, column=column, work=output.work)
        words = texts_of(text.train, "counting words")
        tokenizer = train_wordpiece(
            words,
            vocab_size=plan.vocab_size,
            lowercase=not section.cased,
            min_frequency=section.min_frequency,
        )
        say(f"{len(tokenizer):,} pieces learned")
        write_tokenizer(tokenizer, output.path)
        report: Json = {
            **origin,
            "source": text.source,
            "language": text.language,
            "documents": text.counts,
            "num_pieces": len(tokenizer),
            "held_out": coverage_of(tokenizer, text.validation),
            "examples": examples_of(tokenizer, text.validation),
        }
        write_model_checksums(output.path)
        return Made(out, output.commit(report))
