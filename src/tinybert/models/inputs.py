"""From a batch to what a model's forward takes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn

TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def model_inputs(model: nn.Module, batch: Mapping[str, Tensor], *, prefix: str = "") -> dict[str, Tensor]:
    """Return what a model's forward takes of a batch: no labels, no row numbers, no other side's tokens.

    Args:
        model: The model, wrapped or not.
        batch: A batch of the collator.
        prefix: ``"teacher_"`` for the tokens of the teacher's own tokenizer.
    """
    names = _forward_names(type(unwrap(model)))
    return {name: batch[prefix + name] for name in TEXT_INPUTS if prefix + name in batch and name in names}


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside data-parallel wrappers."""
    return cast(nn.Module, getattr(model, "module", model))


@functools.cache
def _forward_names(kind: type[nn.Module]) -> frozenset[str]:
    return frozenset(inspect.signature(kind.forward).parameters)
