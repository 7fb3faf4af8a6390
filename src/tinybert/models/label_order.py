"""The same labels in another order: the silent mistake of swapping a checkpoint's outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import nn
from transformers import PreTrainedModel

MAX_NAMES_SHOWN = 8


def label_order(id2label: Mapping[int, str], names: Sequence[str]) -> list[int] | None:
    """Return, for each of the data's labels, the model's output that answers it; None when they do not match.

    Names are compared without case. ``LABEL_0, LABEL_1, …``, the names transformers gives when nobody named
    the labels, match whole-number labels 0, 1, … only: for names they would be a guess. No names means
    regression: one output matches.

    Example:
        >>> label_order({0: "POSITIVE", 1: "NEGATIVE"}, ["negative", "positive"])
        [1, 0]
        >>> label_order({0: "LABEL_0", 1: "LABEL_1"}, ["negative", "positive"]) is None
        True
    """
    if not names:
        return [0] if len(id2label) == 1 else None
    theirs = [str(id2label[i]).casefold() for i in sorted(id2label)]
    wanted = [name.casefold() for name in names]
    if sorted(theirs) == sorted(wanted) and len(set(theirs)) == len(theirs):
        return [theirs.index(name) for name in wanted]
    generic = [f"label_{i}" for i in range(len(theirs))]
    if theirs == generic and wanted == [str(i) for i in range(len(theirs))]:
        return list(range(len(theirs)))
    return None


def label_mismatch(id2label: Mapping[int, str], names: Sequence[str]) -> str:
    """Say how a model's labels differ from the data's, and the fix."""
    theirs = [str(id2label[i]) for i in sorted(id2label)]
    ours = _shown(names) if names else "numbers"
    return (
        f"answers the labels {_shown(theirs)}, the data has {ours}; fine-tune it on this data, or, "
        "if only the names differ, write the right ones into id2label of its config.json"
    )


def reorder_outputs(model: PreTrainedModel, order: Sequence[int], names: Sequence[str]) -> None:
    """Put the model's outputs into the data's order, and name them as the data does."""
    if list(order) != list(range(len(order))):
        layer = _last_linear(model)
        with torch.no_grad():
            layer.weight.copy_(layer.weight[list(order)].clone())
            layer.bias.copy_(layer.bias[list(order)].clone())
    if names:
        model.config.id2label = dict(enumerate(names))
        model.config.label2id = {name: i for i, name in enumerate(names)}


def _last_linear(model: PreTrainedModel) -> nn.Linear:
    """Return the layer that makes the logits."""
    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return cast(nn.Linear, [layer for layer in linears if layer.out_features == model.config.num_labels][-1])


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMES_SHOWN]) + (
        f", … ({len(names)})" if len(names) > MAX_NAMES_SHOWN else ""
    )
