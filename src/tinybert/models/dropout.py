"""A model's dropout rate, in its modules and in its config."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

CONFIG_NAMES = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout")


def set_dropout(model: PreTrainedModel, rate: float) -> None:
    """Set every dropout of a model to one rate.

    Args:
        model: Any supported encoder with or without a head.
        rate: 0 turns dropout off: the fused attention kernel then serves training too.
    """
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = rate
    for name in CONFIG_NAMES:
        if hasattr(model.config, name):
            setattr(model.config, name, rate)
