"""From texts to answers, with a checkpoint or one of its exports.

Rows are taken in windows: each is tokenised at once (in parallel, by the tokenizer's own threads), grouped by
length, run batch by batch, and given back in its own order. What a task makes of the scores stands in the
task; a backend only brings scores.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from transformers import PreTrainedConfig, PreTrainedTokenizerFast

from tinybert.data import Form, LabelScheme, encode_columns
from tinybert.data.encode import WINDOWED
from tinybert.errors import ModelError
from tinybert.inference.backends import (
    BUILTIN,
    Engine,
    Loading,
    Precision,
    Scores,
    Tokens,
    full_name,
    load_engine,
    parse_backend,
    require,
)
from tinybert.inference.choice import fastest, installed, num_threads
from tinybert.inference.exports import Export, exports_of, is_export, read_export
from tinybert.inference.rows import TextRow, columns_of
from tinybert.models import has_task_head, load_config, load_tokenizer, num_positions
from tinybert.models.label_order import label_mismatch, label_order, output_names
from tinybert.models.memory import give_back_memory
from tinybert.runs import open_run
from tinybert.storage import partial_path
from tinybert.tasks import AnyAnswer, Outputs, Task, task_of_config

AUTO = "auto"
CHUNK_ROWS = 1024
TOKENS_A_ROW = 128
"""A batch holds no more tokens than ``batch_size`` rows of this length; attention maps grow faster still."""
SETTINGS = ("null_threshold",)
"""Keys of a config that say how scores become answers."""

Columns = Mapping[str, Sequence[Any]]


class Predictor:
    """Answers texts with a run or any checkpoint that has a task's head.

    Args:
        path: A run of ours, a checkpoint folder, an export's folder, or a hub name.
        backend: ``torch``, ``torch-bf16``, or an export that has been made: ``onnx-fp32``, ``onnx-int8``,
            ``openvino-fp32``, ``openvino-bf16``, ``openvino-int8``, ``litert-fp32``, ``litert-int8``.
            ``auto``: the export that a measurement found fastest on this machine, or torch without any.
        batch_size: Rows a batch, fewer where they are long.
        max_length: Longest row or window in tokens; by default what the model was trained with.
        labels: Answer in this label order; by default in the checkpoint's own.
        check: Refuse an export that is damaged or whose checkpoint has changed.

    Attributes:
        backend: The one that was chosen, by its full name.
        num_cut: Texts so far that were longer than ``max_length``; what was too long was not read.

    Raises:
        ModelError: The checkpoint has no task head, or answers other labels; there is no such export, or it
            is not of this checkpoint any more.
        MissingExtraError: The backend's runtime is not installed.
        RecipeError: There is no such backend.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        backend: str = AUTO,
        batch_size: int = 32,
        max_length: int | None = None,
        labels: LabelScheme | None = None,
        check: bool = True,
    ) -> None:
        if not Path(path).exists() and partial_path(Path(path)).exists():
            open_run(path)  # says that the run is not finished, instead of asking the hub for it
        self.config = load_config(path)
        if not has_task_head(self.config):
            raise ModelError(
                str(path), "has no task head, so it cannot predict; fine-tune or distil it first"
            )
        export = find_export(path, backend, self.config)
        if export is not None and check:
            export.check()
        self.folder = Path(path).expanduser() if export is None else export.folder
        name, precision = parse_backend(export.name if export else "torch" if backend == AUTO else backend)
        self.backend = full_name(name, precision)
        self.runtime = BUILTIN[name]
        self.precision: Precision = precision
        self.place = str(path) if export is None else str(export.folder)
        self.tokenizer = load_tokenizer(path)
        self.batch_size = batch_size
        self.task: Task = task_of_config(self.config)
        self.max_length = self._longest() if max_length is None else max_length
        positions = num_positions(self.config)
        if self.max_length < 1 or (positions is not None and self.max_length > positions):
            raise ModelError(
                str(path), f"max_length = {self.max_length}: allowed are 1 to {positions or 'any number'}"
            )
        self.settings = {
            name: float(getattr(self.config, name)) for name in SETTINGS if hasattr(self.config, name)
        }
        self.order: list[int] | None = None
        if labels is not None:
            self.order = label_order(self.config.id2label, labels.names)
            if self.order is None:
                raise ModelError(str(path), label_mismatch(self.config.id2label, labels.names))
            if self.order == sorted(self.order):
                self.order = None
        self.labels = labels or self._own_labels(str(path))
        self.num_cut = 0
        self.alone  # noqa: B018 (a checkpoint that cannot be read is told now, not at the first text)

    def _longest(self) -> int:
        limits = (self.tokenizer.model_max_length, num_positions(self.config))
        longest = min(limit for limit in limits if limit is not None)
        if self.task.head == "question" and not isinstance(
            self.tokenizer.init_kwargs.get("model_max_length"), int
        ):
            longest = min(longest, self.task.max_length)
        return longest

    def _own_labels(self, subject: str) -> LabelScheme:
        kind = self.task.label_kind
        if kind in ("value", "span"):
            return LabelScheme.of([], kind)
        names = tuple(output_names(self.config.id2label))
        if kind == "tags" and not all(name == "O" or name.startswith(("B-", "I-")) for name in names):
            raise ModelError(
                subject,
                f"answers the labels {', '.join(names[:8])}; for entities they are O, B-TYPE and I-TYPE: "
                "write such names into id2label of its config.json, or distil it with --task ner",
            )
        return LabelScheme(kind, names)

    @cached_property
    def alone(self) -> Engine:
        """The engine that gives all threads to one batch."""
        return self._load(Loading(num_workers=1, num_threads=num_threads()))

    @cached_property
    def together(self) -> tuple[Engine, ThreadPoolExecutor] | None:
        """The engine that gives a thread to each of several batches, and who hands them over.

        None where only one batch runs at a time. Small matrices do not fill two threads, two batches do.
        """
        workers = num_threads()
        if self.runtime.one_at_a_time or workers == 1:
            return None
        return self._load(Loading(num_workers=workers, num_threads=1)), ThreadPoolExecutor(workers)

    def _load(self, loading: Loading) -> Engine:
        return load_engine(self.runtime, Path(self.place), self.precision, loading)

    @property
    def asked(self) -> str:
        """What the texts that are answered are called: text or question."""
        return "question" if self.task.label_kind == "span" else "text"

    def __call__(self, rows: Iterable[TextRow]) -> list[AnyAnswer]:
        """Return one answer a row, in the order given."""
        return list(self.stream(rows))

    def stream(self, rows: Iterable[TextRow]) -> Iterator[AnyAnswer]:
        """Yield one answer a row, in the order given, holding one window of rows in memory."""
        iterator = iter(rows)
        while chunk := list(itertools.islice(iterator, CHUNK_ROWS)):
            yield from self.task.decode(self.chunk_outputs(columns_of(chunk, self.task)), self.labels)

    def outputs(self, rows: Dataset) -> Outputs:
        """Return what the task reads from the scores of a split, a window of rows at a time."""
        names = [name for name in rows.column_names if name != "label"]
        chosen = rows.select_columns(names)
        starts = range(0, len(rows), CHUNK_ROWS)
        chunks = [self.chunk_outputs(chosen[start : start + CHUNK_ROWS]) for start in starts]
        if chunks and isinstance(chunks[0], np.ndarray):
            return np.concatenate(cast("list[np.ndarray]", chunks))
        return [output for chunk in chunks for output in chunk]

    def logits(self, rows: Sequence[TextRow]) -> np.ndarray:
        """Return the scores (N, C) of whole texts, in their order."""
        return cast(np.ndarray, self.chunk_outputs(columns_of(rows, self.task)))

    def chunk_outputs(self, rows: Columns) -> Outputs:
        """Return what the task reads from the scores of some rows, in their order."""
        features = self.encode(rows)
        scores = self.run(features)
        return self.task.gather(scores, features, rows, labels=self.labels, settings=self.settings)

    def encode(self, rows: Columns) -> Columns:
        """Return the token columns of some rows: whole texts, or the windows of long ones."""
        if self.task.label_kind in WINDOWED or not isinstance(self.tokenizer, PreTrainedTokenizerFast):
            return encode_columns(
                self.tokenizer, rows, Form(self.task.label_kind), max_length=self.max_length
            )
        pieces = self.tokenizer.backend_tokenizer
        pieces.enable_truncation(
            self.max_length, strategy="longest_first", direction=self.tokenizer.truncation_side
        )
        pairs = rows.get("text_pair")
        texts = list(rows["text"]) if pairs is None else list(zip(rows["text"], pairs, strict=True))
        found = pieces.encode_batch_fast(texts)
        columns: dict[str, list[list[int]]] = {"input_ids": [each.ids for each in found]}
        if "token_type_ids" in self.tokenizer.model_input_names:
            columns["token_type_ids"] = [each.type_ids for each in found]
        self.num_cut += sum(len(each.ids) == self.max_length and bool(each.overflowing) for each in found)
        return columns

    def run(self, features: Columns) -> list[Scores]:
        """Return the scores of encoded rows, one array each, in their order."""
        ids = features["input_ids"]
        lengths = np.array([len(row) for row in ids])
        groups = list(batches_of(lengths, batch_size=self.batch_size))
        scores: list[Scores] = [np.empty(0, np.float32)] * len(ids)

        def answer(group: list[int], engine: Engine) -> None:
            found = engine(padded(features, group, pad_token_id=cast(int, self.tokenizer.pad_token_id or 0)))
            if self.order is not None:
                found = found[..., self.order]
            for row, part in zip(group, found, strict=True):
                scores[row] = part if part.ndim == 1 else part[: lengths[row]]

        if len(groups) >= max(2, num_threads()) and self.together is not None:
            engine, workers = self.together
            list(workers.map(lambda group: answer(group, engine), groups))
        else:
            for group in groups:
                answer(group, self.alone)
        if len(groups) > 1:
            give_back_memory()
        return scores


