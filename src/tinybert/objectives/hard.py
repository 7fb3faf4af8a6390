"""Learn from the labels alone."""

from __future__ import annotations

from torch import Tensor, nn

from tinybert.models.inputs import run_model
from tinybert.objectives.catalogue import HARD
from tinybert.tasks.task import BatchLoss
from tinybert.training import Batch


class HardObjective:
    """The task's loss on the labels.

    Args:
        hard_loss: ``(logits of a batch, batch) -> ()``, as :meth:`tinybert.tasks.Task.hard_loss` returns it.
    """

    def __init__(self, hard_loss: BatchLoss) -> None:
        self.hard_loss = hard_loss

    def __call__(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the one term, ``hard``."""
        return {HARD: self.hard_loss(run_model(model, batch), batch)}
