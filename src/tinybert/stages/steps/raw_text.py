"""Raw text as a training reads it: its blocks, masks, steps and metrics."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from tinybert.config import Recipe, dump_recipe
from tinybert.console import say, warn
from tinybert.corpus.blocks import encode_blocks
from tinybert.corpus.corpus import Corpus, load_corpus
from tinybert.corpus.places import forget_last_pipe, is_pipe
from tinybert.data import Collator, lengths_of, sorted_by_length
from tinybert.errors import RunError
from tinybert.evaluation import BlocksEvaluator
from tinybert.evaluation.blocks import BlockLosses
from tinybert.evaluation.report import text_report
from tinybert.models.masking import Masking
from tinybert.runs import Run, RunInProgress
from tinybert.stages.steps.finish import finish
from tinybert.stages.steps.fit import TrainingRows, history_of
from tinybert.storage import Json

MAX_BLOCKS_SCORED = 1000
MAX_UNKNOWN = 0.05
EVALUATIONS = 10
"""How often a training on raw text is scored where ``train.eval_steps`` is not set."""
KEPT = ("num_steps", "train_seconds", "num_parameters", "size_mb")
"""What ``metrics.json`` holds of a training's summary."""


@dataclass(frozen=True)
class Blocks(TrainingRows):
    """Raw text as one tokenizer reads it.

    Attributes:
        corpus: The text.
        held_out: The encoded held-out blocks.
        warnings: What is odd but does not stop.
    """

    corpus: Corpus
    held_out: Dataset
    warnings: list[str]

    def evaluator(
        self, losses: BlockLosses, *, main_metric: str, batch_size: int, masked_lm_weight: float = 1.0
    ) -> BlocksEvaluator:
        """Return what validates a model on the held-out blocks."""
        return BlocksEvaluator(
            losses,
            self.held_out,
            collator=self.collator,
            source=self.corpus.source,
            batch_size=batch_size,
            main_metric=main_metric,
            masked_lm_weight=masked_lm_weight,
        )


def load_blocks(
    source: object,
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerBase,
    run: RunInProgress,
    *,
    max_length: int,
) -> Blocks:
    """Read raw text and cut it into blocks, on disk.

    Raises:
        DataError: See :func:`tinybert.corpus.corpus.load_corpus`.
        RunError: A pipe brings other text than the one a killed run was begun with.
    """
    folder = run.work
    corpus = load_corpus(source, settings=recipe.corpus, text=recipe.data.text, work_dir=folder / "corpus")
    _refuse_other_pipe(source, corpus, run)
    encode = partial(
        encode_blocks,
        tokenizer=tokenizer,
        max_length=max_length,
        language=recipe.corpus.language,
        cross_documents=recipe.corpus.cross_documents,
        cache_dir=folder / "blocks",
    )
    train, held_out = encode(corpus.train), _spread(encode(corpus.validation))
    tokenizer.model_max_length = max_length
    say(
        f"{len(corpus.train):,} documents in {len(train):,} blocks to train on, "
        f"{len(held_out):,} blocks held out"
    )
    warnings = [*corpus.warnings, *_unreadable(held_out, tokenizer)]
    for warning in warnings:
        warn(warning)
    return Blocks(train, Collator(tokenizer), tokenizer, corpus, sorted_by_length(held_out), warnings)


def _refuse_other_pipe(source: object, corpus: Corpus, run: RunInProgress) -> None:
    """Refuse a pipe with other text than the run was begun with, and forget that text."""
    _, begun_with = run.step("text", lambda _: {"corpus": corpus.key})
    if not is_pipe(source) or begun_with["corpus"] == corpus.key:
        return
    folder = run.work / "corpus"
    forget_last_pipe(folder)
    shutil.rmtree(folder / corpus.key, ignore_errors=True)
    raise RunError(
        str(run.target), "was begun with other text; pipe the same into it, or choose another --out"
    )


def _unreadable(rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Say when a vocabulary cannot read a text."""
    ids = np.concatenate(rows["input_ids"][:])
    share = float((ids == tokenizer.unk_token_id).mean())
    if share <= MAX_UNKNOWN:
        return []
    return [
        f"{share:.0%} of the held-out tokens are {tokenizer.unk_token}: this vocabulary cannot read the "
        "text, and little can be learnt from it; take a model of its language, or train a tokenizer: "
        "tinybert tokenizer TEXT --vocab-size 8000 --out runs/tokenizer"
    ]


def _spread(rows: Dataset) -> Dataset:
    """Take up to 1,000 blocks evenly: scoring very many, ten times, would cost what training does."""
    step = -(-len(rows) // MAX_BLOCKS_SCORED)
    return rows if step == 1 else rows.select(range(0, len(rows), step))


def masking_of(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> Masking:
    """Return the recipe's masking for a tokenizer."""
    return Masking(
        share=recipe.pretrain.mask_share,
        whole_words=recipe.pretrain.whole_words,
        mask_token_id=cast(int, tokenizer.mask_token_id),
        vocab_size=len(tokenizer),
        special_ids=tuple(tokenizer.all_special_ids),
    )


def pace_of(recipe: Recipe, blocks: Blocks, *, num_epochs: int) -> dict[str, object]:
    """Return the trainer's settings for raw text, where steps are counted rather than epochs."""
    section = recipe.train
    batches = math.ceil(len(blocks.train) / section.batch_size)
    num_steps = section.num_steps or num_epochs * math.ceil(batches / section.gradient_accumulation_steps)
    eval_steps = section.eval_steps or math.ceil(num_steps / EVALUATIONS)
    return {"max_steps": num_steps, "eval_steps": eval_steps, "keep_best": False, "line": "step"}


def finish_text(
    run: RunInProgress,
    blocks: Blocks,
    metrics: Json,
    *,
    model: Path,
    summary: Json,
    main_metric: str,
    notes: Sequence[str],
) -> Run:
    """Finish a run on raw text; see :func:`tinybert.stages.steps.finish.finish`.

    Args:
        run: The run being made.
        blocks: The text.
        metrics: What this stage has found.
        model: The checkpoint that becomes the run's own.
        summary: Of its training.
        main_metric: loss or perplexity.
        notes: What a reader should know.
    """
    history = history_of(summary)
    metrics = {
        "main_metric": main_metric,
        "source": blocks.corpus.source,
        "language": blocks.corpus.language,
        "documents": blocks.corpus.counts,
        "num_blocks": len(blocks.train),
        "num_blocks_held_out": len(blocks.held_out),
        "num_tokens": int(lengths_of(blocks.train).sum()),
        **{name: summary[name] for name in KEPT},
        "tokens_per_second": history[-1]["tokens_per_second"],
        "held_out": _validated(history[-1]),
        "first_held_out": _validated(history[0]),
        **metrics,
        "notes": [*notes, *blocks.warnings],
    }
    report = text_report(metrics, history, recipe_text=dump_recipe(run.recipe))
    trainings = {run.recipe.stage: summary}
    return finish(run, metrics, model=model, trainings=trainings, report=report, by="step")


def _validated(row: Mapping[str, float]) -> dict[str, float]:
    return {name.removeprefix("val_"): value for name, value in row.items() if name.startswith("val_")}
