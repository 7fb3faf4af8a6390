"""A lower learning rate for lower layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tinybert.models.depth import depths


def decay_by_depth(optimizer: torch.optim.Optimizer, model: nn.Module, layer_decay: float) -> None:
    """Split an optimiser's groups by depth: layer l of L learns at ``rate · layer_decay^(L − l)``.

    Embeddings are layer 0; the head learns at the full rate. Whether a parameter's weights decay stays. The
    first group is one of the head, so that its rate, the full one, is logged.

    Args:
        optimizer: Without any step yet.
        model: Whose parameters it has.
        layer_decay: Above 0; 1 changes no rate.

    Raises:
        ModelError: The model's layers cannot be told apart.

    Source: discriminative fine-tuning, ULMFiT, arXiv:1801.06146; as a power of the depth in ELECTRA,
    arXiv:2003.10555.
    Differs: the last layer learns at the full rate, as the head does; in ELECTRA's code one power lower.
    """
    by_name = depths(model)
    found = {parameter: by_name[name] for name, parameter in model.named_parameters()}
    head = max(by_name.values())
    groups = [part for group in optimizer.param_groups for part in _by_depth(group, found)]
    optimizer.param_groups = []
    for depth, group in sorted(groups, key=lambda part: -part[0]):
        rate = group["lr"] * layer_decay ** max(head - 1 - depth, 0)
        optimizer.add_param_group({**group, "lr": rate})


def _by_depth(group: dict[str, Any], found: Mapping[nn.Parameter, int]) -> list[tuple[int, dict[str, Any]]]:
    present = sorted({found[parameter] for parameter in group["params"]})
    return [
        (depth, {**group, "params": [each for each in group["params"] if found[each] == depth]})
        for depth in present
    ]
