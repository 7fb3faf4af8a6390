"""Encoder–decoder models: an encoder that reads, a decoder that writes, as one ``EncoderDecoderModel``.

The encoder is any supported one; the decoder is a BERT with a causal mask and cross-attention. Where both
have one vocabulary and one width, one embedding table serves the encoder, the decoder and the output.
``transformers`` has no setting for that: a saved checkpoint holds the table twice, so that it loads
everywhere, and is tied again when it is loaded here.

Source: attention is all you need, arXiv:1706.03762; encoders as decoders, arXiv:1907.12461; one table for
both sides and the output, arXiv:1608.05859.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertLMHeadModel,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from tinybert.errors import ModelError
from tinybert.models.families import FAMILIES, blocks, describe, embeddings
from tinybert.models.head import SEQ2SEQ, set_head
from tinybert.models.layer_maps import uniform
from tinybert.models.making import making
from tinybert.models.start.initialise import BERT_POSITIONS, first_position, num_positions

DecoderStart = Literal["encoder", "random"]
ENCODER_TABLE = "encoder.embeddings.word_embeddings.weight"
DECODER_TABLE = "decoder.bert.embeddings.word_embeddings.weight"
PARTS = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "o",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "ffn_in",
    "output.dense": "ffn_out",
    "output.LayerNorm": "norm2",
}
"""Part of a layer of the decoder → the same of an encoder's."""


@dataclass(frozen=True)
class SpecialTokens:
    """The tokens that a decoder begins with, ends with and is padded with."""

    start: int
    end: int
    pad: int


def special_tokens(tokenizer: PreTrainedTokenizerBase) -> SpecialTokens:
    """Return a tokenizer's: ``[CLS]`` or ``<s>``, ``[SEP]`` or ``</s>``, and its padding.

    Raises:
        ModelError: It lacks one.
    """
    found = {
        "cls_token or bos_token": _first(tokenizer.cls_token_id, tokenizer.bos_token_id),
        "sep_token or eos_token": _first(tokenizer.sep_token_id, tokenizer.eos_token_id),
        "pad_token": tokenizer.pad_token_id,
    }
    if missing := [name for name, index in found.items() if not isinstance(index, int)]:
        raise ModelError(
            "tokenizer", f"has no {', no '.join(missing)}, which a decoder begins or ends a text with; set it"
        )
    return SpecialTokens(*(cast(int, index) for index in found.values()))


def _first(*given: object) -> int | None:
    return next((index for index in given if isinstance(index, int)), None)


def decoder_config(
    encoder_config: PreTrainedConfig, *, num_layers: int, vocab_size: int | None = None
) -> BertConfig:
    """Return the config of a decoder as wide as an encoder, with as many positions.

    Args:
        encoder_config: Of a supported family.
        num_layers: Of the decoder.
        vocab_size: Pieces that it writes; by default those that the encoder reads.
    """
    size = describe(encoder_config)
    return BertConfig(
        vocab_size=vocab_size or size.vocab_size,
        hidden_size=size.hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=size.num_attention_heads,
        intermediate_size=size.intermediate_size,
        max_position_embeddings=num_positions(encoder_config) or BERT_POSITIONS,
        type_vocab_size=1,
        layer_norm_eps=getattr(encoder_config, "layer_norm_eps", 1e-12),
        pad_token_id=encoder_config.pad_token_id or 0,
        is_decoder=True,
        add_cross_attention=True,
    )


def join_decoder(
    reader: PreTrainedModel,
    tokens: SpecialTokens,
    *,
    num_layers: int,
    start: DecoderStart,
    seed: int,
) -> EncoderDecoderModel:
    """Put a new decoder beside an encoder.

    Args:
        reader: A bare encoder of a supported family; it becomes part of the model.
        tokens: What the decoder begins, ends and pads with.
        num_layers: Of the decoder.
        start: ``encoder``: embeddings, self-attention and feed-forward parts are copied from layers spread
            over the encoder; ``random``: only the embeddings are. Cross-attention is always drawn at random.
        seed: Of what is drawn at random.

    Raises:
        ModelError: The encoder's family is not supported.
    """
    if reader.config.model_type not in FAMILIES:
        raise ModelError(
            f"model_type {reader.config.model_type}",
            f"no decoder can be put beside it (supported: {', '.join(FAMILIES)})",
        )
    with making(seed):
        writer = BertLMHeadModel(decoder_config(reader.config, num_layers=num_layers))
    _copy_embeddings(reader, writer)
    if start == "encoder":
        _copy_layers(reader, writer)
    model = EncoderDecoderModel(
        config=joined_config(reader.config, writer.config, tokens), encoder=reader, decoder=writer
    )
    model.generation_config = GenerationConfig.from_model_config(model.config)
    return made_one(model).eval()


