"""Trim a vocabulary: from a checkpoint and raw text to a smaller checkpoint that reads this text alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tinybert.checksums import write_model_checksums
from tinybert.config import Recipe, with_settings
from tinybert.console import say
from tinybert.errors import RecipeError
from tinybert.models.load import checkpoint_path, load_config
from tinybert.models.pooling import copy_sentence_encoder
from tinybert.models.trim import (
    choose_pieces,
    count_pieces,
    load_for_trimming,
    trim_model,
    trim_tokenizer,
    write_trimmed,
)
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

REPORT = "trim_report.json"
CORPUS_DEFAULTS: Mapping[str, object] = {"min_chars": 1, "near_duplicates": None}
"""Every text counts here: a short one, and one much like another."""


@dataclass(frozen=True)
class TrimPlan(Plan):
    """Everything that a vocabulary is trimmed by.

    Attributes:
        model: Run, checkpoint, hub name or bundled:minilm, with any head.
    """

    model: str

    def inputs(self) -> dict[str, str]:
        """Return what is read besides the text: name → path."""
        return {"model": self.model}


def plan_trim(recipe: Recipe) -> TrimPlan:
    """Decide everything that a vocabulary is trimmed by.

    Raises:
        RecipeError: The model is missing.
        ModelError: There is no such model.
    """
    if recipe.model is None:
        raise RecipeError(
            "recipe", "model is missing; give it a checkpoint, a run, bundled:minilm or a hub name"
        )
    load_config(recipe.model)
    given = recipe.corpus.model_fields_set
    changes = {f"corpus.{name}": value for name, value in CORPUS_DEFAULTS.items() if name not in given}
    return TrimPlan(with_settings(recipe, changes), recipe.model)


def trim_vocabulary(plan: TrimPlan, out: Path, source: object) -> Made:
    """Keep the pieces of a model's vocabulary that a text uses.

    What the trimmed model does with other text is measured: on held-out documents, with the pieces
    of the rest. The model that is written keeps the pieces of the held-out documents too.

    Args:
        plan: Made by :func:`plan_trim`.
        out: The folder to make. One that was made from the same is returned as it is.
        source: Anything :func:`tinybert.corpus.corpus.load_corpus` reads.

    Returns:
        The folder, with the content of its ``trim_report.json``.

    Raises:
        ModelError: The model cannot be read, or its vocabulary cannot be trimmed.
        DataError: The text cannot be read.
        RunError: The folder holds something else.
    """
    section, corpus, column = plan.recipe.trim, plan.recipe.corpus, plan.recipe.data.text
    path = str(checkpoint_path(plan.model))
    settings = {"vocab_size": section.vocab_size, "min_count": section.min_count, "text": column}
    origin = made_from(settings, corpus, model=path, text=source)
    with folder_output(out, REPORT, origin, source=source) as output:
        if output.metadata is not None:
            return Made(out, output.metadata)
        whole, tokenizer = load_for_trimming(path)
        text = read_text(source, settings=corpus, column=column, work=output.work)
        rest = count_pieces(tokenizer, texts_of(text.train, "counting pieces"))
        every = rest + count_pieces(tokenizer, texts_of(text.validation))
        kept_of_rest, kept = (
            choose_pieces(
                tokenizer,
                whole.config,
                counts,
                min_count=section.min_count,
                vocab_size=section.vocab_size,
            )
            for counts in (rest, every)
        )
        small, small_tokenizer = trim_model(whole, kept), trim_tokenizer(tokenizer, kept)
        say(f"{len(kept):,} of {len(tokenizer):,} pieces kept")
        write_trimmed(output.path, small, small_tokenizer)
        copy_sentence_encoder(plan.model, output.path)
        measured = trim_tokenizer(tokenizer, kept_of_rest)
        report: Json = {
            **origin,
            "model": plan.model,
            "source": text.source,
            "language": text.language,
            "documents": text.counts,
            "before": _size_and_coverage(whole, tokenizer, tokenizer, text.validation),
            "after": _size_and_coverage(small, small_tokenizer, measured, text.validation),
            "documents_cut_as_before": _cut_alike(tokenizer, measured, text.validation),
            "examples": examples_of(measured, text.validation),
        }
        write_model_checksums(output.path)
        return Made(out, output.commit(report))


def _size_and_coverage(
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
