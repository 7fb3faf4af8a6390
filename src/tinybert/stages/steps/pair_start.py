"""The first weights of a student that writes: an encoder as any student's, and a decoder beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from transformers import BertLMHeadModel, EncoderDecoderModel, PreTrainedConfig, PreTrainedModel

from tinybert.models import (
    Shape,
    load_encoder,
    load_seq2seq,
    load_tokenizer,
    project_start,
    random_start,
    slice_start,
    student_config,
)
from tinybert.models.families import encoder, reader_config
from tinybert.models.layer_maps import uniform
from tinybert.models.seq2seq import SpecialTokens, join_decoder, special_tokens, tie_tables
from tinybert.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from tinybert.stages.steps.start import StartPlan


def start_pair(
    plan: StartPlan, task: Task, *, batches: Iterable[dict[str, Tensor]], seed: int
) -> tuple[PreTrainedModel, Tensor | None]:
    """Return a student's encoder and decoder, and the map to its teacher's width, if known.

    The encoder begins as any student's. The decoder keeps layers of the source's decoder, spread over it,
    where that is as wide; else it is new, with the embeddings of the student's encoder.

    Args:
        plan: How the student begins.
        task: Says how a new decoder begins.
        batches: Rows that a projection is calibrated with.
        seed: Of everything drawn at random.
    """
    assert task.new_decoder is not None
    reader, projection = _reader(plan, batches=batches, seed=seed)
    model = join_decoder(
        reader,
        special_tokens(load_tokenizer(plan.source)),
        num_layers=plan.shape.num_decoder_layers,
        start="random" if plan.kind == "random" else task.new_decoder.start,
        seed=seed,
    )
    if plan.keep_head and plan.kind != "random":
        source = load_seq2seq(plan.source, seed=seed)
        if _is_as_wide(source, model):
            _copy_decoder(cast(EncoderDecoderModel, source), model)
    return model, projection


def untrained_pair(config: PreTrainedConfig, shape: Shape, *, family: str) -> PreTrainedModel:
    """Return a student of a shape with random weights, to measure what it costs.

    Args:
        config: Of the model that gives the vocabulary.
        shape: The student's size.
        family: Of its encoder.
    """
    own = student_config(reader_config(config), shape, num_labels=1, family=family)
    reader = encoder(random_start(own, seed=0))
    tokens = SpecialTokens(start=0, end=0, pad=own.pad_token_id or 0)
    return join_decoder(reader, tokens, num_layers=shape.num_decoder_layers, start="random", seed=0)


def _reader(
    plan: StartPlan, *, batches: Iterable[dict[str, Tensor]], seed: int
) -> tuple[PreTrainedModel, Tensor | None]:
    source = load_encoder(plan.source, seed=seed)
    config = student_config(source.config, plan.shape, num_labels=1, family=plan.family)
    if plan.kind == "random":
        return encoder(random_start(config, seed=seed)), None
    if plan.kind == "slice":
        sliced = slice_start(source, plan.layer_map, config, keep_head=False, seed=seed)
        return encoder(sliced), None
    projected = project_start(source, config, plan.layer_map, batches=batches, keep_head=False, seed=seed)
    return encoder(projected.student), projected.projection


def _is_as_wide(source: PreTrainedModel, model: EncoderDecoderModel) -> bool:
    if not isinstance(source, EncoderDecoderModel) or not isinstance(source.decoder, BertLMHeadModel):
        return False
    names = ("hidden_size", "num_attention_heads", "intermediate_size", "vocab_size")
    given, own = source.decoder.config, cast(PreTrainedModel, model.decoder).config
    return all(getattr(given, name) == getattr(own, name) for name in names)


def _copy_decoder(source: EncoderDecoderModel, model: EncoderDecoderModel) -> None:
    """Copy the decoder's embeddings, some of its layers, and what turns its last hidden state into pieces."""
    theirs, own = cast(BertLMHeadModel, source.decoder), cast(BertLMHeadModel, model.decoder)
    own.bert.embeddings.load_state_dict(theirs.bert.embeddings.state_dict())
    own.cls.load_state_dict(theirs.cls.state_dict())
    layers, given = own.bert.encoder.layer, theirs.bert.encoder.layer
    for layer, index in zip(layers, uniform(len(layers), len(given)), strict=True):
        layer.load_state_dict(given[index - 1].state_dict())
    tie_tables(model)