def joined_config(
    reader: PreTrainedConfig, writer: PreTrainedConfig, tokens: SpecialTokens
) -> EncoderDecoderConfig:
    """Return the config of a pair, as ``transformers`` generates with it."""
    config = EncoderDecoderConfig.from_encoder_decoder_configs(
        reader,
        writer,
        decoder_start_token_id=tokens.start,
        eos_token_id=tokens.end,
        pad_token_id=tokens.pad,
    )
    config.update({"vocab_size": writer.vocab_size})
    set_head(config, SEQ2SEQ)
    return cast(EncoderDecoderConfig, config)


def _copy_embeddings(reader: PreTrainedModel, writer: BertLMHeadModel) -> None:
    """Copy the tables, as far as the encoder has them."""
    own, theirs = cast(nn.Module, writer.bert.embeddings), embeddings(reader)
    skipped = first_position(reader.config)
    state = theirs.state_dict()
    copied: dict[str, Tensor] = {}
    for name, tensor in own.state_dict().items():
        if (given := state.get(name)) is None or not tensor.is_floating_point():
            continue
        rows = given[skipped:] if name.startswith("position_embeddings") else given
        if rows.shape[-1:] == tensor.shape[-1:] and len(rows) >= len(tensor):
            copied[name] = rows[: len(tensor)]
    own.load_state_dict(copied, strict=False)


def _copy_layers(reader: PreTrainedModel, writer: BertLMHeadModel) -> None:
    given = blocks(reader)
    own = list(writer.bert.encoder.layer)
    for layer, index in zip(own, uniform(len(own), len(given)), strict=True):
        for path, part in PARTS.items():
            source = cast(nn.Module, getattr(given[index - 1], part))
            layer.get_submodule(path).load_state_dict(source.state_dict())


def made_one(model: EncoderDecoderModel) -> EncoderDecoderModel:
    """Let a pair share its embedding table, and each side's layers read one config.

    ``EncoderDecoderModel`` gives encoder and decoder new configs, while their layers keep those that they
    were made with: what is set later, such as the attention code, would not reach them.
    """
    tie_tables(model)
    for part in (cast(PreTrainedModel, model.encoder), cast(PreTrainedModel, model.decoder)):
        for module in part.modules():
            if isinstance(getattr(module, "config", None), PreTrainedConfig):
                module.__dict__["config"] = part.config
    return model


def tie_tables(model: PreTrainedModel) -> None:
    """Let encoder, decoder and output share one embedding table where theirs are equal."""
    if not isinstance(model, EncoderDecoderModel) or not isinstance(model.decoder, BertLMHeadModel):
        return
    table = cast(nn.Embedding, cast(PreTrainedModel, model.encoder).get_input_embeddings())
    other = cast(nn.Embedding, model.decoder.get_input_embeddings())
    if table.weight.shape != other.weight.shape or (
        not table.weight.is_meta and not torch.equal(table.weight, other.weight)
    ):
        return
    other.weight = table.weight
    model.decoder.get_output_embeddings().weight = table.weight
    # what a checkpoint of a training leaves out, and what is tied again when it is loaded
    model._tied_weights_keys = {DECODER_TABLE: ENCODER_TABLE}  # pyright: ignore[reportPrivateUsage]


def whole_state(model: PreTrainedModel) -> dict[str, Tensor] | None:
    """Return the weights of a pair with every table that is shared written out; None for other models."""
    if not isinstance(model, EncoderDecoderModel):
        return None
    tied = {"decoder.cls.predictions.decoder.weight", "decoder.cls.predictions.decoder.bias"}
    return {name: tensor.clone() for name, tensor in model.state_dict().items() if name not in tied}
