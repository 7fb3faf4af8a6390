"""What every stage does first: read the rows, encode them, and fit models to the data's labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset, concatenate_datasets
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from tinybert.config import Recipe
from tinybert.console import warn
from tinybert.data import (
    Collator,
    LabelScheme,
    TextData,
    WholeRows,
    encode_split,
    load,
)
from tinybert.data.windows import IGNORED
from tinybert.errors import ModelError
from tinybert.evaluation import RowsEvaluator, WrittenEvaluator
from tinybert.inference import Predictor
from tinybert.models import has_task_head, load_classifier, load_config, load_seq2seq
from tinybert.models.label_order import label_mismatch, label_order, reorder_outputs
from tinybert.stages.steps.fit import TrainingRows
from tinybert.storage import Json
from tinybert.tasks import NOTES, BatchLoss, Task, class_weights, own_task
from tinybert.training import Evaluator


@dataclass(frozen=True)
class Encoded(TrainingRows):
    """A task's rows as one tokenizer reads them.

    Attributes:
        task: The task.
        labels: The data's labels.
        validation: The encoded validation rows.
        validation_rows: The same as they were read.
        hard_loss: The task's loss on their labels, as the recipe sets it.
        origin: What a checkpoint says of them: whether they are pairs, how a foreign task was named, and what
            is read of long ones.
    """

    task: Task
    labels: LabelScheme
    validation: Dataset
    validation_rows: Dataset
    hard_loss: BatchLoss
    origin: Json

    def batched(self) -> Dataset | WholeRows:
        """Return what batches are drawn from: encoded rows, or all windows of each where these are pooled."""
        return self.train if self.task.format.pooling is None else WholeRows(self.train)

    def evaluator(self) -> Evaluator:
        """Return what validates a model on these rows."""
        if self.task.writes:
            return WrittenEvaluator(
                self.task,
                self.validation,
                self.validation_rows,
                collator=self.collator,
                tokenizer=self.tokenizer,
            )
        return RowsEvaluator(
            self.task,
            self.validation,
            self.validation_rows,
            labels=self.labels,
            collator=self.collator,
            hard_loss=self.hard_loss,
        )

    def config(self, checkpoint: Path) -> Json:
        """Return what these rows are, and the thresholds that a checkpoint has on the validation rows.

        A threshold that is None was of the weights that the training began with; it is not the checkpoint's.
        """
        origin: Json = {**dict.fromkeys(self.task.settings), NOTES: self.origin}
        gold = self.validation_rows["label"]
        if not self.task.needs_calibration(gold):
            return origin
        predictor = Predictor(
            checkpoint, backend="torch", labels=self.labels, task=self.task, format=self.task.format
        )
        return origin | self.task.calibrate(predictor.outputs(self.validation_rows), gold)[1]


def load_rows(
    source: object,
    recipe: Recipe,
    task: Task,
    *,
    work_dir: Path,
    allow_unlabelled: bool,
    need: Sequence[str] = ("train", "validation"),
    bad_rows_go_to: str = "bad_rows.jsonl of the run",
) -> TextData:
    """Read and check a stage's rows; every bad one is named at once, what is odd is reported.

    Raises:
        DataError: See :func:`tinybert.data.load`.
    """
    data = load(
        source,
        settings=recipe.data,
        format=task.format,
        need=need,
        allow_unlabelled=allow_unlabelled,
        work_dir=work_dir,
    )
    for warning in data.warnings:
        warn(warning)
    if data.bad_rows:
        warn(f"{len(data.bad_rows):,} bad rows are set aside, in {bad_rows_go_to}")
    return data


def encode_rows(
    data: TextData,
    tokenizer: PreTrainedTokenizerBase,
    *,
    recipe: Recipe,
    task: Task,
    max_length: int,
    folder: Path,
    teacher_tokenizer: PreTrainedTokenizerBase | None = None,
) -> Encoded:
    """Encode the train and validation splits, with the teacher's own tokens beside where they differ."""
    hard_loss = hard_loss_of(data, recipe, task=task)
    encode = partial(encode_split, max_length=max_length, format=data.format, cache_dir=folder)
    rows, validation_rows = data.splits["train"], data.splits["validation"]
    train = encode(rows, tokenizer, offsets=teacher_tokenizer is not None)
    if teacher_tokenizer is not None:
        like = train if data.format.in_windows else None
        own = encode(rows, teacher_tokenizer, offsets=True, prefix="teacher_", like=like)
        train = concatenate_datasets([train, own], axis=1)
    validation = encode(validation_rows, tokenizer)
    collator = Collator(tokenizer, teacher_tokenizer=teacher_tokenizer)
    tokenizer.model_max_length = max_length
    origin: Json = {"text_pair": data.is_pair}
    if task.matches is None or own_task(recipe.task):
        origin["task"] = recipe.task
    origin |= {name: getattr(recipe.data, name) for name in data.format.settings_kept}
    origin |= task.notes()
    return Encoded(
        train, collator, tokenizer, task, data.labels, validation, validation_rows, hard_loss, origin
    )


