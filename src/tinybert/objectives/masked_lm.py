"""Guess masked words of raw text."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from tinybert.models.families import encoder
from tinybert.models.inputs import run_model
from tinybert.models.masked_lm import only_at
from tinybert.models.masking import Masking
from tinybert.objectives.catalogue import MASKED_LM
from tinybert.training import Batch


class MaskedLMObjective:
    """Guess the masked words.

    Differs: with accumulated batches each counts alike, whatever its number of masks.

    Args:
        masking: Which, drawn again at every step.
        frozen_encoder: Only the head learns: the encoder's dropout is off.
    """

    def __init__(self, masking: Masking, *, frozen_encoder: bool = False) -> None:
        self.masking = masking
        self.frozen_encoder = frozen_encoder

    def __call__(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the one term, ``masked_lm``: the mean cross-entropy of the masked tokens."""
        if self.frozen_encoder:
            encoder(model).eval()
        total, count = self.total(model, batch)
        return {MASKED_LM: total / max(count, 1)}

    def total(self, model: nn.Module, batch: Batch) -> tuple[Tensor, float]:
        """Return the summed cross-entropy of a batch and the number of its masked tokens."""
        masked, chosen = self.masking(batch["input_ids"], batch["continues"])
        with only_at(model, chosen):
            logits = run_model(model, {**batch, "input_ids": masked})
        targets = batch["input_ids"][chosen]
        return functional.cross_entropy(logits.float(), targets, reduction="sum"), float(len(targets))

    def held_out(self, model: nn.Module, batch: Batch) -> Mapping[str, tuple[Tensor, float]]:
        """Return the batch's loss as a sum and a count."""
        return {MASKED_LM: self.total(model, batch)}
