"""The store of a teacher that writes: for each token of each target, the likeliest tokens in its place.

A whole distribution has an entry a piece of the vocabulary: 20 GB for 29,000 sentences. Kept are the 32
likeliest tokens with their log-probabilities; what is left of the probability is spread evenly over the
others when it is read, which is exact for the part of it that label smoothing has spread.

Shapes: B rows, T tokens of a target, N target tokens of a shard end to end, K tokens kept, V pieces.

Source: word-level distillation, arXiv:1606.07947, section 3.1; keeping the likeliest, arXiv:1902.10461
(there 8, scaled to add up to 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from tinybert.teachers.store import BATCH_ROWS, Shard, TeacherStore
from tinybert.teachers.teacher import Teacher, TeacherOutput

NUM_KEPT = 32
SHARD_ROWS = 1024
BYTES_A_TOKEN = 4 + 2
"""Of one token that is kept: its number, and its log-probability."""


def estimate_targets_mb(lengths: Sequence[int]) -> float:
    """Return the disk that a store takes for targets of these lengths, in MB."""
    return sum(lengths) * NUM_KEPT * BYTES_A_TOKEN / 1e6


class TargetStore(TeacherStore):
    """A folder of likeliest tokens that is read like a teacher; see :class:`TeacherStore`."""

    def _make(
        self,
        teacher: Teacher,
        rows: Dataset,
        collator: Callable[[list[dict[str, object]]], dict[str, Tensor]],
        prefix: str,
    ) -> Shard:
        lengths = np.asarray([len(ids) for ids in rows["labels"]])
        order = np.argsort(lengths, kind="stable")
        ids: dict[int, Tensor] = {}
        log_probs: dict[int, Tensor] = {}
        num_pieces = 0
        for start in range(0, len(order), BATCH_ROWS):
            indices = order[start : start + BATCH_ROWS]
            batch = collator([rows[int(index)] for index in indices])
            logits_BTV = teacher.answer(batch).logits.float().cpu()
            num_pieces = logits_BTV.shape[-1]
            best = logits_BTV.log_softmax(-1).topk(min(NUM_KEPT, num_pieces), dim=-1)
            for at, index in enumerate(indices.tolist()):
                length = int(lengths[index])
                ids[index] = best.indices[at, :length].to(torch.int32)
                log_probs[index] = best.values[at, :length].clamp(min=-60000).to(torch.float16)
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        return {
            "ids": torch.cat([ids[index] for index in range(len(rows))]),
            "log_probs": torch.cat([log_probs[index] for index in range(len(rows))]),
            "start": torch.tensor(starts, dtype=torch.int64),
            "length": torch.tensor(lengths, dtype=torch.int64),
            "num_pieces": torch.tensor([num_pieces]),
        }

    def answer(self, batch: dict[str, Tensor]) -> TeacherOutput:
        """Return the stored distributions as logits (B, T, V), zero behind the end of each target."""
        rows, longest = batch["row"].tolist(), batch["labels"].shape[1]
        num_pieces = int(self._shard(rows[0] // SHARD_ROWS)["num_pieces"])
        logits_BTV = torch.zeros(len(rows), longest, num_pieces)
        for at, row in enumerate(rows):
            shard = self._shard(row // SHARD_ROWS)
            start, length = (int(shard[name][row % SHARD_ROWS]) for name in ("start", "length"))
            logits_BTV[at, :length] = spread(
                shard["ids"][start : start + length].long(),
                shard["log_probs"][start : start + length].float(),
                num_pieces=num_pieces,
            )
        return TeacherOutput(logits_BTV.to(batch["row"].device))


def spread(ids_TK: Tensor, log_probs_TK: Tensor, *, num_pieces: int) -> Tensor:
    """Return whole log-distributions (T, V): what the kept tokens leave over is even among the others.

    Example:
        >>> spread(torch.tensor([[2]]), torch.tensor([[0.5]]).log(), num_pieces=3).exp().tolist()
        [[0.25, 0.25, 0.5]]
    """
    num_others = num_pieces - ids_TK.shape[-1]
    rest_T1 = (1 - log_probs_TK.exp().sum(-1, keepdim=True)).clamp(min=1e-9)
    even_T1 = rest_T1.log() - (math.log(num_others) if num_others else 0.0)
    return even_T1.repeat(1, num_pieces).scatter(-1, ids_TK, log_probs_TK)
