"""The same labels in another order: the silent mistake of swapping a checkpoint's outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from transformers import PreTrainedModel

from tinybert.data.labels import LabelScheme, tidy, whole_numbers
from tinybert.models.head import logits_layer

MAX_NAMES_SHOWN = 8

Id2Label = Mapping[int, str] | Mapping[str, str] | None
"""As a config holds it: transformers types it loosely."""


def label_order(id2label: Id2Label, labels: LabelScheme) -> list[int] | None:
    """Return, for each of the data's labels, the model's output for it; None when they do not match.

    Names are compared as written, then as labels of rows are read and without case. ``LABEL_0, LABEL_1, …``,
    the names transformers gives when nobody named the labels, match whole-number labels 0, 1, … only: for
    names they would be a guess.
    No names means regression: one output matches.

    Example:
        >>> labels = LabelScheme(("negative", "positive"))
        >>> label_order({0: "POSITIVE", 1: "NEGATIVE"}, labels)
        [1, 0]
        >>> label_order({0: "LABEL_0", 1: "LABEL_1"}, labels) is None
        True
    """
    names = labels.names
    if not names:
        return [0] if len(id2label or ()) == 1 else None
    given = output_names(id2label)
    if labels.by_position:
        return list(range(len(names))) if len(given) == len(names) else None
    if sorted(given) == sorted(names):
        return [given.index(name) for name in names]
    theirs, wanted = _folded(given), _folded(names)
    if sorted(theirs) == sorted(wanted) and len(set(theirs)) == len(theirs):
        return [theirs.index(name) for name in wanted]
    generic = [f"label_{i}" for i in range(len(theirs))]
    if theirs == generic and wanted == [str(i) for i in range(len(theirs))]:
        return list(range(len(theirs)))
    return None


def _folded(names: Sequence[str]) -> list[str]:
    read = [tidy(name) for name in names]
    digits = whole_numbers(read)
    return [digits.get(name, name).casefold() for name in read]


def label_mismatch(id2label: Id2Label, labels: LabelScheme) -> str:
    """Say how a model's labels differ from the data's, and the fix."""
    theirs = output_names(id2label)
    ours = _shown(labels.names) if labels.names else "numbers"
    return (
        f"predicts the labels {_shown(theirs)}, the data has {ours}; fine-tune it on this data, or, "
        "if only the names differ, write the right ones into id2label of its config.json"
    )


def reorder_outputs(model: PreTrainedModel, order: Sequence[int], names: Sequence[str]) -> None:
    """Put the model's outputs into the data's order, and name them as the data does."""
    if list(order) != list(range(len(order))):
        layer = logits_layer(model)
        assert layer is not None
        with torch.no_grad():
            layer.weight.copy_(layer.weight[list(order)].clone())
            layer.bias.copy_(layer.bias[list(order)].clone())
    if names:
        model.config.id2label = dict(enumerate(names))
        model.config.label2id = {name: i for i, name in enumerate(names)}


def output_names(id2label: Id2Label) -> list[str]:
    """Return the names of a model's outputs in their order."""
    names = cast("dict[int, str]", id2label or {})
    return [str(names[i]) for i in sorted(names)]


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMES_SHOWN]) + (
        f", … ({len(names)})" if len(names) > MAX_NAMES_SHOWN else ""
    )
