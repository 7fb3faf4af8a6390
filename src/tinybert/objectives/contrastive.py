"""Learn from the labels, and pull texts of one class together."""

from __future__ import annotations

from torch import Tensor, nn

from tinybert.losses.contrastive import supervised_contrastive
from tinybert.models.capture import Capture
from tinybert.models.families import blocks
from tinybert.models.inputs import run_model
from tinybert.models.pooling import POOLINGS
from tinybert.objectives.catalogue import CONTRASTIVE, HARD
from tinybert.tasks.task import BatchLoss
from tinybert.training import Batch

TEMPERATURE = 0.1
"""Of the paper, arXiv:2004.11362, section 4.4."""


class ContrastiveObjective:
    """The task's loss on the labels, and the supervised contrastive loss on the pooled last hidden states.

    Args:
        model: Of a supported family.
        hard_loss: ``(logits of a batch, batch) -> ()``, as :meth:`tinybert.tasks.Task.hard_loss` returns it.
        weight: Of the contrastive loss beside it.
        pooling: A key of ``POOLINGS``.
    """

    def __init__(self, model: nn.Module, hard_loss: BatchLoss, *, weight: float, pooling: str) -> None:
        self.hard_loss = hard_loss
        self.weight = weight
        self.pool = POOLINGS[pooling]
        self.last = len(blocks(model))
        self.capture = Capture(model, hidden=[self.last])

    def __call__(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the two terms, ``hard`` and ``contrastive``."""
        with self.capture as taken:
            logits = run_model(model, batch)
        embeddings = self.pool(taken.hidden[self.last].float(), batch["attention_mask"])
        contrastive = supervised_contrastive(embeddings, batch["labels"], temperature=TEMPERATURE)
        return {HARD: self.hard_loss(logits, batch), CONTRASTIVE: self.weight * contrastive}