def find_export(path: str | Path, backend: str, config: PreTrainedConfig) -> Export | None:
    """Return the export that answers for a checkpoint; None when the checkpoint does itself.

    Raises:
        ModelError: There is no such export.
        MissingExtraError: Its runtime is not installed.
        RecipeError: There is no such backend.
    """
    if backend != AUTO:
        parse_backend(backend)
    if is_export(path):
        export = read_export(Path(path).expanduser())
        if backend not in (AUTO, export.name):
            raise ModelError(str(path), f"is an export for {export.name}; it has no other backend")
    else:
        export = _export_within(path, backend, config)
    if export is not None:
        require(BUILTIN[export.backend])
    return export


def _export_within(path: str | Path, backend: str, config: PreTrainedConfig) -> Export | None:
    if backend != AUTO and parse_backend(backend)[0] == "torch":
        return None
    exports = exports_of(path) if Path(path).expanduser().is_dir() else []
    if backend == AUTO:
        here = installed(exports)
        if not here or torch.cuda.is_available():
            return None
        best = fastest(here, vocab_size=config.vocab_size)
        return next(export for export in here if export.name == best)
    name, precision = parse_backend(backend)
    wanted = full_name(name, precision)
    for export in exports:
        if export.name == wanted:
            return export
    there = f" (there is: {', '.join(export.name for export in exports)})" if exports else ""
    raise ModelError(
        str(path),
        f"has no export {wanted}{there}; make it: tinybert export {path} --format {name} --precision "
        f"{precision}",
    )


