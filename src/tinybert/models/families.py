"""What the rest of the toolkit needs to know about an encoder family.

All supported families are post-LayerNorm encoders whose blocks hold the same eight parts under other names.
`blocks` gives these parts one name each, so that capturing, slicing and projecting are written once. What is
special to MPNet, whose layers share a bias of relative positions, is in :mod:`tinybert.models.mpnet`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from torch import Tensor, nn
from transformers import EncoderDecoderModel, PreTrainedConfig, PreTrainedModel
from transformers.activations import ACT2FN

from tinybert.errors import ModelError
from tinybert.models.mpnet import has_position_bias, position_bias

PositionBias = Callable[[int], Tensor]
"""Tokens L → what is added to the attention scores (1, H, L, L)."""


@dataclass(frozen=True)
class EncoderInfo:
    """The size of an encoder, under the same names for every family."""

    num_hidden_layers: int
    hidden_size: int
    num_attention_heads: int
    intermediate_size: int
    model_type: str
    vocab_size: int


@dataclass(frozen=True)
class Block:
    """One encoder layer, taken apart.

    Attributes:
        module: The whole layer.
        attention: The module that calls the attention kernel.
        q: Query projection; `k`, `v` and `o` (the output projection) likewise.
        norm1: LayerNorm after attention.
        ffn_in: First feed-forward projection.
        ffn_out: Second feed-forward projection.
        norm2: LayerNorm after the feed-forward part.
        num_heads: Attention heads.
        activation: The feed-forward activation.
        position_bias: What the layer's scores have added by relative position; None in most families.
    """

    module: nn.Module
    attention: nn.Module
    q: nn.Linear
    k: nn.Linear
    v: nn.Linear
    o: nn.Linear
    norm1: nn.LayerNorm
    ffn_in: nn.Linear
    ffn_out: nn.Linear
    norm2: nn.LayerNorm
    num_heads: int
    activation: Callable[[Tensor], Tensor]
    position_bias: PositionBias | None = None


@dataclass(frozen=True)
class Family:
    """Where an encoder family keeps what all have.

    Attributes:
        layers: Path of the layer list below the base model.
        parts: Part of a :class:`Block` → its path inside a layer.
        pads_positions: Tokens are numbered from behind the padding's row of the position table on.
        is_projectable: A narrower student can be computed from such a teacher.
        is_student: A narrower student can be of this family; where it is not, it is a BERT.
    """

    layers: str
    parts: dict[str, str]
    pads_positions: bool = False
    is_projectable: bool = True
    is_student: bool = False


_BERT_PATHS = {
    "attention": "attention.self",
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "o": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "ffn_in": "intermediate.dense",
    "ffn_out": "output.dense",
    "norm2": "output.LayerNorm",
}
_DISTILBERT_PATHS = {
    "attention": "attention",
    "q": "attention.q_lin",
    "k": "attention.k_lin",
    "v": "attention.v_lin",
    "o": "attention.out_lin",
    "norm1": "sa_layer_norm",
    "ffn_in": "ffn.lin1",
    "ffn_out": "ffn.lin2",
    "norm2": "output_layer_norm",
}
_MPNET_PATHS = {
    "attention": "attention.attn",
    "q": "attention.attn.q",
    "k": "attention.attn.k",
    "v": "attention.attn.v",
    "o": "attention.attn.o",
    "norm1": "attention.LayerNorm",
    "ffn_in": "intermediate.dense",
    "ffn_out": "output.dense",
    "norm2": "output.LayerNorm",
}
_ROBERTA = Family("encoder.layer", _BERT_PATHS, pads_positions=True)
FAMILIES: dict[str, Family] = {
    "bert": Family("encoder.layer", _BERT_PATHS, is_student=True),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "electra": Family("encoder.layer", _BERT_PATHS, is_projectable=False),
    "ernie": Family("encoder.layer", _BERT_PATHS, is_projectable=False),
    "distilbert": Family("transformer.layer", _DISTILBERT_PATHS),
    "mpnet": Family("encoder.layer", _MPNET_PATHS, pads_positions=True, is_student=True),
}
"""model_type → where its parts are."""
PAIR = "encoder-decoder"
"""The ``model_type`` of an encoder and a decoder of any family."""


def encoder(model: nn.Module) -> PreTrainedModel:
    """Return the bare encoder inside a classifier or a pair with a decoder, also below a wrapper."""
    unwrapped = cast(nn.Module, getattr(model, "module", model))
    base = cast(PreTrainedModel, cast(PreTrainedModel, unwrapped).base_model)
    return cast(PreTrainedModel, base.encoder) if isinstance(base, EncoderDecoderModel) else base


def decoders(model: nn.Module) -> list[PreTrainedModel]:
    """Return the decoder of a pair, with its head; nothing where there is none."""
    unwrapped = cast(nn.Module, getattr(model, "module", model))
    return [cast(PreTrainedModel, unwrapped.decoder)] if isinstance(unwrapped, EncoderDecoderModel) else []


def embeddings(model: nn.Module) -> nn.Module:
    """Return the embedding module: word_embeddings, position_embeddings, LayerNorm, ….

    Raises:
        ModelError: The family is not supported.
    """
    base = encoder(model)
    family_of(base.config)
    return base.get_submodule("embeddings")


def layers(model: nn.Module) -> list[nn.Module]:
    """Return the encoder's layers, the one next to the embeddings first.

    Raises:
        ModelError: The family is not supported.
    """
    return list(_layer_list(model))


def blocks(model: nn.Module) -> list[Block]:
    """Return the encoder's layers with their parts under family-independent names.

    Raises:
        ModelError: The family is not supported.
    """
    base = encoder(model)
    config, parts = base.config, family_of(base.config).parts
    name = config.activation if config.model_type == "distilbert" else config.hidden_act
    rest = {"num_heads": config.num_attention_heads, "activation": ACT2FN[name]}
    if has_position_bias(base):
        rest["position_bias"] = partial(position_bias, base)
    return [
        Block(module=layer, **{role: layer.get_submodule(path) for role, path in parts.items()}, **rest)  # pyright: ignore[reportArgumentType]
        for layer in _layer_list(model)
    ]


def outside_layers(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of the encoder that belong to no layer: embeddings, pooler, position biases.

    Raises:
        ModelError: The family is not supported.
    """
    base = encoder(model)
    inside = family_of(base.config).layers + "."
    return {name: tensor for name, tensor in base.state_dict().items() if not name.startswith(inside)}


