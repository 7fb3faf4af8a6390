"""How a model in training is validated on held-out blocks of raw text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from datasets import Dataset
from torch import Tensor, nn

from tinybert.data import Collator
from tinybert.errors import DataError
from tinybert.objectives import MASKED_LM
from tinybert.training import Batch

HELD_OUT_SEED = 0

BlockLosses = Callable[[nn.Module, Batch], Mapping[str, tuple[Tensor, float]]]
"""A batch's held-out losses: name → (mean × weight, weight): its masked tokens, or all its real ones."""


class BlocksEvaluator:
    """Scores a model on held-out blocks: the same masks each time, batches weighted by their tokens.

    A ``masked_lm`` loss brings its ``perplexity``, for which its weight among the losses is taken off.

    Args:
        losses: An objective's ``held_out``.
        blocks: The held-out blocks, in the order of their length.
        collator: Blocks to a padded batch.
        source: What the text is called.
        batch_size: Blocks a batch.
        main_metric: loss or perplexity.
        masked_lm_weight: Of ``masked_lm`` among the losses.
    """

    greater_is_better = False
    best_score = 1.0

    def __init__(
        self,
        losses: BlockLosses,
        blocks: Dataset,
        *,
        collator: Collator,
        source: str,
        batch_size: int,
        main_metric: str,
        masked_lm_weight: float = 1.0,
    ) -> None:
        self.losses = losses
        self.blocks = blocks
        self.num_rows = len(blocks)
        self.collator = collator
        self.source = source
        self.batch_size = batch_size
        self.main_metric = main_metric
        self.masked_lm_weight = masked_lm_weight

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Return the mean of each loss, their sum, and the perplexity of guessed words.

        Raises:
            DataError: Words are to be guessed, and none is masked.
        """
        sums: dict[str, float] = {}
        counts: dict[str, float] = {}
        with torch.random.fork_rng():  # the training continues with the draws it would have had
            torch.manual_seed(HELD_OUT_SEED)
            for start in range(0, len(self.blocks), self.batch_size):
                for name, (total, count) in self.losses(model, self._batch(start, model)).items():
                    sums[name] = sums.get(name, 0.0) + float(total)
                    counts[name] = counts.get(name, 0.0) + count
        if counts.get(MASKED_LM) == 0:
            raise DataError(
                self.source,
                "no held-out token is masked, so nothing can be measured; bring more text, or raise "
                "corpus.held_out or pretrain.mask_share",
            )
        means = {name: total / max(counts[name], 1) for name, total in sums.items()}
        scores = {"loss": sum(means.values()), **({} if len(means) == 1 else means)}
        if MASKED_LM in means:
            scores["perplexity"] = math.exp(min(means[MASKED_LM] / self.masked_lm_weight, 100))
        return scores

    def _batch(self, start: int, model: nn.Module) -> Batch:
        device = next(model.parameters()).device
        rows = range(start, min(start + self.batch_size, len(self.blocks)))
        batch = self.collator([self.blocks[row] for row in rows])
        return {name: tensor.to(device) for name, tensor in batch.items()}
