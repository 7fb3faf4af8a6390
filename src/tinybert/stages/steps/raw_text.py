"""What trainings on raw text share: its blocks, the held-out losses, the end of the run."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from datasets import Dataset
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.trainer_utils import set_seed

from tinybert.config import Recipe, dump_recipe
from tinybert.console import say, warn
from tinybert.corpus.blocks import encode_blocks
from tinybert.corpus.corpus import Corpus, load_corpus
from tinybert.corpus.documents import forget_last_pipe, is_pipe
from tinybert.data import Collator, lengths_of, sorted_by_length
from tinybert.errors import RunError
from tinybert.evaluation import BlocksEvaluator, draw_learning_curve, text_report
from tinybert.evaluation.blocks import BlockLosses
from tinybert.models.masking import Masking
from tinybert.runs import CHECKPOINTS, Json, Run, RunInProgress
from tinybert.stages.plan.training import Training
from tinybert.stages.steps.fit import MODEL
from tinybert.training import Objective, Settings, Trained, tracked, train

MAX_BLOCKS_SCORED = 1000
MAX_UNKNOWN = 0.05
EVALUATIONS = 10
"""How often a training on raw text is scored where ``train.eval_steps`` is not set."""


@dataclass(frozen=True)
class Blocks:
    """Raw text as one tokenizer reads it."""

    corpus: Corpus
    train: Dataset
    held_out: Dataset
    collator: Collator
    tokenizer: PreTrainedTokenizerBase
    warnings: list[str]


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
    corpus = load_corpus(
        source,
        settings=recipe.corpus,
        text=recipe.data.text,
        work_dir=folder / "corpus",
    )
    _, begun_with = run.step("text", lambda _: {"corpus": corpus.key})
    if is_pipe(source) and begun_with["corpus"] != corpus.key:
        forget_last_pipe(folder / "corpus")
        shutil.rmtree(folder / "corpus" / corpus.key, ignore_errors=True)
        raise RunError(
            str(run.target), "was begun with other text; pipe the same into it, or choose another --out"
        )

    def blocks(documents: Dataset) -> Dataset:
        return encode_blocks(
            documents,
            tokenizer,
            max_length=max_length,
            language=recipe.corpus.language,
            cross_documents=recipe.corpus.cross_documents,
            cache_dir=folder / "blocks",
        )

    train_rows, held_out = blocks(corpus.train), _spread(blocks(corpus.validation))
    tokenizer.model_max_length = max_length
    say(
        f"{len(corpus.train):,} documents in {len(train_rows):,} blocks to train on, "
        f"{len(held_out):,} blocks held out"
    )
    warnings = [*corpus.warnings, *_unreadable(held_out, tokenizer)]
    for warning in warnings:
        warn(warning)
    return Blocks(corpus, train_rows, sorted_by_length(held_out), Collator(tokenizer), tokenizer, warnings)


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


def text_settings(recipe: Recipe, training: Training, blocks: Blocks, *, name: str, bf16: bool) -> Settings:
    """Return the trainer's settings for raw text, where steps are counted rather than epochs."""
    section = recipe.train
    batches = math.ceil(len(blocks.train) / section.batch_size)
    an_epoch = math.ceil(batches / section.gradient_accumulation_steps)
    num_steps = section.num_steps or an_epoch * training.num_epochs
    return Settings(
        num_epochs=training.num_epochs,
        learning_rate=training.learning_rate,
        batch_size=section.batch_size,
        gradient_accumulation_steps=section.gradient_accumulation_steps,
        weight_decay=section.weight_decay,
        warmup_ratio=section.warmup_ratio,
        schedule=section.schedule,
        max_grad_norm=section.max_grad_norm,
        bf16=bf16,
        seed=section.seed,
        trackers=tuple(section.trackers),
        max_steps=num_steps,
        eval_steps=section.eval_steps or math.ceil(num_steps / EVALUATIONS),
        name=name,
        keep_best=False,
    )


def fit_blocks(
    folder: Path,
    model: PreTrainedModel,
    objective: Objective,
    *,
    blocks: Blocks,
    losses: BlockLosses,
    settings: Settings,
    main_metric: str,
    masked_lm_weight: float = 1.0,
) -> Trained:
    """Train on blocks; after a kill the same call goes on from the last checkpoint, amid the data."""
    set_seed(settings.seed)
    evaluator = BlocksEvaluator(
        losses,
        blocks.held_out,
        collator=blocks.collator,
        source=blocks.corpus.source,
        batch_size=settings.batch_size,
        main_metric=main_metric,
        masked_lm_weight=masked_lm_weight,
    )
    with tracked(settings.trackers, folder.parent.parent, settings.name):
        return train(
            model,
            objective,
            train_rows=blocks.train,
            collator=blocks.collator,
            evaluator=evaluator,
            settings=settings,
            work_dir=folder / CHECKPOINTS,
        )


def keep_model(folder: Path, model: PreTrainedModel, blocks: Blocks, trained: Trained) -> Json:
    """Write the checkpoint under ``folder/model`` and return what the training said."""
    nn.Module.to(model, torch.float32)
    model.save_pretrained(folder / MODEL)
    blocks.tokenizer.save_pretrained(folder / MODEL)
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    return {
        "history": trained.history,
        "num_steps": trained.num_steps,
        "train_seconds": round(trained.seconds, 1),
        "num_parameters": num_parameters,
        "size_mb": round(num_parameters * 4 / 1e6, 1),
    }


def finish_text_run(
    run: RunInProgress,
    blocks: Blocks,
    facts: Json,
    *,
    model: Path,
    metrics: Json,
    main_metric: str,
    notes: Sequence[str],
) -> Run:
    """Put everything in its place and give the run its name."""
    history = cast(list[dict[str, float]], facts["history"])
    scores = {name.removeprefix("val_"): value for name, value in history[-1].items() if name[:4] == "val_"}
    _, precision = run.step("precision", lambda _: {"precision": run.recipe.train.precision})
    content: Json = {
        "stage": run.recipe.stage,
        "main_metric": main_metric,
        "source": blocks.corpus.source,
        "language": blocks.corpus.language,
        "documents": blocks.corpus.counts,
        "num_blocks": len(blocks.train),
        "num_blocks_held_out": len(blocks.held_out),
        "num_tokens": int(lengths_of(blocks.train).sum()),
        **{name: value for name, value in facts.items() if name != "history"},
        "tokens_per_second": history[-1]["tokens_per_second"],
        "held_out": scores,
        "first_held_out": {
            name.removeprefix("val_"): value for name, value in history[0].items() if name[:4] == "val_"
        },
        "seed": run.recipe.train.seed,
        "precision": precision["precision"],
        **metrics,
        "notes": [*notes, *blocks.warnings],
    }
    for file in model.iterdir():
        shutil.copyfile(file, run.path / file.name)
    name = str(content["stage"])
    run.log([{"training": name, **row} for row in history])
    draw_learning_curve({name: history}, main_metric, run.path / "learning_curve.png", by="step")
    report = text_report(content, history, recipe_text=dump_recipe(run.recipe))
    (run.path / "report.md").write_text(report, encoding="utf-8")
    return run.finish(content)
