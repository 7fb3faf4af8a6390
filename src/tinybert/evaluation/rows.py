"""How a model in training is validated on labelled rows."""

from __future__ import annotations

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from tinybert.data import Collator, LabelScheme, WholeRows, num_tokens_of
from tinybert.data.windows import OFFSETS
from tinybert.models.inputs import run_model
from tinybert.tasks import BatchLoss, Task

BATCH_SIZE = 64
"""Rows a batch, or windows where a row may be several."""


class RowsEvaluator:
    """Scores a model on a labelled split: the task's metrics, and ``loss``, the mean of its hard loss.

    Batches hold rows of like length. Windows are pooled or joined before they are scored, so that a long text
    counts as one.

    Args:
        task: The task.
        encoded: The rows as the model reads them, in the order of ``rows``.
        rows: The rows as they were read.
        labels: Their labels.
        collator: Rows to a padded batch.
        hard_loss: One of the task's hard losses, as :meth:`tinybert.tasks.Task.hard_loss` returns it.
    """

    greater_is_better = True

    def __init__(
        self,
        task: Task,
        encoded: Dataset,
        rows: Dataset,
        *,
        labels: LabelScheme,
        collator: Collator,
        hard_loss: BatchLoss,
    ) -> None:
        self.main_metric, self.best_score = task.main_metric, task.best_score
        self.task = task
        self.labels = labels
        self.hard_loss = hard_loss
        items = encoded if task.format.pooling is None else WholeRows(encoded)
        self.lengths = num_tokens_of(items)
        self.order = np.argsort(self.lengths, kind="stable")
        self.batches = DataLoader(
            Subset(items, self.order.tolist()),  # pyright: ignore[reportArgumentType]
            batch_size=_rows_a_batch(items),
            collate_fn=collator,
        )
        self.rows = rows[:]
        self.num_rows = len(rows)
        features = ("example", *OFFSETS, *task.format.window_columns)
        self.features = {name: encoded[name][:] for name in features if name in encoded.column_names}
        first = encoded.select(items.firsts) if isinstance(items, WholeRows) else encoded
        self.gold = self.rows["label"] if task.format.windowed else _targets(first)

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Return the scores of a model."""
        scores, loss = self._run(model)
        outputs = self.task.aggregate(scores, self.features, self.rows, labels=self.labels, settings={})
        outputs, _ = self.task.calibrate(outputs, self.gold)
        return {"loss": loss, **self.task.metrics(outputs, self.gold)}

    def _run(self, model: nn.Module) -> tuple[list[np.ndarray], float]:
        """Return each encoded row's scores, in the order of the rows, and the mean loss."""
        device = next(model.parameters()).device
        scores: list[np.ndarray] = []
        losses: list[np.ndarray] = []
        for batch in self.batches:
            batch = {name: tensor.to(device) for name, tensor in batch.items()}
            logits = run_model(model, batch).float()
            loss = self.hard_loss(logits, batch).float()
            logits = self.task.pooled(logits, batch)
            losses.append(_numpy(loss.repeat(len(logits))))
            lengths = self.lengths[self.order[len(scores) :]]
            scores += [
                part if part.ndim == 1 else part[:length]
                for part, length in zip(_numpy(logits), lengths, strict=False)
            ]
        indices = np.argsort(self.order)
        return [scores[index] for index in indices], float(np.concatenate(losses).mean())


def _rows_a_batch(items: Dataset | WholeRows) -> int:
    """Return so many rows that their windows are no more than the rows of another batch."""
    if not isinstance(items, WholeRows):
        return BATCH_SIZE
    num_windows = np.diff(items.firsts, append=len(items.windows))
    return max(1, BATCH_SIZE // int(num_windows.max(initial=1)))


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy()


def _targets(encoded: Dataset) -> np.ndarray:
    """Return the labels of whole texts as losses read them: −100, or NaN, for none."""
    found = torch.tensor(encoded["labels"][:])
    return _numpy(found.float() if found.is_floating_point() else found)