def batches_of(lengths: NDArray[np.int64], *, batch_size: int) -> Iterator[list[int]]:
    """Yield rows of like length together, the longest first: what they free serves the others.

    Args:
        lengths: Of the rows, in tokens.
        batch_size: Most rows of a batch; fewer where they are longer than 128 tokens.

    Example:
        >>> list(batches_of(np.array([3, 9, 4]), batch_size=2))
        [[1, 2], [0]]
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        rows = max(1, min(batch_size, batch_size * TOKENS_A_ROW // max(longest, 1)))
        yield order[start : start + rows].tolist()
        start += rows


def padded(features: Columns, rows: Sequence[int], *, pad_token_id: int) -> Tokens:
    """Return some encoded rows as tensors of one length, that of the longest, which stands first.

    Args:
        features: ``input_ids`` and maybe ``token_type_ids``.
        rows: Which.
        pad_token_id: What fills the empty positions of ``input_ids``.
    """
    shape = (len(rows), max(2, len(features["input_ids"][rows[0]])))
    ids = np.full(shape, pad_token_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    kinds = np.zeros(shape, dtype=np.int64)
    of_rows = features.get("token_type_ids")
    for place, row in enumerate(rows):
        given = features["input_ids"][row]
        ids[place, : len(given)] = given
        mask[place, : len(given)] = 1
        if of_rows is not None:
            kinds[place, : len(given)] = of_rows[row]
    batch = {"input_ids": ids, "attention_mask": mask}
    return batch if of_rows is None else {**batch, "token_type_ids": kinds}
