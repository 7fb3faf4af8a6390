"""The small interface for teaching: a data set, a model, one call.

Under it runs the same trainer as everywhere else.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from datasets import Dataset
from transformers import PreTrainedModel

from tinybert.errors import DataError
from tinybert.evaluation import RowsEvaluator
from tinybert.objectives import HardObjective
from tinybert.tasks import TextDataset
from tinybert.training import Settings, choose_precision, one_at_a_time, train


@one_at_a_time()
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
    task = train_dataset.task
    hard_loss = task.hard_loss(next(iter(task.hard_losses)))
    validation = _as_rows(val_dataset)
    evaluator = RowsEvaluator(
        task,
        validation,
        Dataset.from_dict({"text": list(val_dataset.texts)}),
        labels=scheme,
        collator=train_dataset.collate,
        hard_loss=hard_loss,
    )
    torch.manual_seed(seed)
    settings = Settings(
        num_epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        bf16=choose_precision("auto") == "bf16",
        seed=seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        trained = train(
            model,
            HardObjective(hard_loss),
            train_rows=_as_rows(train_dataset),
            collator=train_dataset.collate,
            evaluator=evaluator,
            settings=settings,
            work_dir=Path(folder),
        )
    return trained.history


def _as_rows(dataset: TextDataset) -> Dataset:
    return Dataset.from_list([dict(dataset[i]) for i in range(len(dataset))])
