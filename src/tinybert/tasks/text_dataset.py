"""The classic interface: texts and labels as a ``torch.utils.data.Dataset``, encoded when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from torch.utils.data import Dataset

from tinybert.data.collate import Collator
from tinybert.data.encode import encode
from tinybert.data.labels import Label
from tinybert.errors import DataError
from tinybert.sources.objects import plain
from tinybert.tasks.classification import CLASSIFICATION
from tinybert.tasks.multilabel import MULTILABEL
from tinybert.tasks.regression import REGRESSION
from tinybert.tasks.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Item(TypedDict, total=False):
    """One encoded row."""

    input_ids: list[int]
    token_type_ids: list[int]
    length: int
    row: int
    labels: Label


class TextDataset(Dataset[Item]):
    """Texts and labels as a torch data set; hand ``.collate`` to the data loader.

    Example::

        rows = TextDataset(["a fine film", "dull"], ["positive", "negative"], tokenizer)
        loader = DataLoader(rows, batch_size=2, shuffle=True, collate_fn=rows.collate)

    Args:
        texts: One text a row.
        labels: Whole numbers or names (one class), lists (several classes), fractions (a number), or None.
        tokenizer: A fast tokenizer.
        max_length: Longest row in tokens.

    Attributes:
        task: What the labels say it is: classification, multilabel or regression.
        labels_scheme: The labels in the order of the model's outputs; None without labels.
        collate: Makes a batch of items.

    Raises:
        DataError: There are not as many labels as texts, or labels of several kinds.
    """

    def __init__(
        self,
        texts: Sequence[str],
        labels: Sequence[object] | None,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int = 128,
    ) -> None:
        if labels is not None and len(labels) != len(texts):
            raise DataError("TextDataset", f"{len(texts):,} texts but {len(labels):,} labels; give one each")
        self.texts = texts
        self.labels = labels
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.task = CLASSIFICATION if labels is None else task_of_labels(labels)
        self.labels_scheme = None if labels is None else self.task.format.scheme(labels)
        self.collate = Collator(tokenizer)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> Item:
        row = range(len(self))[index]
        encoded = encode(self.tokenizer, [self.texts[row]], max_length=self.max_length)
        input_ids = encoded["input_ids"][0]
        item = Item(input_ids=input_ids, length=len(input_ids), row=row)
        if "token_type_ids" in encoded:
            item["token_type_ids"] = encoded["token_type_ids"][0]
        if self.labels is not None and self.labels_scheme is not None:
            item["labels"] = self.task.format.convert(self.labels[row], self.labels_scheme)
        return item


def task_of_labels(labels: Sequence[object]) -> Task:
    """Return the task of such labels: lists are several classes, fractions numbers, anything else one class.

    Raises:
        DataError: They are of several kinds.
    """
    tasks = {task.name: task for task in map(_task_of_label, map(plain, labels))}
    if len(tasks) > 1:
        raise DataError("TextDataset", f"labels of several tasks ({', '.join(sorted(tasks))}); give one kind")
    return next(iter(tasks.values()), CLASSIFICATION)


def _task_of_label(label: object) -> Task:
    if isinstance(label, list | tuple | set) or hasattr(label, "tolist"):
        return MULTILABEL
    return REGRESSION if isinstance(label, float) else CLASSIFICATION
