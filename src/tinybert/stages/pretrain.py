"""Pre-train a masked language model on raw text: from nothing, or on from a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from transformers import BertConfig, PreTrainedModel, PreTrainedTokenizerBase

from tinybert.config import Recipe, with_settings
from tinybert.errors import RecipeError
from tinybert.lookup import nearest
from tinybert.models import Shape, check_vocabulary, load_config, load_tokenizer, resolve_shape
from tinybert.models.masked_lm import (
    freeze_encoder,
    has_masked_lm_head,
    load_masked_lm,
    random_masked_lm,
    refuse_without_known_head,
)
from tinybert.models.shapes import BUILTIN as SHAPES
from tinybert.objectives import MaskedLMObjective
from tinybert.runs import Run, RunInProgress
from tinybert.stages.plan.training import Training, longest_input, plan_training
from tinybert.stages.stage import Plan
from tinybert.stages.steps.fit import MODEL, fit, precision_of, settings_of
from tinybert.stages.steps.raw_text import Blocks, finish_text, load_blocks, masking_of, pace_of
from tinybert.storage import Json
from tinybert.training import check_trackers

MAX_LENGTH = 128
NUM_POSITIONS = 512
DEFAULT_TRAINING: dict[str, tuple[int, float]] = {
    "random": (3, 5e-4),
    "checkpoint": (1, 1e-4),
    "head": (1, 1e-3),
}
"""What begins → epochs and peak learning rate."""


@dataclass(frozen=True)
class PretrainPlan(Plan):
    """Everything a pre-training needs to know before it loads weights.

    Attributes:
        training: Its block length, epochs and learning rate.
        model: The checkpoint to continue from, or a named shape.
        tokenizer: Whose vocabulary is read.
    """

    training: Training
    model: str
    tokenizer: str

    @property
    def is_new(self) -> bool:
        """Whether the model begins as a shape with random weights."""
        return self.model in SHAPES

    def inputs(self) -> dict[str, str]:
        """Return what the run reads besides its text: name → path; a shape is no file."""
        return {"tokenizer": self.tokenizer} if self.is_new else {"model": self.model}


def plan_pretrain(recipe: Recipe) -> PretrainPlan:
    """Decide everything a pre-training needs.

    Raises:
        RecipeError: The model or the tokenizer is missing, or settings do not go together; all are listed.
        ModelError: There is no such checkpoint.
    """
    model = recipe.model
    if model is None:
        raise RecipeError(
            "recipe",
            f"model is missing; give --model a shape ({', '.join(SHAPES)}) or a checkpoint to continue from",
        )
    begins = _begins(model, recipe)
    max_length = longest_input(recipe, [model] if begins != "random" else [], default=MAX_LENGTH)
    if begins == "random" and max_length > NUM_POSITIONS:
        raise RecipeError(
            "recipe", f"data.max_length = {max_length}: a new BERT has {NUM_POSITIONS} positions"
        )
    training = plan_training(recipe, max_length=max_length, defaults=DEFAULT_TRAINING[begins])
    training = replace(training, is_auto=False)
    resolved = with_settings(recipe, training.settings())
    return PretrainPlan(resolved, training, model, recipe.pretrain.tokenizer or model)


def _begins(name: str, recipe: Recipe) -> Literal["random", "checkpoint", "head"]:
    section = recipe.pretrain
    if name in SHAPES:
        problems = [] if section.tokenizer else [_no_tokenizer(name)]
        if section.train_only == "head":
            problems.append("pretrain.train_only = 'head': a new encoder must learn too; give a checkpoint")
        if problems:
            raise RecipeError("recipe", problems)
        return "random"
    if section.tokenizer is not None:
        raise RecipeError("recipe", f"pretrain.tokenizer: {name} is a checkpoint and has its own; omit it")
    if "/" not in name and "." not in name and not Path(name).exists() and nearest(name, SHAPES):
        raise RecipeError(
            "recipe", f"model = {name!r}: unknown shape{nearest(name, SHAPES)} (allowed: {', '.join(SHAPES)})"
        )
    refuse_without_known_head(name, load_config(name))
    return "head" if section.train_only == "head" else "checkpoint"


def _no_tokenizer(name: str) -> str:
    return (
        f"pretrain.tokenizer is missing: {name} is a shape and brings no vocabulary; train one with "
        "`tinybert tokenizer TEXT --vocab-size 8000 --out runs/tokenizer` and give --tokenizer "
        "runs/tokenizer, or that of a checkpoint"
    )


def pretrain(plan: PretrainPlan, run: RunInProgress, source: object) -> Run:
    """Pre-train: from raw text to report; what is done already is not done again.

    Args:
        plan: Made by :func:`plan_pretrain`.
        run: The run, begun.
        source: Anything :func:`tinybert.corpus.corpus.load_corpus` reads.
    """
    recipe = plan.recipe
    check_trackers(recipe.train.trackers)
    tokenizer = load_tokenizer(plan.tokenizer)
    if not plan.is_new:
        check_vocabulary(plan.model, tokenizer, num_rows=load_config(plan.model).vocab_size)
    refuse_without_mask(tokenizer, plan.tokenizer)
    blocks = load_blocks(source, recipe, tokenizer, run, max_length=plan.training.max_length)
    bf16 = precision_of(run) == "bf16"
    folder, summary = run.step("model", lambda folder: _train(folder, plan, blocks, bf16=bf16))
    return finish_text(
        run,
        blocks,
        {"task": "masked_lm", "model": plan.model, "train_only": recipe.pretrain.train_only},
        model=folder / MODEL,
        summary=summary,
        main_metric="perplexity",
        notes=_notes(plan, blocks),
    )


def _train(folder: Path, plan: PretrainPlan, blocks: Blocks, *, bf16: bool) -> Json:
    recipe, training = plan.recipe, plan.training
    model = first_weights(plan, blocks.tokenizer)
    frozen = recipe.pretrain.train_only == "head"
    if frozen:
        freeze_encoder(model)
    objective = MaskedLMObjective(masking_of(recipe, blocks.tokenizer), frozen_encoder=frozen)
    pace = pace_of(recipe, blocks, num_epochs=training.num_epochs)
    return fit(
        folder,
        model,
        objective,
        rows=blocks,
        evaluator=blocks.evaluator(
            objective.held_out, main_metric="perplexity", batch_size=recipe.train.batch_size
        ),
        settings=settings_of(recipe, training, rows=blocks, name="pretrain", bf16=bf16, **pace),
    )


def first_weights(plan: PretrainPlan, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """Return the model before its first step: a new BERT of a shape, or a checkpoint."""
    seed = plan.recipe.train.seed
    if plan.is_new:
        return random_masked_lm(_config(resolve_shape(plan.model, {}), tokenizer), seed=seed)
    return load_masked_lm(plan.model, new_head=True, seed=seed)


def _config(shape: Shape, tokenizer: PreTrainedTokenizerBase) -> BertConfig:
    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.num_hidden_layers,
        num_attention_heads=shape.num_attention_heads,
        intermediate_size=shape.intermediate_size,
        max_position_embeddings=NUM_POSITIONS,
        pad_token_id=cast(int, tokenizer.pad_token_id),
    )


def refuse_without_mask(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Refuse a tokenizer that cannot hide a word.

    Raises:
        RecipeError: It has no mask token.
    """
    if not isinstance(tokenizer.mask_token_id, int):
        raise RecipeError(name, "its tokenizer has no mask token; take that of a masked language model")


def _notes(plan: PretrainPlan, blocks: Blocks) -> list[str]:
    lines = ["Perplexity: over masked tokens of held-out documents, the same masks at each evaluation."]
    if not plan.is_new and not has_masked_lm_head(load_config(plan.model)):
        lines.append("The checkpoint had no masked-LM head: it began with a new one.")
    if blocks.corpus.language == "zh" and plan.recipe.pretrain.whole_words:
        lines.append("Whole words are those of a Chinese segmenter.")
    return lines
