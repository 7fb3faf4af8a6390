"""Learn a teacher's layers from raw text, without any task."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tinybert.models.masked_lm import only_at
from tinybert.models.masking import Masking
from tinybert.objectives.catalogue import HARD, MASKED_LM
from tinybert.objectives.distillation import DistillObjective
from tinybert.training import Batch


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
