"""Train a tokenizer: from raw text to a folder with its vocabulary and what it is worth."""

from __future__ import annotations

from pathlib import Path

from tinybert.config import CorpusSection
from tinybert.console import say
from tinybert.corpus.wordpiece import train_wordpiece, write_tokenizer
from tinybert.stages.steps.vocabulary import (
    coverage_of,
    examples_of,
    folder_output,
    made_from,
    read_text,
    refuse_sizes,
    texts_of,
)
from tinybert.storage import Json

REPORT = "tokenizer_report.json"


def train_tokenizer(
    source: str,
    out: Path,
    *,
    vocab_size: int,
    lowercase: bool,
    min_frequency: int,
    corpus: CorpusSection,
    column: str | None = None,
) -> Json:
    """Train a WordPiece tokenizer, and measure it on documents that it was not trained on.

    Args:
        source: Anything :func:`tinybert.corpus.corpus.load_corpus` reads.
        out: The folder to make. One that was made from the same is returned as it is.
        vocab_size: Pieces, special tokens included.
        lowercase: Fold case and strip accents.
        min_frequency: Characters and pieces seen less often are left out.
        corpus: How the text becomes documents.
        column: Column of the text.

    Returns:
        The content of ``tokenizer_report.json``.

    Raises:
        RecipeError: A number that no text can meet.
        DataError: The text cannot be read, or is not one for so many pieces.
        RunError: The folder holds something else.
    """
    refuse_sizes(vocab_size=vocab_size, at_least=min_frequency, name="--min-frequency")
    settings = {
        "vocab_size": vocab_size,
        "lowercase": lowercase,
        "min_frequency": min_frequency,
        "text": column,
    }
    origin = made_from(settings, corpus, text=source)
    with folder_output(out, REPORT, origin, source=source) as output:
        if output.metadata is not None:
            return output.metadata
        text = read_text(source, settings=corpus, column=column, work=output.work)
        words = texts_of(text.train, "counting words")
        tokenizer = train_wordpiece(
            words, vocab_size=vocab_size, lowercase=lowercase, min_frequency=min_frequency
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
        return output.commit(report)
