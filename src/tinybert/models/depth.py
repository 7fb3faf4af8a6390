"""Where in a model a parameter is: embeddings 0, the layers 1 to L from the bottom, the head L + 1.

Serves every encoder with a list of layers, known family or not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import cast

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel

from tinybert.errors import ModelError
from tinybert.models.families import encoder

AFTER_LAYERS = ("pooler.", "final_norm.")
"""Modules of an encoder that read the last layer."""


def layer_stack(model: nn.Module) -> nn.ModuleList:
    """Return the encoder's layers, the one next to the embeddings first.

    Raises:
        ModelError: It has no list of layers, such as an encoder that runs one layer several times.
    """
    base = encoder(model)
    count = int(base.config.num_hidden_layers)
    for module in base.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise ModelError(
        f"model_type {base.config.model_type}",
        "its layers cannot be told apart; omit layer_decay, frozen_layers and gradient_checkpointing",
    )


def count_layers(config: PreTrainedConfig) -> int:
    """Return how many layers a model of this config has; no weight is made.

    Raises:
        ModelError: See :func:`layer_stack`.
    """
    with torch.device("meta"):
        return len(layer_stack(cast(PreTrainedModel, AutoModel.from_config(config))))


def depths(model: nn.Module) -> dict[str, int]:
    """Return parameter name → depth; what all layers share, such as relative positions, counts as embeddings.

    Raises:
        ModelError: See :func:`layer_stack`.
    """
    base, names = encoder(model), {id(each): name for name, each in model.named_parameters()}
    found = dict.fromkeys(names.values(), len(layer_stack(model)) + 1)
    found |= {
        names[id(each)]: 0 for name, each in base.named_parameters() if not name.startswith(AFTER_LAYERS)
    }
    for depth, layer in enumerate(layer_stack(model), 1):
        found |= {names[id(each)]: depth for each in layer.parameters()}
    return found


def freeze_layers(model: nn.Module, num_layers: int) -> None:
    """Keep the embeddings and the lowest layers as they are: they get no gradient and are in no optimiser.

    Their dropout stays. With 0 nothing is frozen, the embeddings neither.

    Source: fine-tuning with frozen lower layers, arXiv:1911.03090.

    Raises:
        ModelError: See :func:`layer_stack`.
    """
    found = depths(model) if num_layers else {}
    for name, parameter in model.named_parameters():
        if found.get(name, num_layers + 1) <= num_layers:
            parameter.requires_grad_(False)


@contextmanager
def gradient_checkpointing(model: nn.Module) -> Generator[None]:
    """Keep only what goes into each layer, and compute the rest again when gradients are.

    The results are the same, dropout included; a step takes about a third longer.

    Differs: ``transformers`` has the same for most families, but not where layers are plain modules (MPNet).

    Source: sublinear memory cost, arXiv:1604.06174.

    Raises:
        ModelError: See :func:`layer_stack`.
    """
    stack = layer_stack(model)
    for layer in stack:
        layer.forward = partial(_recomputed, layer.forward)
    try:
        yield
    finally:
        for layer in stack:
            del layer.forward


def _recomputed(forward: Callable[..., object], *args: object, **kwargs: object) -> object:
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    return checkpoint(partial(forward, **kwargs), *args, use_reentrant=False)
