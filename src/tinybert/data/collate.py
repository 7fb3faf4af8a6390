"""Encoded rows → one batch of tensors, padded to its own longest row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from tinybert.data.encode import IGNORED_CLASS, pad
from tinybert.data.pooling import NUM_WINDOWS
from tinybert.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEACHER = "teacher_"

EncodedRow = Mapping[str, Any]


class Collator:
    """Makes one batch of encoded rows; the ``collate_fn`` of a data loader.

    Args:
        tokenizer: The student's: it says what fills empty positions.
        teacher_tokenizer: The teacher's, when the rows carry ``teacher_input_ids`` too.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        teacher_tokenizer: PreTrainedTokenizerBase | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.teacher_tokenizer = teacher_tokenizer

    def __call__(self, rows: Sequence[EncodedRow] | Sequence[list[EncodedRow]]) -> dict[str, Tensor]:
        """Return the batch.

        Args:
            rows: Encoded rows or windows; or for each row the list of all its windows.

        Returns:
            ``input_ids``, ``attention_mask`` and perhaps ``token_type_ids``, int64 (B, L); ``labels`` int64
            (B,) or float32 (B,) or (B, C), for tags int64 (B, L), for answers int64 (B, 2); ``row`` int64
            (B,); where the rows have them, ``continues`` bool (B, L), ``piece_starts``, ``piece_ends``
            and the columns of the row format (B, L), -1 at padding; and ``teacher_*`` likewise, (B,
            L_teacher). Of lists of windows all is one entry a window, in order, but for ``labels``, one a
            list, and ``num_windows`` int64, how many windows each list has.

        Raises:
            DataError: The rows carry a teacher's tokens and no teacher's tokenizer was given.
        """
        if not isinstance(rows[0], list):
            return self._batch(cast("Sequence[EncodedRow]", rows))
        whole = cast("Sequence[list[EncodedRow]]", rows)
        batch = self._batch([window for row in whole for window in row])
        batch[NUM_WINDOWS] = torch.tensor([len(row) for row in whole])
        if "labels" in batch:
            batch["labels"] = batch["labels"][batch[NUM_WINDOWS].cumsum(0) - batch[NUM_WINDOWS]]
        return batch

    def _batch(self, rows: Sequence[EncodedRow]) -> dict[str, Tensor]:
        batch = self._pad(rows, self.tokenizer, "")
        if TEACHER + "input_ids" in rows[0]:
            if self.teacher_tokenizer is None:
                raise DataError("batch", "rows have teacher_input_ids; give Collator the teacher_tokenizer")
            batch |= self._pad(rows, self.teacher_tokenizer, TEACHER)
        if "row" in rows[0]:
            batch["row"] = torch.tensor([row["row"] for row in rows], dtype=torch.int64)
        if "labels" in rows[0]:
            batch["labels"] = _label_tensor([row["labels"] for row in rows])
        return batch

    def _pad(
        self, rows: Sequence[EncodedRow], tokenizer: PreTrainedTokenizerBase, prefix: str
    ) -> dict[str, Tensor]:
        names = [name for name, value in rows[0].items() if isinstance(value, list) and _is_of(name, prefix)]
        bare = [{name.removeprefix(prefix): row[name] for name in names} for row in rows]
        padding = tokenizer.pad_token_id
        if not isinstance(padding, int):
            raise DataError("tokenizer", "has no padding token; set tokenizer.pad_token")
        padded = pad(bare, pad_token_id=padding)
        return {prefix + key: tensor for key, tensor in padded.items()}


def _is_of(name: str, prefix: str) -> bool:
    """Return whether a column of one value a token is of this side: the student's, or the teacher's."""
    return name != "labels" and name.startswith(TEACHER) == bool(prefix)


def _label_tensor(labels: list[Any]) -> Tensor:
    if isinstance(labels[0], list) and len({len(label) for label in labels}) > 1:  # a tag a token
        longest = max(map(len, labels))
        labels = [label + [IGNORED_CLASS] * (longest - len(label)) for label in labels]
    tensor = torch.tensor(labels)
    return tensor.float() if tensor.is_floating_point() else tensor.long()
