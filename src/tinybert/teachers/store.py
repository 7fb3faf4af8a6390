"""The teacher store: a teacher's outputs for every training row, computed once.

One folder a question. Its name is a hash of the request: the teacher's weights, the tokens of every
row, and the layers wanted. In it, shards of 1,024 rows as safetensors, written under a temporary name and
renamed, so that a killed run leaves whole shards and the next run continues after them. Rows have their own
lengths; nothing is padded on disk. Shards are memory-mapped: epochs, sweeps and ensembles read them, and
the teacher leaves memory.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tinybert.checksums import is_kept, record_file
from tinybert.errors import RunError
from tinybert.storage import LOCK, hold, lock, whole
from tinybert.teachers.teacher import Teacher, TeacherOutput, Wanted

SHARD_ROWS = 1024
BATCH_ROWS = 32
STORED_DTYPE = torch.float16

Shard = dict[str, Tensor]


@dataclass(frozen=True)
class TeacherShape:
    """What a size estimate needs to know of a teacher."""

    num_labels: int
    hidden_size: int
    num_attention_heads: int
    every_token: bool = False


def estimate_mb(lengths: np.ndarray, shape: TeacherShape, wanted: Wanted) -> float:
    """Return the disk a store would take, in MB, without running the teacher.

    Args:
        lengths: (N,) tokens of each row.
        shape: The teacher's widths.
        wanted: The layers wanted.
    """
    tokens, pairs = float(lengths.sum()), float((lengths.astype(np.float64) ** 2).sum())
    per_token = (len(wanted.hidden) + 3 * len(wanted.vectors)) * shape.hidden_size
    per_pair = len(wanted.scores) * shape.num_attention_heads
    num_outputs = tokens if shape.every_token else len(lengths)
    return (4 * shape.num_labels * num_outputs + 2 * (tokens * per_token + pairs * per_pair)) / 1e6


def store_key(
    weights_digest: str, rows: Dataset, wanted: Wanted, *, prefix: str = "", with_labels: bool = False
) -> str:
    """Return the name of the folder that holds the outputs for exactly this request.

    Args:
        weights_digest: Of the teacher.
        rows: Encoded.
        wanted: The layers wanted.
        prefix: Of the columns that the teacher reads.
        with_labels: It reads the labels too, as a decoder does.
    """
    digest = hashlib.sha256(f"2|{weights_digest}|{wanted}".encode())
    columns = [
        name for name in (prefix + "input_ids", prefix + "token_type_ids") if name in rows.column_names
    ] + (["labels"] if with_labels else [])
    for chunk in rows.select_columns(columns).with_format("arrow").iter(batch_size=4096):
        for column in cast(pa.Table, chunk).columns:
            for ids in column.to_pylist():
                digest.update(np.asarray([len(ids), *ids], dtype=np.int32).tobytes())
    return digest.hexdigest()[:24]


class TeacherStore:
    """A folder of outputs that is read like a teacher.

    Args:
        folder: The folder, named by :func:`store_key`.
        num_rows: Rows of the training split.
        wanted: What is stored.
    """

    def __init__(self, folder: Path, *, num_rows: int, wanted: Wanted) -> None:
        self.folder = folder
        self.num_rows = num_rows
        self.wanted = wanted
        self._shards: dict[int, Shard] = {}

    def fill(
        self,
        teacher: Teacher,
        rows: Dataset,
        collator: Callable[[list[dict[str, object]]], dict[str, Tensor]],
        *,
        prefix: str = "",
        on_rows: Callable[[int], object] = lambda count: None,
    ) -> None:
        """Run the teacher on every row that no whole shard holds yet.

        Args:
            teacher: The teacher.
            rows: Encoded rows in their own order.
            collator: Rows to a padded batch.
            prefix: Of the columns the teacher reads.
            on_rows: Called with the number of rows just done, for a progress bar.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        held = hold(self.folder / LOCK, subject=str(self.folder), waits=True, shared=True)
        if held is not None:  # no other process deletes it for as long as this object lives
            weakref.finalize(self, held.close)
        os.utime(self.folder)  # used just now: make_room takes it last
        for number, start in enumerate(range(0, self.num_rows, SHARD_ROWS)):
            count = min(SHARD_ROWS, self.num_rows - start)
            if not self._is_whole(number):
                shard_rows = rows.select(range(start, start + count))
                _write(self._path(number), self._make(teacher, shard_rows, collator, prefix))
                record_file(self._path(number))
            on_rows(count)

    def _make(
        self,
        teacher: Teacher,
        rows: Dataset,
        collator: Callable[[list[dict[str, object]]], dict[str, Tensor]],
        prefix: str,
    ) -> Shard:
        return _shard_of(teacher, rows, collator, prefix)

    def answer(self, batch: dict[str, Tensor]) -> TeacherOutput:
        """Return the stored outputs for the batch's rows, padded to its longest."""
        device = batch["row"].device
        entries = [self._entry(row) for row in batch["row"].tolist()]
        length = max(entry.length for entry in entries)
        logits = [entry.logits for entry in entries]
        stacked = _pad_tokens(logits, length) if logits[0].dim() == 2 else torch.stack(logits)
        output = TeacherOutput(stacked.to(device))
        if self.wanted.hidden:
            padded = _pad_tokens([entry.hidden for entry in entries if entry.hidden is not None], length)
            output.hidden = {index: padded[:, :, i].to(device) for i, index in enumerate(self.wanted.hidden)}
        if self.wanted.vectors:
            padded = _pad_tokens([entry.vectors for entry in entries if entry.vectors is not None], length)
            for i, layer in enumerate(self.wanted.vectors):
                q, k, v = (padded[:, :, i, part].transpose(1, 2).to(device) for part in range(3))
                output.vectors[layer] = (q, k, v)
        if self.wanted.scores:
            padded = _pad_pairs([entry.scores for entry in entries if entry.scores is not None], length)
            output.scores = {layer: padded[:, i].to(device) for i, layer in enumerate(self.wanted.scores)}
        return output

    def _is_whole(self, number: int) -> bool:
        """Return whether a shard is there as it was written; an older one must open and be long enough."""
        if not is_kept(self._path(number)):
            return False
        try:
            with safe_open(self._path(number), "pt"):
                return True
        except SafetensorError:
            return False

    def _path(self, number: int) -> Path:
        return self.folder / f"shard-{number:05d}.safetensors"

    def _shard(self, number: int) -> Shard:
        if number not in self._shards:
            with safe_open(self._path(number), framework="pt") as file:
                self._shards[number] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return self._shards[number]

    def _entry(self, row: int) -> _Entry:
        shard = self._shard(row // SHARD_ROWS)
        i = row % SHARD_ROWS
        length = int(shard["length"][i])
        token, pair = int(shard["token_start"][i]), int(shard["pair_start"][i])
        scores = shard.get("scores")
        if scores is not None:
            flat = scores[pair : pair + length * length]
            scores = flat.view(length, length, *flat.shape[1:])
        hidden, vectors = shard.get("hidden"), shard.get("vectors")
        return _Entry(
            logits=shard["logits"][i] if "logits" in shard else shard["token_logits"][token : token + length],
            length=length,
            hidden=None if hidden is None else hidden[token : token + length],
            vectors=None if vectors is None else vectors[token : token + length],
            scores=scores,
        )


@dataclass(frozen=True)
class _Entry:
    logits: Tensor  # (C,) or (L, C)
    length: int
    hidden: Tensor | None  # (L, K, D)
    vectors: Tensor | None  # (L, K, 3, H, d)
    scores: Tensor | None  # (L, L, K, H)


def make_room(stores: Path, needed_mb: float, budget_mb: float, *, keep: Path) -> bool:
    """Delete the stores longest unused until a new one fits the budget; False when it cannot.

    A store that another process reads is kept.
    """
    if needed_mb > budget_mb:
        return False
    others = [path for path in stores.glob("*") if path.is_dir() and path != keep]
    others.sort(key=lambda path: path.stat().st_mtime)
    used = {path: sum(file.stat().st_size for file in path.glob("*")) / 1e6 for path in others}
    for path in others:
        if sum(used.values()) + needed_mb <= budget_mb:
            break
        if not _is_held(path):
            shutil.rmtree(path, ignore_errors=True)
            del used[path]
    return sum(used.values()) + needed_mb <= budget_mb


def _is_held(folder: Path) -> bool:
    try:
        held = lock(folder, subject=str(folder))
    except RunError:
        return True
    if held is not None:
        held.close()
    return False


def _shard_of(
    teacher: Teacher,
    rows: Dataset,
    collator: Callable[[list[dict[str, object]]], dict[str, Tensor]],
    prefix: str,
) -> Shard:
    """Predict a shard's rows, grouped by length, and lay them down in row order."""
    ids_column = prefix + "input_ids"
    lengths = np.asarray([len(ids) for ids in rows[ids_column]])
    order = np.argsort(lengths, kind="stable")
    pieces: dict[int, _Entry] = {}
    for start in range(0, len(order), BATCH_ROWS):
        indices = order[start : start + BATCH_ROWS]
        batch = collator([rows[int(i)] for i in indices])
        for i, entry in zip(indices, _split(teacher.answer(batch), lengths[indices]), strict=True):
            pieces[int(i)] = entry
    entries = [pieces[i] for i in range(len(rows))]
    logits = [entry.logits for entry in entries]
    per_token = logits[0].dim() == 2
    shard: Shard = {
        "token_logits" if per_token else "logits": torch.cat(logits) if per_token else torch.stack(logits),
        "length": torch.tensor(lengths, dtype=torch.int64),
        "token_start": torch.tensor(np.concatenate([[0], np.cumsum(lengths)[:-1]]), dtype=torch.int64),
        "pair_start": torch.tensor(np.concatenate([[0], np.cumsum(lengths**2)[:-1]]), dtype=torch.int64),
    }
    for name in ("hidden", "vectors"):
        parts = [part for entry in entries if (part := getattr(entry, name)) is not None]
        if parts:
            shard[name] = torch.cat(parts)
    scores = [entry.scores.flatten(0, 1) for entry in entries if entry.scores is not None]
    if scores:
        shard["scores"] = torch.cat(scores)
    return shard


def _split(output: TeacherOutput, lengths: np.ndarray) -> Iterator[_Entry]:
    """Cut a padded output into rows of their own length, on the CPU, in the stored dtype."""
    logits = output.logits.float().cpu()
    hidden = _stored(torch.stack(list(output.hidden.values()), dim=2)) if output.hidden else None
    scores = _stored(torch.stack(list(output.scores.values()), dim=1)) if output.scores else None
    vectors = None
    if output.vectors:
        layers = [torch.stack(parts, dim=1) for parts in output.vectors.values()]  # (B, 3, H, L, d)
        vectors = _stored(torch.stack(layers, dim=1)).permute(0, 4, 1, 2, 3, 5)  # (B, L, K, 3, H, d)
    for i, length in enumerate(lengths.tolist()):
        yield _Entry(
            logits=logits[i] if logits.dim() == 2 else logits[i, :length],
            length=length,
            hidden=None if hidden is None else hidden[i, :length],
            vectors=None if vectors is None else vectors[i, :length],
            scores=None if scores is None else scores[i, :, :, :length, :length].permute(2, 3, 0, 1),
        )


def _stored(tensor: Tensor) -> Tensor:
    limit = torch.finfo(STORED_DTYPE).max
    return tensor.float().clamp(-limit, limit).to(STORED_DTYPE).cpu()


def _write(path: Path, shard: Shard) -> None:
    with whole(path) as partial:
        save_file({name: tensor.contiguous() for name, tensor in shard.items()}, partial)


def _pad_tokens(rows: list[Tensor], length: int) -> Tensor:
    """Stack (L_i, …) rows into (B, L, …), zeros after each end."""
    padded = rows[0].new_zeros((len(rows), length, *rows[0].shape[1:]))
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return padded


def _pad_pairs(rows: list[Tensor], length: int) -> Tensor:
    """Stack (L_i, L_i, K, H) rows into (B, K, H, L, L), zeros outside."""
    padded = rows[0].new_zeros((len(rows), length, length, *rows[0].shape[2:]))
    for i, row in enumerate(rows):
        padded[i, : len(row), : len(row)] = row
    return padded.permute(0, 3, 4, 1, 2)
