"""Trim a vocabulary: from a checkpoint and raw text to a smaller checkpoint that reads this text alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tinybert.config import CorpusSection
from tinybert.console import say
from tinybert.models.load import checkpoint_path
from tinybert.models.trim import (
    choose_pieces,
    count_pieces,
    load_for_trimming,
    trim_model,
    trim_tokenizer,
    write_trimmed,
)
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

REPORT = "trim_report.json"
CORPUS_DEFAULTS: Mapping[str, object] = {"min_chars": 1, "near_duplicates": None}
"""Every text counts here: a short one, and one much like another."""


def trim_vocabulary(
    model: str,
    source: str,
    out: Path,
    *,
    vocab_size: int | None,
    min_count: int,
    corpus: CorpusSection,
    column: str | None = None,
) -> Json:
    """Keep the pieces of a model's vocabulary that a text uses.

    What the trimmed model does with other text is measured honestly: on held-out documents, with the pieces
    of the rest. The model that is written keeps the pieces of the held-out documents too.

    Args:
        model: Run, checkpoint, hub name or bundled:minilm; any head.
        source: Anything :func:`tinybert.corpus.corpus.load_corpus` reads.
        out: The folder to make. One that was made from the same is returned as it is.
        vocab_size: At most so many pieces: the most frequent.
        min_count: Pieces used less often are dropped; characters stay.
        corpus: How the text becomes documents.
        column: Column of the text.

    Returns:
        The content of ``trim_report.json``.

    Raises:
        ModelError: The model cannot be read, or its tokenizer is no WordPiece.
        DataError: The text cannot be read.
        RunError: The folder holds something else.
    """
    refuse_sizes(vocab_size=vocab_size, at_least=min_count, name="--min-count")
    path = str(checkpoint_path(model))
    settings = {"vocab_size": vocab_size, "min_count": min_count, "text": column}
    origin = made_from(settings, corpus, model=path, text=source)
    with folder_output(out, REPORT, origin, source=source) as output:
        if output.metadata is not None:
            return output.metadata
        whole, tokenizer = load_for_trimming(path)
        text = read_text(source, settings=corpus, column=column, work=output.work)
        rest = count_pieces(tokenizer, texts_of(text.train, "counting pieces"))
        every = rest + count_pieces(tokenizer, texts_of(text.validation))
        kept_of_rest, kept = (
            choose_pieces(tokenizer, whole.config, counts, min_count=min_count, vocab_size=vocab_size)
            for counts in (rest, every)
        )
        small, small_tokenizer = trim_model(whole, kept), trim_tokenizer(tokenizer, kept)
        say(f"{len(kept):,} of {len(tokenizer):,} pieces kept")
        write_trimmed(output.path, small, small_tokenizer)
        measured = trim_tokenizer(tokenizer, kept_of_rest)
        report: Json = {
            **origin,
            "model": model,
            "source": text.source,
            "language": text.language,
            "documents": text.counts,
            "before": _facts(whole, tokenizer, tokenizer, text.validation),
            "after": _facts(small, small_tokenizer, measured, text.validation),
            "documents_cut_as_before": _cut_alike(tokenizer, measured, text.validation),
            "examples": examples_of(measured, text.validation),
        }
        return output.commit(report)


def _facts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    measured: PreTrainedTokenizerBase,
    documents: Dataset,
) -> Json:
    parameters = list(model.parameters())
    num_bytes = sum(parameter.numel() * parameter.element_size() for parameter in parameters)
    return {
        "num_pieces": len(tokenizer),
        "num_parameters": sum(parameter.numel() for parameter in parameters),
        "size_mb": round(num_bytes / 1e6, 1),
        "held_out": coverage_of(measured, documents),
    }


def _cut_alike(one: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase, documents: Dataset) -> float:
    """Return the share of documents that two tokenizers cut into the same pieces."""
    alike = [one.tokenize(text) == other.tokenize(text) for text in texts_of(documents)]
    return round(sum(alike) / max(len(alike), 1), 4)
