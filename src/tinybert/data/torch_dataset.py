"""The classic form: texts and labels as a ``torch.utils.data.Dataset``, encoded when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from torch.utils.data import Dataset

from tinybert.data.collate import Collator
from tinybert.data.encode import encode
from tinybert.data.labels import Label, LabelKind, LabelScheme, plain
from tinybert.errors import DataError

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
        self.labels_scheme = None if labels is None else LabelScheme.of(labels, _kind(labels))
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
            item["labels"] = self.labels_scheme.convert(self.labels[row])
        return item


def _kind(labels: Sequence[object]) -> LabelKind:
    kinds: set[LabelKind] = {_kind_of_one(plain(label)) for label in labels}
    if len(kinds) > 1:
        raise DataError("TextDataset", f"labels of several kinds ({', '.join(sorted(kinds))}); give one kind")
    return kinds.pop() if kinds else "single"


def _kind_of_one(label: object) -> LabelKind:
    if isinstance(label, list | tuple | set) or hasattr(label, "tolist"):
        return "multi"
    return "value" if isinstance(label, float) else "single"
