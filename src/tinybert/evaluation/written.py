"""How a model that writes texts is validated in training."""

from __future__ import annotations

import math

import numpy as np
from datasets import Dataset
from torch import nn
from torch.utils.data import DataLoader, Subset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tinybert.data import Collator, lengths_of
from tinybert.inference.backends.torch import engine_of_seq2seq
from tinybert.inference.writing import greedy, write_rows
from tinybert.losses import cross_entropy
from tinybert.models.generation import GenerationSettings, generation_settings_of
from tinybert.models.inputs import run_model, unwrap
from tinybert.tasks import Task

BATCH_SIZE = 64
MAX_ROWS = 1000
"""So many rows are written at each evaluation, spread over the split; the loss is that of the same."""


class WrittenEvaluator:
    """Scores a model by the texts that it writes, greedily, and by ``loss``, the mean of its tokens.

    ``perplexity`` is the exponential of that mean cross-entropy, without label smoothing.

    Args:
        task: A task that writes.
        encoded: The rows as the model reads them, in the order of ``rows``.
        rows: The rows as they were read.
        collator: Rows to a padded batch.
        tokenizer: Of the texts.
    """

    greater_is_better = True

    def __init__(
        self,
        task: Task,
        encoded: Dataset,
        rows: Dataset,
        *,
        collator: Collator,
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        self.task = task
        self.main_metric, self.best_score = task.main_metric, task.best_score
        self.tokenizer = tokenizer
        if len(rows) > MAX_ROWS:
            chosen = np.linspace(0, len(rows) - 1, MAX_ROWS).astype(int)
            encoded, rows = encoded.select(chosen), rows.select(chosen)
        self.num_rows = len(rows)
        self.gold = task.format.gold(rows)
        self.encoded = encoded
        order = np.argsort(lengths_of(encoded), kind="stable").tolist()
        self.batches = DataLoader(
            Subset(encoded, order),  # pyright: ignore[reportArgumentType]
            batch_size=BATCH_SIZE,
            collate_fn=collator,
        )

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Return the scores of a model."""
        loss = self._loss(model)
        own = unwrap(model)
        assert isinstance(own, PreTrainedModel)
        settings = greedy(settings_for(own, self.task))
        names = ("input_ids", "token_type_ids")
        features = {name: self.encoded[name][:] for name in names if name in self.encoded.column_names}
        texts = write_rows(
            engine_of_seq2seq(own), features, settings, tokenizer=self.tokenizer, batch_size=BATCH_SIZE
        )
        perplexity = math.exp(min(loss, 100.0))
        return {"loss": loss, "perplexity": perplexity, **self.task.metrics(texts, self.gold)}

    def _loss(self, model: nn.Module) -> float:
        device = next(model.parameters()).device
        total, count = 0.0, 0
        for batch in self.batches:
            batch = {name: tensor.to(device) for name, tensor in batch.items()}
            labels = batch["labels"]
            num_tokens = int((labels != -100).sum())
            total += float(cross_entropy(run_model(model, batch).float(), labels)) * num_tokens
            count += num_tokens
        return total / max(count, 1)


def settings_for(model: PreTrainedModel, task: Task) -> GenerationSettings:
    """Return how a model in memory writes for a task."""
    return generation_settings_of(model.config, model.generation_config, **task.search())
