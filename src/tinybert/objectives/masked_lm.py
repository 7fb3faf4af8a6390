"""What is minimised on raw text: guessed words, what a teacher's layers hold, or both."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from tinybert.models.families import encoder
from tinybert.models.inputs import run_model
from tinybert.models.masked_lm import only_at
from tinybert.models.masking import Masking
from tinybert.objectives.distillation import HARD, DistillObjective
from tinybert.training import Batch

MASKED_LM = "masked_lm"


class MaskedLMObjective:
    """Guess the masked words.

    Differs: with accumulated batches each counts alike, whatever its number of masks.

    Args:
        masking: Which, drawn anew at every step.
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


class GeneralObjective:
    """Learn a teacher's layers from raw text, and guess masked words beside where that is asked for.

    With masks both models read the masked text: the layers are compared over the same tokens.

    Args:
        teaching: The losses between layers; its hard loss is that of the masked words.
        masking: None where no words are guessed.
    """

    def __init__(self, teaching: DistillObjective, masking: Masking | None) -> None:
        self.teaching = teaching
        self.masking = masking

    def __call__(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the weighted terms by name."""
        return self._terms(model, batch)[0]

    def _terms(self, model: nn.Module, batch: Batch) -> tuple[dict[str, Tensor], float]:
        """Return the terms, and the number of masked tokens."""
        if self.masking is None:
            return self.teaching(model, batch), 0.0
        masked, chosen = self.masking(batch["input_ids"], batch["continues"])
        read = {**batch, "input_ids": masked, "labels": batch["input_ids"][chosen]}
        with only_at(model, chosen):
            terms = self.teaching(model, read)
        named = {MASKED_LM if name == HARD else name: term for name, term in terms.items()}
        return named, float(chosen.sum())

    def held_out(self, model: nn.Module, batch: Batch) -> Mapping[str, tuple[Tensor, float]]:
        """Return the batch's terms, each times its number of tokens, and that number.

        Guessed words count the masked tokens, layers all real ones.
        """
        with torch.no_grad():
            terms, num_masked = self._terms(model, batch)
        num_real = float(batch["attention_mask"].sum())
        counts = {name: num_masked if name == MASKED_LM else num_real for name in terms}
        return {name: (term * counts[name], counts[name]) for name, term in terms.items()}
