"""The losses that an objective can have: names of recipes → functions, and what each reads."""

from __future__ import annotations

import inspect

from tinybert.errors import RecipeError
from tinybert.lookup import find
from tinybert.losses import BUILTIN, READS, Loss, read_by

HARD = "hard"
"""The task's own loss on the labels."""
CONTRASTIVE = "contrastive"
"""Texts of one class are pulled together."""
MASKED_LM = "masked_lm"
"""Cross-entropy of guessed words."""


def find_loss(name: str) -> tuple[Loss, str]:
    """Return a distillation loss, built in or ``package.module:attr``, and what it reads.

    Raises:
        RecipeError: The name is unknown, or the function is no distillation loss.
    """
    loss = find(BUILTIN, name, kind="loss")
    reads = read_by(loss)
    if reads is None:
        first = next(iter(inspect.signature(loss).parameters), "")
        raise RecipeError(
            name,
            f"not a distillation loss: its first parameter is {first!r}, one of "
            f"{', '.join(READS)} is expected (the task's own loss on the labels is called {HARD})",
        )
    return loss, reads


def is_intermediate(name: str) -> bool:
    """True for a loss on the layers, False for one on the logits or the labels.

    Raises:
        RecipeError: The name is unknown, or the function is no distillation loss.
    """
    return name != HARD and find_loss(name)[1] != "logits"


INTERMEDIATE = tuple(name for name, loss in BUILTIN.items() if read_by(loss) not in (None, "logits"))
"""The built-in losses on the layers."""
