"""What a student is taught: tensors in, one scalar out. One idea a file.

Shared by all: the mean runs over *real* entries of the whole batch (no padding); when nothing is real the
loss is exactly 0.0, still joined to the graph, with zero gradients; half precision is raised to float32
inside, float64 stays; what stands at masked places, NaN included, reaches neither value nor gradient; the
teacher is a constant.

Legend: B rows, H heads, L tokens, D width, N rows of logits, C classes.

To add a loss, write ``(student, teacher, *, mask, …) -> Tensor`` of shape () and add a line to ``BUILTIN``.
Its parameters are named as those of the losses here (``student_hidden_BLD``, ``student_logits``, …), which is
how the contract tests know what to feed it with.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from tinybert.losses.attention import attention_score_mse
from tinybert.losses.hard import binary_cross_entropy, cross_entropy, mse, mse_over_classes
from tinybert.losses.hidden import hidden_state_mse
from tinybert.losses.prediction import kl_divergence, mse_logits, soft_cross_entropy
from tinybert.losses.relation import relation_kl

Loss = Callable[..., Tensor]

BUILTIN: dict[str, Loss] = {
    "attention_score_mse": attention_score_mse,
    "hidden_state_mse": hidden_state_mse,
    "relation_kl": relation_kl,
    "kl_divergence": kl_divergence,
    "soft_cross_entropy": soft_cross_entropy,
    "mse_logits": mse_logits,
    "cross_entropy": cross_entropy,
    "mse_over_classes": mse_over_classes,
    "binary_cross_entropy": binary_cross_entropy,
    "mse": mse,
}

__all__ = [
    "BUILTIN",
    "Loss",
    "attention_score_mse",
    "binary_cross_entropy",
    "cross_entropy",
    "hidden_state_mse",
    "kl_divergence",
    "mse",
    "mse_logits",
    "mse_over_classes",
    "relation_kl",
    "soft_cross_entropy",
]
