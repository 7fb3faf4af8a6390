"""What the rest of the toolkit needs to know about an encoder family.

All supported families are post-LayerNorm encoders whose blocks hold the same eight parts under other names.
`blocks` gives these parts one name each, so that capturing, slicing and projecting are written once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.activations import ACT2FN

from tinybert.errors import ModelError


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
# model_type → (path of the layer list below the base model, paths inside a layer)
FAMILIES: dict[str, tuple[str, dict[str, str]]] = {
    "bert": ("encoder.layer", _BERT_PATHS),
    "roberta": ("encoder.layer", _BERT_PATHS),
    "xlm-roberta": ("encoder.layer", _BERT_PATHS),
    "camembert": ("encoder.layer", _BERT_PATHS),
    "electra": ("encoder.layer", _BERT_PATHS),
    "ernie": ("encoder.layer", _BERT_PATHS),
    "distilbert": ("transformer.layer", _DISTILBERT_PATHS),
}


def encoder(model: nn.Module) -> PreTrainedModel:
    """Return the bare encoder inside a classifier, also below a data-parallel wrapper."""
    unwrapped = cast(nn.Module, getattr(model, "module", model))
    return cast(PreTrainedModel, cast(PreTrainedModel, unwrapped).base_model)


def embeddings(model: nn.Module) -> nn.Module:
    """Return the embedding module: word_embeddings, position_embeddings, LayerNorm, ….

    Raises:
        ModelError: The family is not supported.
    """
    base = encoder(model)
    _family(base.config)
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
    config = encoder(model).config
    _, paths = _family(config)
    name = config.activation if config.model_type == "distilbert" else config.hidden_act
    rest = {"num_heads": config.num_attention_heads, "activation": ACT2FN[name]}
    return [
        Block(module=layer, **{role: layer.get_submodule(path) for role, path in paths.items()}, **rest)  # pyright: ignore[reportArgumentType]
        for layer in _layer_list(model)
    ]


def describe(config: PreTrainedConfig) -> EncoderInfo:
    """Read an encoder's size from its config.

    Raises:
        ModelError: The family is not supported.
    """
    _family(config)
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
    path, _ = _family(base.config)
    return cast(nn.ModuleList, base.get_submodule(path))


def _family(config: PreTrainedConfig) -> tuple[str, dict[str, str]]:
    if config.model_type not in FAMILIES:
        raise ModelError(
            f"model_type {config.model_type}",
            f"its layers are not known here, so it cannot be sliced, projected or matched layer by layer "
            f"(supported: {', '.join(FAMILIES)}); it still works as a teacher of predictions only: "
            "keep only prediction losses and set student.start=random",
        )
    return FAMILIES[config.model_type]
