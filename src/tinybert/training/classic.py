"""The small form for teaching: a data set, a model, one call.

Under it runs the same trainer as everywhere else.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from transformers import PreTrainedModel

from tinybert.data import TextDataset, sorted_by_length
from tinybert.errors import DataError
from tinybert.losses import binary_cross_entropy, cross_entropy, mse
from tinybert.metrics import classification_metrics, multilabel_metrics, regression_metrics
from tinybert.models.inputs import run_model
from tinybert.training.precision import choose_precision
from tinybert.training.trainer import Batch, Objective, Settings, train

HardLoss = Callable[[Tensor, Tensor], Tensor]
Metrics = Callable[[np.ndarray, np.ndarray], dict[str, float]]

_BY_KIND: dict[str, tuple[HardLoss, Metrics, str]] = {
    "single": (cross_entropy, lambda z, gold: classification_metrics(z.argmax(-1), gold), "accuracy"),
    "multi": (binary_cross_entropy, lambda z, gold: multilabel_metrics(z > 0, gold), "micro_f1"),
    "value": (mse, lambda z, gold: regression_metrics(z[:, 0], gold), "pearson"),
}


def train_model(
    model: PreTrainedModel,
    train_dataset: TextDataset,
    val_dataset: TextDataset,
    epochs: int = 3,
    batch_size: int = 32,
    *,
    learning_rate: float = 5e-5,
    seed: int = 42,
) -> list[dict[str, float]]:
    """Fine-tune a model on labelled texts, printing one line an epoch.

    Each line holds the training loss averaged over examples and the score on the *whole* validation set.
    The model ends with the weights of its best epoch.

    Args:
        model: Any sequence classifier of ``transformers``; changed in place.
        train_dataset: Texts and labels.
        val_dataset: Texts and labels never trained on.
        epochs: Passes over the training texts.
        batch_size: Texts a step.
        learning_rate: Peak rate, reached after a tenth of the steps, then falling linearly to zero.
        seed: Of dropout and the order of the batches.

    Raises:
        DataError: There are no labels, or a validation label is unknown to training.

    Returns:
        One row an epoch: ``epoch``, ``loss``, ``val_loss``, ``val_accuracy``, …
    """
    scheme = train_dataset.labels_scheme
    if scheme is None or val_dataset.labels is None:
        raise DataError("train_model", "the rows have no labels; give TextDataset labels")
    val_dataset.labels_scheme = scheme  # a label must mean the same output on both sides
    hard_loss, metrics, main_metric = _BY_KIND[scheme.kind]
    torch.manual_seed(seed)
    settings = Settings(
        num_epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        main_metric=main_metric,
        bf16=choose_precision("auto") == "bf16",
        seed=seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        trained = train(
            model,
            _objective(hard_loss),
            train_rows=_as_rows(train_dataset),
            validation_rows=sorted_by_length(_as_rows(val_dataset)),
            collator=train_dataset.collate,
            hard_loss=lambda logits, batch: hard_loss(logits, batch["labels"]),
            metrics=metrics,
            settings=settings,
            work_dir=Path(folder),
        )
    return trained.history


def _objective(hard_loss: HardLoss) -> Objective:
    def objective(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return {"hard": hard_loss(run_model(model, batch), batch["labels"])}

    return objective


def _as_rows(dataset: TextDataset) -> Dataset:
    return Dataset.from_list([dict(dataset[i]) for i in range(len(dataset))])
