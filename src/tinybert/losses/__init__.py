"""What a student is taught: tensors in, one scalar out. One idea a file.

Shared by all: the mean runs over *real* entries of the whole batch (no padding); when nothing is real the
loss is exactly 0.0, still joined to the graph, with zero gradients; half precision is raised to float32
inside, float64 stays; what is at masked positions, NaN included, reaches neither value nor gradient; the
teacher is a constant.

Legend: B rows, H heads, L tokens, D width, N rows of logits, C classes.

To add a loss, write ``(student, teacher, *, mask, …) -> Tensor`` of shape () and add a line to ``BUILTIN``.
Its parameters are named as those of the losses here (``student_hidden_BLD``, ``student_logits``, …), which is
how the contract tests know what to feed it with.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from torch import Tensor

from tinybert.losses.attention import attention_score_mse
from tinybert.losses.contrastive import supervised_contrastive
from tinybert.losses.decoder import cross_attention_score_mse, decoder_hidden_state_mse
from tinybert.losses.hard import (
    binary_cross_entropy,
    cross_entropy,
    focal_binary_cross_entropy,
    focal_cross_entropy,
    mse,
    mse_over_classes,
)
from tinybert.losses.hidden import hidden_state_mse
from tinybert.losses.prediction import kl_divergence, mse_logits, soft_cross_entropy
from tinybert.losses.relation import relation_kl

Loss = Callable[..., Tensor]

BUILTIN: dict[str, Loss] = {
    "attention_score_mse": attention_score_mse,
    "hidden_state_mse": hidden_state_mse,
    "relation_kl": relation_kl,
    "decoder_hidden_state_mse": decoder_hidden_state_mse,
    "cross_attention_score_mse": cross_attention_score_mse,
    "kl_divergence": kl_divergence,
    "soft_cross_entropy": soft_cross_entropy,
    "mse_logits": mse_logits,
    "cross_entropy": cross_entropy,
    "focal_cross_entropy": focal_cross_entropy,
    "mse_over_classes": mse_over_classes,
    "binary_cross_entropy": binary_cross_entropy,
    "focal_binary_cross_entropy": focal_binary_cross_entropy,
    "mse": mse,
}

READS = {
    "student_logits": "logits",
    "student_hidden_BLD": "hidden",
    "student_scores_BHLL": "scores",
    "student_vectors_BHLD": "vectors",
    "student_decoder_hidden_BTD": "decoder_hidden",
    "student_cross_scores_BHTL": "cross_scores",
}
"""First parameter of a distillation loss → what it reads of both models."""


def read_by(loss: Loss) -> str | None:
    """Return what a distillation loss reads; None for a loss on labels.

    Example:
        >>> read_by(hidden_state_mse)
        'hidden'
    """
    return READS.get(next(iter(inspect.signature(loss).parameters), ""))


def accepted(loss: Loss, **arguments: object) -> dict[str, object]:
    """Return the arguments that a loss has parameters for.

    Example:
        >>> accepted(kl_divergence, temperature=2.0, num_relation_heads=4)
        {'temperature': 2.0}
    """
    names = inspect.signature(loss).parameters
    return {name: value for name, value in arguments.items() if name in names}


__all__ = [
    "BUILTIN",
    "READS",
    "Loss",
    "accepted",
    "attention_score_mse",
    "binary_cross_entropy",
    "cross_attention_score_mse",
    "cross_entropy",
    "decoder_hidden_state_mse",
    "focal_binary_cross_entropy",
    "focal_cross_entropy",
    "hidden_state_mse",
    "kl_divergence",
    "mse",
    "mse_logits",
    "mse_over_classes",
    "read_by",
    "relation_kl",
    "soft_cross_entropy",
    "supervised_contrastive",
]
