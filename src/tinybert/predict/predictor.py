"""From texts to answers, with a checkpoint in torch.

Rows are taken in chunks, encoded, grouped by length, run, and given back in their own order. What a task
makes of the scores stands in the task; this file only brings scores.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from datasets import Dataset
from torch import nn

from tinybert.data import Form, LabelScheme, encode_columns, pad
from tinybert.errors import ModelError
from tinybert.models import has_task_head, load_classifier, load_config, load_tokenizer, num_positions
from tinybert.models.inputs import run_model
from tinybert.models.label_order import label_mismatch, label_order, output_names, reorder_outputs
from tinybert.models.memory import give_back_memory
from tinybert.predict.rows import TextRow, columns_of
from tinybert.runs import open_run, partial_path
from tinybert.tasks import AnyAnswer, Outputs, Task, task_of_config

CHUNK_ROWS = 1024
SETTINGS = ("null_threshold",)
"""Keys of a config that say how scores become answers."""

Columns = Mapping[str, Sequence[Any]]


class Predictor:
    """Answers texts with a run or any checkpoint that has a task's head.

    Args:
        path: A run of ours, a checkpoint folder, or a hub name.
        batch_size: Rows a forward.
        max_length: Longest row or window in tokens; by default what the model was trained with.
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
        self.task: Task = task_of_config(self.model.config)
        limits = (self.tokenizer.model_max_length, num_positions(config))
        longest = min(limit for limit in limits if limit is not None)
        if self.task.head == "question" and not isinstance(
            self.tokenizer.init_kwargs.get("model_max_length"), int
        ):
            longest = min(longest, self.task.max_length)
        self.max_length = max_length or longest
        self.settings = {name: float(getattr(config, name)) for name in SETTINGS if hasattr(config, name)}
        if labels is not None:
            order = label_order(config.id2label, labels.names)
            if order is None:
                raise ModelError(str(path), label_mismatch(config.id2label, labels.names))
            reorder_outputs(self.model, order, labels.names)
        self.labels = labels or self._own_labels(str(path))

    def _own_labels(self, subject: str) -> LabelScheme:
        kind = self.task.label_kind
        if kind in ("value", "span"):
            return LabelScheme.of([], kind)
        names = tuple(output_names(self.model.config.id2label))
        if kind == "tags" and not all(name == "O" or name.startswith(("B-", "I-")) for name in names):
            raise ModelError(
                subject,
                f"answers the labels {', '.join(names[:8])}; for entities they are O, B-TYPE and I-TYPE: "
                "write such names into id2label of its config.json, or distil it with --task ner",
            )
        return LabelScheme(kind, names)

    @property
    def asked(self) -> str:
        """What the texts that are answered are called: text or question."""
        return "question" if self.task.label_kind == "span" else "text"

    def __call__(self, rows: Iterable[TextRow]) -> list[AnyAnswer]:
        """Return one answer a row, in the order given."""
        return list(self.stream(rows))

    def stream(self, rows: Iterable[TextRow]) -> Iterator[AnyAnswer]:
        """Yield one answer a row, in the order given, holding one chunk of rows in memory."""
        iterator = iter(rows)
        while chunk := list(itertools.islice(iterator, CHUNK_ROWS)):
            yield from self.task.decode(self.chunk_outputs(columns_of(chunk, self.task)), self.labels)
            give_back_memory()

    def outputs(self, rows: Dataset) -> Outputs:
        """Return what the task reads from the scores of a split, a chunk of rows at a time."""
        names = [name for name in rows.column_names if name != "label"]
        chunks: list[Outputs] = []
        for start in range(0, len(rows), CHUNK_ROWS):
            chunks.append(self.chunk_outputs(rows.select_columns(names)[start : start + CHUNK_ROWS]))
            give_back_memory()
        if chunks and isinstance(chunks[0], np.ndarray):
            return np.concatenate(cast("list[np.ndarray]", chunks))
        return [output for chunk in chunks for output in chunk]

    def logits(self, rows: Sequence[TextRow]) -> np.ndarray:
        """Return the scores (N, C) of whole texts, in their order."""
        return cast(np.ndarray, self.chunk_outputs(columns_of(rows, self.task)))

    def chunk_outputs(self, rows: Columns) -> Outputs:
        """Return what the task reads from the scores of some rows, in their order."""
        features = encode_columns(
            self.tokenizer, rows, Form(self.task.label_kind), max_length=self.max_length
        )
        lengths = np.asarray([len(ids) for ids in features["input_ids"]])
        order = np.argsort(-lengths, kind="stable")  # the longest first: what it frees serves the others
        scores: list[np.ndarray] = [np.empty(0)] * len(order)
        tokens = {name: features[name] for name in ("input_ids", "token_type_ids") if name in features}
        for start in range(0, len(order), self.batch_size):
            indices = order[start : start + self.batch_size].tolist()
            batch = self._forward([{name: column[i] for name, column in tokens.items()} for i in indices])
            for i, part in zip(indices, batch, strict=True):
                scores[i] = part if part.ndim == 1 else part[: lengths[i]]
        return self.task.gather(scores, features, rows, labels=self.labels, settings=self.settings)

    @torch.inference_mode()
    def _forward(self, encoded: list[dict[str, list[int]]]) -> np.ndarray:
        batch = pad(encoded, pad_token_id=cast(int, self.tokenizer.pad_token_id or 0))
        batch = {name: tensor.to(self.model.device) for name, tensor in batch.items()}
        return run_model(self.model, batch).float().cpu().numpy()
