"""From a batch to what a model's forward takes, and from what it gives to scores."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import cast

import torch
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


def logits_of(output: Mapping[str, Tensor]) -> Tensor:
    """Return what a model outputs.

    Scores: (B, C) a text, (B, L, C) a token, (B, L, 2) where answers begin and end. A bare encoder outputs
    its last hidden states (B, L, D).
    """
    if "start_logits" in output:
        return torch.stack([output["start_logits"], output["end_logits"]], dim=-1)
    return output["logits"] if "logits" in output else output["last_hidden_state"]


def run_model(model: nn.Module, batch: Mapping[str, Tensor], *, prefix: str = "") -> Tensor:
    """Return a model's scores of a batch; see :func:`model_inputs` and :func:`logits_of`."""
    return logits_of(model(**model_inputs(model, batch, prefix=prefix)))


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside data-parallel wrappers."""
    return cast(nn.Module, getattr(model, "module", model))


@functools.cache
def _forward_names(kind: type[nn.Module]) -> frozenset[str]:
    return frozenset(inspect.signature(kind.forward).parameters)
