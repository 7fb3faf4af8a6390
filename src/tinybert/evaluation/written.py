"""How a model that writes texts is validated in training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Subset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tinybert.data import Collator, encode_split, lengths_of
from tinybert.data.encode import IGNORED_CLASS
from tinybert.inference.backends.torch import engine_of_seq2seq
from tinybert.inference.writing import greedy, write_rows
from tinybert.metrics.bootstrap import percentile_interval
from tinybert.models import load_seq2seq, load_tokenizer
from tinybert.models.generation import GenerationSettings, generation_settings_of
from tinybert.models.inputs import run_model, unwrap
from tinybert.tasks import Task

BATCH_SIZE = 64
MAX_LOSS = 100.0
RESAMPLES = 1000
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
        self.batches = batches_by_length(encoded, collator)

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
        perplexity = math.exp(min(loss, MAX_LOSS))
        return {"loss": loss, "perplexity": perplexity, **self.task.metrics(texts, self.gold)}

    def _loss(self, model: nn.Module) -> float:
        losses = row_losses(model, self.batches)
        return float(losses[:, 0].sum() / max(losses[:, 1].sum(), 1))


def row_losses(model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> np.ndarray:
    """Return the cross-entropy of each row's target and its number of tokens, (N, 2), as batches come."""
    device = next(model.parameters()).device
    found: list[Tensor] = []
    for batch in batches:
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        labels = batch["labels"]
        logits = run_model(model, batch).float().transpose(1, 2)
        losses = cross_entropy(logits, labels, ignore_index=IGNORED_CLASS, reduction="none")
        found.append(torch.stack([losses.sum(1), (labels != IGNORED_CLASS).sum(1)], dim=1))
    return torch.cat(found).double().cpu().numpy()


@torch.inference_mode()
def perplexity_of(path: str | Path, rows: Dataset, *, task: Task, max_length: int) -> dict[str, float]:
    """Return a checkpoint's perplexity on the targets of at most 1,000 rows, and its 95 % interval.

    It is a number a token: models of different vocabularies cannot be compared by it.
    """
    tokenizer = load_tokenizer(path)
    chosen = rows.select(np.unique(np.linspace(0, len(rows) - 1, min(MAX_ROWS, len(rows))).astype(int)))
    encoded = encode_split(chosen, tokenizer, max_length=max_length, format=task.format)
    losses = row_losses(load_seq2seq(path), batches_by_length(encoded, Collator(tokenizer)))

    def perplexities(sums: np.ndarray) -> np.ndarray:
        return np.exp(np.minimum(sums[:, 0] / np.maximum(sums[:, 1], 1), MAX_LOSS))

    low, high = percentile_interval(losses, perplexities, resamples=RESAMPLES, seed=0)
    value = float(perplexities(losses.sum(0, keepdims=True))[0])
    return {"perplexity": value, "perplexity_low": low, "perplexity_high": high}


def batches_by_length(encoded: Dataset, collator: Collator) -> DataLoader[Any]:
    """Return batches of rows of like length."""
    order = np.argsort(lengths_of(encoded), kind="stable").tolist()
    items = Subset(encoded, order)  # pyright: ignore[reportArgumentType]
    return DataLoader(items, batch_size=BATCH_SIZE, collate_fn=collator)


def settings_for(model: PreTrainedModel, task: Task) -> GenerationSettings:
    """Return how a model in memory writes for a task."""
    return generation_settings_of(model.config, model.generation_config, **task.search())