def hard_loss_of(data: TextData, recipe: Recipe, *, task: Task) -> BatchLoss:
    """Return the loss on labels that a recipe sets, its classes weighted by the labels of the train split.

    Raises:
        RecipeError: A weight is given for a label that the data does not have.
    """
    given = (label for label in data.splits["train"]["label"] if label is not None)
    weights = class_weights(recipe.train.class_weights, task, given, labels=data.labels)
    return task.hard_loss(
        recipe.hard_loss,
        class_weights=None if weights is None else torch.tensor(weights),
        focal_gamma=recipe.train.focal_gamma,
        label_smoothing=recipe.train.label_smoothing,
    )


def labelled_only(rows: Dataset, task: Task) -> Dataset:
    """Return the encoded rows that have a label."""
    if "labels" not in rows.column_names:
        return rows.select([])
    if task.format.windowed or task.format.encodes_labels:
        keep = np.array([max(labels, default=IGNORED) > IGNORED for labels in rows["labels"]])
    else:
        labels = np.asarray(rows["labels"][:]).reshape(len(rows), -1)
        keep = (labels != IGNORED).all(1) if labels.dtype.kind == "i" else ~np.isnan(labels).any(1)
    return rows if bool(keep.all()) else rows.select(np.flatnonzero(keep))


def label_arguments(task: Task, labels: LabelScheme) -> dict[str, object]:
    """Return what a model's config must say of the labels."""
    if not task.head.has_labels:
        return {"head": task.head}
    id2label = labels.id2label or {0: "value"}
    return {
        "num_labels": len(id2label),
        "id2label": id2label,
        "problem_type": task.problem_type,
        "head": task.head,
    }


def own_order(config: PreTrainedConfig, task: Task, labels: LabelScheme) -> list[int] | None:
    """Return, for each of the data's labels, the output of a checkpoint's own head; None for a new head."""
    if not has_task_head(config, task.head):
        return None
    return label_order(config.id2label, labels) if task.head.has_labels else []


def load_for_labels(
    path: str, task: Task, labels: LabelScheme, *, seed: int, new_head: bool
) -> PreTrainedModel:
    """Load a classifier whose outputs are in the data's label order.

    A checkpoint without a task head gets a new one. A checkpoint with the same labels in another order has
    its output rows put into the data's order.

    Args:
        path: Run, checkpoint, hub name or ``bundled:…``.
        task: The task.
        labels: The data's labels.
        seed: Of a new head.
        new_head: Draw a new head where the checkpoint's labels are not the data's; else that is an error.

    Raises:
        ModelError: The checkpoint's head predicts other labels.
    """
    if task.writes:
        return load_seq2seq(path, decoder=task.new_decoder if new_head else None, seed=seed)
    config = load_config(path)
    arguments = label_arguments(task, labels)
    has_head = has_task_head(config, task.head)
    order = own_order(config, task, labels)
    if order is None and has_head and not new_head:
        raise ModelError(path, label_mismatch(config.id2label, labels))
    model = load_classifier(path, new_head=new_head and order is None, seed=seed, **arguments)  # pyright: ignore[reportArgumentType]
    if order is not None:
        reorder_outputs(model, order, labels.names)
    return model
