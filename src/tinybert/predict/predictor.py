"""From texts to answers, with a checkpoint in torch.

Rows are taken in windows, grouped by length, run, and given back in their own order. What a task makes of
the scores stands in the task; this file only brings scores.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from torch import nn

from tinybert.data import LabelScheme, encode, pad
from tinybert.errors import DataError, ModelError
from tinybert.models import has_task_head, load_classifier, load_config, load_tokenizer, num_positions
from tinybert.models.inputs import model_inputs
from tinybert.models.label_order import label_mismatch, label_order, output_names, reorder_outputs
from tinybert.runs import open_run, partial_path
from tinybert.tasks import Answer, Task, task_of_config

TextRow = str | tuple[str, str] | Mapping[str, str]

WINDOW_ROWS = 4096


@dataclass(frozen=True)
class Texts:
    """Rows as two columns."""

    texts: list[str]
    pairs: list[str] | None


class Predictor:
    """Answers texts with a run or any sequence-classification checkpoint.

    Args:
        path: A run of ours, a checkpoint folder, or a hub name.
        batch_size: Rows a forward.
        max_length: Longest row in tokens; by default what the model was trained with.
        precision: Number format of the weights.
        labels: Answer in this label order; by default in the checkpoint's own.

    Raises:
        ModelError: The checkpoint has no task head, or answers other labels.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        batch_size: int = 32,
        max_length: int | None = None,
        precision: Literal["fp32", "bf16"] = "fp32",
        labels: LabelScheme | None = None,
    ) -> None:
        if not Path(path).exists() and partial_path(Path(path)).exists():
            open_run(path)  # says that the run is not finished, instead of asking the hub for it
        config = load_config(path)
        if not has_task_head(config):
            raise ModelError(
                str(path), "has no task head, so it cannot predict; fine-tune or distil it first"
            )
        self.tokenizer = load_tokenizer(path)
        self.model = load_classifier(path).requires_grad_(False)
        if precision == "bf16":
            nn.Module.to(self.model, torch.bfloat16)
        if torch.cuda.is_available():
            nn.Module.to(self.model, "cuda")
        self.batch_size = batch_size
        limits = (self.tokenizer.model_max_length, num_positions(config))
        self.max_length = max_length or min(limit for limit in limits if limit is not None)
        self.task: Task = task_of_config(self.model.config)
        if labels is not None:
            order = label_order(config.id2label, labels.names)
            if order is None:
                raise ModelError(str(path), label_mismatch(config.id2label, labels.names))
            reorder_outputs(self.model, order, labels.names)
        names = output_names(self.model.config.id2label)
        self.labels = LabelScheme(
            self.task.label_kind, () if self.task.label_kind == "value" else tuple(names)
        )

    def __call__(self, rows: Iterable[TextRow]) -> list[Answer]:
        """Return one answer a row, in the order given."""
        return list(self.stream(rows))

    def stream(self, rows: Iterable[TextRow]) -> Iterator[Answer]:
        """Yield one answer a row, in the order given, holding one window of rows in memory."""
        iterator = iter(rows)
        while window := list(itertools.islice(iterator, WINDOW_ROWS)):
            yield from self.task.decode(self.logits(window), self.labels)

    def logits(self, rows: list[TextRow]) -> np.ndarray:
        """Return the scores (N, C) of rows, in their order."""
        columns = as_columns(rows)
        encoded = encode(self.tokenizer, columns.texts, columns.pairs, max_length=self.max_length)
        lengths = np.asarray([len(ids) for ids in encoded["input_ids"]])
        order = np.argsort(lengths, kind="stable")
        logits = np.zeros((len(rows), cast(int, self.model.config.num_labels)), dtype=np.float32)
        for start in range(0, len(order), self.batch_size):
            indices = order[start : start + self.batch_size]
            rows_now = [{name: column[i] for name, column in encoded.items()} for i in indices]
            logits[indices] = self._forward(rows_now)
        return logits

    @torch.inference_mode()
    def _forward(self, encoded: list[dict[str, list[int]]]) -> np.ndarray:
        batch = pad(encoded, pad_token_id=cast(int, self.tokenizer.pad_token_id or 0))
        batch = {name: tensor.to(self.model.device) for name, tensor in batch.items()}
        return self.model(**model_inputs(self.model, batch)).logits.float().cpu().numpy()


def as_columns(rows: list[TextRow]) -> Texts:
    """Turn strings, pairs or mappings with ``text`` (and ``text_pair``) into columns.

    Raises:
        DataError: A row is of another form, is empty, or only some rows are pairs; all are listed.
    """
    texts: list[str] = []
    pairs: list[str | None] = []
    problems: list[str] = []
    for number, row in enumerate(rows, 1):
        text, pair = _text_and_pair(row)
        if not isinstance(text, str) or not text.strip():
            problems.append(f"row {number}, text: {text!r}; give a text that is not empty")
        texts.append(str(text))
        pairs.append(pair)
    given = [pair for pair in pairs if pair is not None]
    if given and len(given) != len(pairs):
        problems.append("some rows have a text_pair and some have none; give it for all or for none")
    if problems:
        raise DataError("texts to predict", problems)
    return Texts(texts, given or None)


def _text_and_pair(row: TextRow) -> tuple[object, str | None]:
    if isinstance(row, Mapping):
        return row.get("text"), row.get("text_pair")
    return (row[0], row[1]) if isinstance(row, tuple) else (row, None)