def describe(config: PreTrainedConfig) -> EncoderInfo:
    """Read an encoder's size from its config.

    Raises:
        ModelError: The family is not supported.
    """
    family_of(config)
    config = reader_config(config)
    width = config.hidden_dim if config.model_type == "distilbert" else config.intermediate_size
    return EncoderInfo(
        num_hidden_layers=config.num_hidden_layers,
        hidden_size=config.hidden_size,
        num_attention_heads=config.num_attention_heads,
        intermediate_size=width,
        model_type=config.model_type,
        vocab_size=config.vocab_size,
    )


def _layer_list(model: nn.Module) -> nn.ModuleList:
    base = encoder(model)
    return cast(nn.ModuleList, base.get_submodule(family_of(base.config).layers))


def reader_config(config: PreTrainedConfig) -> PreTrainedConfig:
    """Return the config of a pair's encoder; that of any other model itself."""
    return cast(PreTrainedConfig, config.encoder) if config.model_type == PAIR else config


def is_known(config: PreTrainedConfig) -> bool:
    """Return whether the layers of a model's encoder are known."""
    return reader_config(config).model_type in FAMILIES


def family_of(config: PreTrainedConfig) -> Family:
    """Return the family of a model, or of its encoder.

    Raises:
        ModelError: It is not supported.
    """
    config = reader_config(config)
    if config.model_type not in FAMILIES:
        raise ModelError(
            f"model_type {config.model_type}",
            f"its layers are not known here, so it cannot be sliced, projected or matched layer by layer "
            f"(supported: {', '.join(FAMILIES)}); it still works as a teacher of predictions only: "
            "keep only prediction losses and set student.start=random",
        )
    return FAMILIES[config.model_type]
