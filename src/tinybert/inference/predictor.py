"""From texts to predictions, with a checkpoint or one of its exports.

Rows are taken in windows: each is tokenised at once (in parallel, by the tokenizer's own threads), grouped by
length, run batch by batch, and given back in its own order. What a task makes of the scores is in the
task; a backend only brings scores.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from datasets import Dataset
from transformers import PreTrainedConfig

from tinybert.advice import setting
from tinybert.data import LabelScheme, RowFormat, TextRow
from tinybert.data.long_text import num_rows_truncated
from tinybert.data.pooling import pool_scores
from tinybert.errors import DataError, ModelError
from tinybert.inference.backends import (
    BUILTIN,
    Engine,
    Loading,
    Precision,
    Scores,
    Seq2SeqEngine,
    Tokens,
    full_name,
    load_engine,
    load_seq2seq_engine,
    parse_backend,
)
from tinybert.inference.batches import Columns, batches_of, padded
from tinybert.inference.choice import find_export, num_threads
from tinybert.inference.generation_options import Writing, refuse_settings, streamed, writing_of
from tinybert.inference.lengths import length_of_rows, truncating
from tinybert.inference.text_columns import texts_in
from tinybert.inference.writing import stream_text, with_candidates, write_candidates
from tinybert.lookup import AUTO
from tinybert.models import has_task_head, load_config, load_tokenizer, num_positions
from tinybert.models.generation import GenerationSettings, generation_settings_of, load_generation_config
from tinybert.models.label_order import label_mismatch, label_order, output_names
from tinybert.models.memory import give_back_memory
from tinybert.runs import open_run
from tinybert.sources.objects import ArrowStream, LibraryDataset
from tinybert.storage import partial_path
from tinybert.tasks import Outputs, Prediction, Task, WrittenText, notes_of, task_of_config
from tinybert.tasks.text_rows import SUBJECT

CHUNK_ROWS = 1024

AnyEngine = Engine | Seq2SeqEngine


class Predictor:
    """Predicts with a run or any checkpoint that has a task's head. Several threads may use one at a time.

    Args:
        path: A run of ours, a checkpoint folder, an export's folder, or a hub name.
        backend: ``torch``, ``torch-bf16``, or an export that has been made: ``onnx-fp32``, ``onnx-int8``,
            ``openvino-fp32``, ``openvino-bf16``, ``openvino-int8``, ``litert-fp32``, ``litert-int8``.
            ``auto``: the export that a measurement found fastest on this machine, or torch without any.
        batch_size: Rows a batch, fewer where they are long.
        max_length: Longest row or window in tokens; by default what the model was trained with.
        labels: Predict in this label order; by default in the checkpoint's own.
        check: Refuse an export that is damaged or whose checkpoint has changed.
        task: The task of a checkpoint that was trained for one of your own, or its ``package.module:attr``;
            its code is run. By default the checkpoint says which built-in task it is of.
        format: Of the task, with what is read of rows longer than ``max_length``; by default as the model was
            trained.
        generation: Of a model that writes texts, over its own settings: ``max_new_tokens``, ``num_beams``,
            ``length_penalty``, ``no_repeat_ngram_size``, ``do_sample`` with ``temperature``, ``top_p`` and
            ``seed``, and ``num_return``, texts a row. Sampling takes one beam. What is drawn depends on the
            seed and the row alone.

    Attributes:
        backend: The one that was chosen, by its full name.
        num_truncated: Texts so far that were longer than ``max_length`` and were not read whole.
        num_cut: Rows so far of which a text was cut: it had not ended after ``max_new_tokens``.

    Raises:
        ModelError: The checkpoint has no task head, predicts other labels, or is of a task that is not named;
            there is no such export, or it is not of this checkpoint any more.
        MissingExtraError: The backend's runtime is not installed.
        RecipeError: There is no such backend, or settings of generation are wrong.
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
        task: str | Task | None = None,
        format: RowFormat | None = None,
        generation: Mapping[str, object] | None = None,
    ) -> None:
        path = Path(path).expanduser() if str(path).startswith("~") else path
        self.path = path
        self.config = _config_of(path)
        export = find_export(path, backend, self.config)
        if export is not None and check:
            export.check()
        name, precision = parse_backend(export.name if export else "torch" if backend == AUTO else backend)
        self.backend = full_name(name, precision)
        self.runtime = BUILTIN[name]
        self.precision: Precision = precision
        self.place = str(path) if export is None else str(export.folder)
        self.tokenizer = load_tokenizer(path)
        self.batch_size = batch_size
        self.task = task_of_config(self.config, named=task)
        if format is not None:
            self.task = replace(self.task, format=format)
        self.max_length = length_of_rows(max_length, self.tokenizer, self.config, self.task, path=str(path))
        self.settings = {
            name: float(getattr(self.config, name))
            for name in self.task.settings
            if hasattr(self.config, name)
        }
        named = labels if self.task.head.has_labels else None
        self.order = None if named is None else self._order_of(named, str(path))
        named = labels or self.task.format.scheme_of_outputs(
            output_names(self.config.id2label), subject=str(path)
        )
        self.labels = replace(named, foreign=not notes_of(self.config))
        self.num_truncated = self.num_cut = 0
        self.is_pair = notes_of(self.config).get("text_pair") if self._may_be_pair() else None
        self.lock = threading.RLock()
        self.pieces = truncating(self.tokenizer, self.max_length) if self.task.format.truncates else None
        self.writing = self._writing(generation)
        self.alone  # noqa: B018 (a checkpoint that cannot be read is reported now, not at the first text)

    def _order_of(self, labels: LabelScheme, path: str) -> list[int] | None:
        """Return where each label is among the outputs, or None where that is their own order."""
        order = label_order(self.config.id2label, labels)
        if order is None:
            raise ModelError(path, label_mismatch(self.config.id2label, labels))
        return None if order == sorted(order) else order

    def _may_be_pair(self) -> bool:
        """Return whether a row of this task is one text or two, as the data had it."""
        pair = self.task.format.text_pair
        return pair is not None and not pair.required

    def _writing(self, given: Mapping[str, object] | None) -> Writing | None:
        """Return how texts are written: as the model was trained to, but for what is given."""
        if not self.task.writes:
            refuse_settings(given, model=str(self.path), task=self.task.name)
            return None
        own = generation_settings_of(self.config, load_generation_config(self.place), **self.task.search())
        return writing_of(
            own, given, num_positions=num_positions(getattr(self.config, "decoder", self.config))
        )

    @cached_property
    def alone(self) -> AnyEngine:
        """The engine that gives all threads to one batch."""
        return self._load(Loading(num_workers=1, num_threads=num_threads()))

    @cached_property
    def together(self) -> tuple[AnyEngine, ThreadPoolExecutor] | None:
        """The engine that gives a thread to each of several batches, and who hands them over.

        None where only one batch runs at a time. Small matrices do not fill two threads, two batches do.
        """
        workers = num_threads()
        if self.runtime.one_at_a_time or workers == 1:
            return None
        return self._load(Loading(num_workers=workers, num_threads=1)), ThreadPoolExecutor(workers)

    def _together(self) -> tuple[AnyEngine, ThreadPoolExecutor] | None:
        with self.lock:  # made once, whoever comes first
            return self.together

    def _load(self, loading: Loading) -> AnyEngine:
        load = load_seq2seq_engine if self.task.writes else load_engine
        return load(self.runtime, Path(self.place), self.precision, loading)

    def __call__(self, rows: Iterable[TextRow] | ArrowStream | LibraryDataset) -> list[Prediction]:
        """Return one prediction a row, in the order given; see :meth:`stream`."""
        return list(self.stream(rows))

    def stream(self, rows: Iterable[TextRow] | ArrowStream | LibraryDataset) -> Iterator[Prediction]:
        """Yield one prediction a row, in the order given, holding one window of rows in memory.

        Args:
            rows: Texts, pairs or mappings; a table of pandas, polars or pyarrow, one of its columns, an array
                of str, a data set of ``datasets``. See :func:`tinybert.inference.text_columns.texts_in`.

        Raises:
            DataError: Rows are malformed, or are pairs where the model was trained on single texts, or single
                texts where it was trained on pairs; or they are one text, or a table without a known column.
        """
        return self.stream_texts(texts_in(rows, self.task.format, path=self.path))

    def stream_texts(self, rows: Iterable[TextRow]) -> Iterator[Prediction]:
        """Yield one prediction a row, as :meth:`stream`, of texts or rows with the usual columns."""
        iterator = iter(rows)
        while chunk := list(itertools.islice(iterator, CHUNK_ROWS)):
            columns = self.task.format.columns_of(chunk)
            if problem := self.pair_problem(is_pair="text_pair" in columns):
                raise DataError(SUBJECT, problem)
            yield from self.task.decode(self.chunk_outputs(columns), self.labels)

    def pair_problem(self, *, is_pair: bool) -> str | None:
        """Say that rows are not what the model was trained on: pairs, or single texts."""
        if self.is_pair is None or self.is_pair == is_pair:
            return None
        if self.is_pair:
            return "the model was trained on pairs of texts; give the second too: text_pair, or --text-pair"
        return "the model was trained on single texts; omit the second"

    def refuse_other_rows(self, rows: Dataset) -> None:
        """Refuse a split that is not of what the model was trained on.

        Raises:
            DataError: The rows are pairs and the model was trained on single texts, or the other way round.
        """
        if problem := self.pair_problem(is_pair="text_pair" in rows.column_names):
            fix = "" if self.is_pair else f": name the text alone, {setting('data.text')}"
            raise DataError("rows to predict", f"{problem}{fix}")

    def outputs(self, rows: Dataset) -> Outputs:
        """Return what the task reads from the scores of a split, a window of rows at a time.

        Raises:
            DataError: The rows are pairs and the model was trained on single texts, or the other way round.
        """
        self.refuse_other_rows(rows)
        names = [name for name in rows.column_names if name != "label"]
        chosen = rows.select_columns(names)
        starts = range(0, len(rows), CHUNK_ROWS)
        chunks = [self.chunk_outputs(chosen[start : start + CHUNK_ROWS]) for start in starts]
        if chunks and isinstance(chunks[0], np.ndarray):
            return np.concatenate(cast("list[np.ndarray]", chunks))
        return [output for chunk in chunks for output in chunk]

    def logits(self, rows: Sequence[TextRow]) -> np.ndarray:
        """Return the scores (N, C) of whole texts, in their order."""
        return cast(np.ndarray, self.chunk_outputs(self.task.format.columns_of(rows)))

    def chunk_outputs(self, rows: Columns) -> Outputs:
        """Return what the task reads from the scores of some rows, in their order."""
        features = self.encode(rows)
        scores: list[Any] = self.write(features) if self.task.writes else self.run(features)
        pooling = self.task.format.pooling
        if pooling is not None:
            scores = pool_scores(scores, features["example"], pooling=pooling)
        return self.task.aggregate(scores, features, rows, labels=self.labels, settings=self.settings)

    def encode(self, rows: Columns) -> Columns:
        """Return the token columns of some rows: whole texts, or the windows of long ones."""
        if self.pieces is None or not self.task.format.is_cut_at_its_end(rows):
            with self.lock:  # cutting windows changes the tokenizer's settings
                features = self.task.format.encode(self.tokenizer, rows, max_length=self.max_length)
                self.num_truncated += num_rows_truncated(features)
            return features
        pairs = rows.get("text_pair")
        texts = list(rows["text"]) if pairs is None else list(zip(rows["text"], pairs, strict=True))
        found = self.pieces.encode_batch_fast(texts)
        columns: dict[str, list[list[int]]] = {"input_ids": [each.ids for each in found]}
        if "token_type_ids" in self.tokenizer.model_input_names:
            columns["token_type_ids"] = [each.type_ids for each in found]
        truncated = sum(len(each.ids) == self.max_length and bool(each.overflowing) for each in found)
        with self.lock:
            self.num_truncated += truncated
        return columns

    def run(self, features: Columns) -> list[Scores]:
        """Return the scores of encoded rows, one array each, in their order."""
        ids = features["input_ids"]
        lengths = np.array([len(row) for row in ids])
        groups = list(batches_of(lengths, batch_size=self.batch_size))
        scores: list[Scores] = [np.empty(0, np.float32)] * len(ids)

        def score(group: list[int], engine: AnyEngine) -> None:
            found = cast(Engine, engine)(
                padded(features, group, pad_token_id=cast(int, self.tokenizer.pad_token_id or 0))
            )
            if self.order is not None:
                found = found[..., self.order]
            for row, part in zip(group, found, strict=True):
                scores[row] = part if part.ndim == 1 else part[: lengths[row]]

        self._each(groups, score)
        return scores

    @property
    def generation(self) -> GenerationSettings | None:
        """How texts are written; None where none are."""
        return None if self.writing is None else self.writing.settings

    def write(self, features: Columns) -> list[WrittenText]:
        """Return the text that is written of each encoded row, in their order."""
        num_return = cast(Writing, self.writing).num_return
        found = self.candidates(features, num_return=num_return)
        with self.lock:
            self.num_cut += sum(not all(each.is_finished for each in candidates) for candidates in found)
        return [each[0] if num_return == 1 else with_candidates(each) for each in found]

    def candidates(self, features: Columns, *, num_return: int = 1) -> list[list[WrittenText]]:
        """Return the best texts of each encoded row, the likeliest first; no more than there are beams."""
        how, lengths = cast(Writing, self.writing), [*map(len, features["input_ids"])]
        groups = list(batches_of(np.array(lengths), batch_size=self.batch_size))
        texts: dict[int, list[WrittenText]] = {}

        def write(group: list[int], engine: AnyEngine) -> None:
            batch = padded(features, group, pad_token_id=how.settings.pad_token_id)
            run = cast(Seq2SeqEngine, engine)
            found = write_candidates(
                run, batch, how.settings, self.tokenizer, num_return=num_return, seed=how.seed
            )
            texts.update(zip(group, found, strict=True))

        self._each(groups, write)
        return [texts[row] for row in range(len(lengths))]

    def write_stream(self, text: TextRow) -> Generator[str, None, WrittenText]:
        """Return an iterator over the pieces of one row's text, as they are written.

        The pieces joined are the text that a predictor with ``num_beams`` of 1 writes. The generator returns
        the whole prediction.

        Raises:
            DataError: The row is malformed.
            RecipeError: The model writes no texts, or several beams or texts were asked for.
        """
        how = streamed(self.writing, model=str(self.path), task=self.task.name)
        features = self.encode(self.task.format.columns_of([text]))
        batch = padded(features, [0], pad_token_id=how.settings.pad_token_id)
        return self._pieces_of(batch, how)

    def _pieces_of(self, batch: Tokens, how: Writing) -> Generator[str, None, WrittenText]:
        engine = cast(Seq2SeqEngine, self.alone)
        written = yield from stream_text(engine, batch, how.settings, self.tokenizer, seed=how.seed)
        with self.lock:
            self.num_cut += not written.is_finished
        return written

    def _each(self, groups: Sequence[list[int]], work: Callable[[list[int], AnyEngine], None]) -> None:
        """Run every group of rows: several at a time where a thread each is faster."""
        together = self._together() if len(groups) >= max(2, num_threads()) else None
        if together is not None:
            engine, workers = together
            list(workers.map(lambda group: work(group, engine), groups))
        else:
            for group in groups:
                work(group, self.alone)
        if len(groups) > 1:
            give_back_memory()


def _config_of(path: str | Path) -> PreTrainedConfig:
    """Return a checkpoint's config, once it is known to have a task's head."""
    if not Path(path).exists() and partial_path(Path(path)).exists():
        open_run(path)  # says that the run is not finished, instead of asking the hub for it
    config = load_config(path)
    if not has_task_head(config):
        raise ModelError(str(path), "has no task head, so it cannot predict; fine-tune or distil it first")
    return config
