"""Pre-train a masked language model on raw text: from nothing, or on from a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

from transformers import BertConfig, PreTrainedModel, PreTrainedTokenizerBase

from tinybert.config import Recipe
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
from tinybert.runs import Json, Run, RunInProgress
from tinybert.stages.finetune import measured_bf16
from tinybert.stages.plan.distillation import fit_positions
from tinybert.stages.plan.unread import refuse_unread
from tinybert.stages.steps.fit import MODEL
from tinybert.stages.steps.raw_text import (
    Blocks,
    finish_text_run,
    fit_blocks,
    keep_model,
    load_blocks,
    masking_of,
    text_settings,
)
from tinybert.training import check_trackers

UNREAD = ["task", "hard_loss", "teacher", "student", "distill", "augment", "baseline"]
LABELLED_ONLY = (
    *("text_pair", "label", "label_pieces", "max_train_rows"),
    *("on_bad_row", "on_orphan_tag", "max_leakage"),
)
MAX_LENGTH = 128
NUM_POSITIONS = 512
DEFAULT_TRAINING: dict[str, tuple[int, float]] = {
    "random": (3, 5e-4),
    "checkpoint": (1, 1e-4),
    "head": (1, 1e-3),
}
"""What begins → epochs and peak learning rate."""


def resolve_pretrain(recipe: Recipe) -> Recipe:
    """Return the recipe with every "auto" decided.

    Raises:
        RecipeError: The model or the tokenizer is missing, or a setting is not read here; all are listed.
        ModelError: There is no such checkpoint.
    """
    if recipe.model is None:
        raise RecipeError(
            "recipe",
            f"model is missing; give --model a shape ({', '.join(SHAPES)}) or a checkpoint to go on from",
        )
    refuse_unread(recipe, UNREAD, {"data": LABELLED_ONLY, "train": ["early_stopping_patience"]})
    begins = _begins(recipe)
    limits = [recipe.model] if begins != "random" else []
    recipe = fit_positions(recipe, limits, default=MAX_LENGTH)
    if begins == "random" and (recipe.data.max_length or 0) > NUM_POSITIONS:
        raise RecipeError(
            "recipe", f"data.max_length = {recipe.data.max_length}: a new BERT has {NUM_POSITIONS} positions"
        )
    num_epochs, learning_rate = DEFAULT_TRAINING[begins]
    train = {
        "num_epochs": recipe.train.num_epochs or num_epochs,
        "learning_rate": recipe.train.learning_rate or learning_rate,
    }
    return recipe.model_copy(update={"train": recipe.train.model_copy(update=train)})


def models_of_pretrain(recipe: Recipe) -> dict[str, str]:
    """Return what the run reads besides its text: name → path; a shape is no file."""
    assert recipe.model is not None
    named = {"model": recipe.model, "tokenizer": recipe.pretrain.tokenizer}
    return {name: path for name, path in named.items() if path is not None and path not in SHAPES}


def _begins(recipe: Recipe) -> Literal["random", "checkpoint", "head"]:
    assert recipe.model is not None
    name, section = recipe.model, recipe.pretrain
    if name in SHAPES:
        problems = [] if section.tokenizer else [_no_tokenizer(name)]
        if section.train_only == "head":
            problems.append("pretrain.train_only = 'head': a new encoder must learn too; give a checkpoint")
        if problems:
            raise RecipeError("recipe", problems)
        return "random"
    if section.tokenizer is not None:
        raise RecipeError(
            "recipe", f"pretrain.tokenizer: {name} is a checkpoint and has its own; leave it out"
        )
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


def pretrain(recipe: Recipe, run: RunInProgress, source: object) -> Run:
    """Pre-train: from raw text to report; what is done already is not done again.

    Args:
        recipe: A resolved recipe.
        run: The run, begun.
        source: Anything :func:`tinybert.corpus.corpus.load_corpus` reads.
    """
    check_trackers(recipe.train.trackers)
    assert recipe.model is not None
    tokenizer = load_tokenizer(recipe.pretrain.tokenizer or recipe.model)
    if recipe.model not in SHAPES:
        check_vocabulary(recipe.model, tokenizer, num_rows=load_config(recipe.model).vocab_size)
    refuse_without_mask(tokenizer, recipe.pretrain.tokenizer or recipe.model)
    blocks = load_blocks(source, recipe, tokenizer, run)
    bf16 = measured_bf16(run, recipe)
    folder, facts = run.step("model", lambda folder: _train(folder, recipe, blocks, bf16=bf16))
    metrics: Json = {"task": "masked_lm", "model": recipe.model, "train_only": recipe.pretrain.train_only}
    return finish_text_run(
        run,
        blocks,
        facts,
        model=folder / MODEL,
        metrics=metrics,
        main_metric="perplexity",
        notes=_notes(recipe, blocks),
        unread=UNREAD,
    )


def _train(folder: Path, recipe: Recipe, blocks: Blocks, *, bf16: bool) -> Json:
    model = first_weights(recipe, blocks.tokenizer)
    frozen = recipe.pretrain.train_only == "head"
    if frozen:
        freeze_encoder(model)
    objective = MaskedLMObjective(masking_of(recipe, blocks.tokenizer), frozen_encoder=frozen)
    settings = text_settings(recipe, blocks, name="pretrain", bf16=bf16)
    trained = fit_blocks(
        folder,
        model,
        objective,
        blocks=blocks,
        losses=objective.held_out,
        settings=settings,
        main_metric="perplexity",
    )
    return keep_model(folder, model, blocks, trained)


def first_weights(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """Return the model before its first step: a new BERT of a shape, or a checkpoint."""
    assert recipe.model is not None
    if recipe.model in SHAPES:
        return random_masked_lm(_config(resolve_shape(recipe.model, {}), tokenizer), seed=recipe.train.seed)
    return load_masked_lm(recipe.model, new_head=True, seed=recipe.train.seed)


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


def _notes(recipe: Recipe, blocks: Blocks) -> list[str]:
    lines = ["Perplexity: over masked tokens of held-out documents, the same masks at each evaluation."]
    assert recipe.model is not None
    if recipe.model not in SHAPES and not has_masked_lm_head(load_config(recipe.model)):
        lines.append("The checkpoint had no masked-LM head: it began with a new one.")
    if blocks.corpus.language == "zh" and recipe.pretrain.whole_words:
        lines.append("Whole words are those of a Chinese segmenter.")
    return lines
