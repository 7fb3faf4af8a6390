"""A teacher with another tokenizer: its outputs laid over the student's pieces.

Shapes: B windows, S the student's pieces, T the teacher's pieces, C classes, D width, H heads.

Both tokenizers cut the same characters. Each piece of the student takes the mean of the teacher's pieces over
it, weighted by the characters they share; special tokens take the special tokens at the same end. Where the
cuts agree this changes nothing; where the teacher cuts finer it is a mean; where it cuts coarser, several
pieces of the student take the same output.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tinybert.teachers.teacher import Teacher, TeacherOutput

UNCOVERED = -1e4


class PooledTeacher:
    """Outputs as if the teacher had read the student's pieces.

    Args:
        teacher: The teacher, on the pieces of its own tokenizer.
        prefix: Of its columns in a batch.
    """

    def __init__(self, teacher: Teacher, *, prefix: str) -> None:
        self.teacher = teacher
        self.prefix = prefix

    def answer(self, batch: dict[str, Tensor]) -> TeacherOutput:
        """Return the pooled output; ``covered`` says which of the student's pieces have one.

        Hidden states, attention scores (on both sides), queries, keys and values are pooled, and so are the
        scores of tokens. Scores of a whole text are unchanged.
        """
        output = self.teacher.answer(batch)
        weights_BST = pooling(batch, self.prefix)
        covered_BS = weights_BST.sum(-1) > 0
        logits = output.logits
        if logits.dim() == 3:
            logits = _over(weights_BST, logits).masked_fill(~covered_BS[..., None], UNCOVERED)
        return TeacherOutput(
            logits,
            {index: _over(weights_BST, hidden) for index, hidden in output.hidden.items()},
            {layer: _both_sides(weights_BST, scores) for layer, scores in output.scores.items()},
            {
                layer: tuple(_over(weights_BST[:, None], part) for part in parts)  # pyright: ignore[reportArgumentType]
                for layer, parts in output.vectors.items()
            },
            covered_BS,
        )


def pooling(batch: dict[str, Tensor], prefix: str) -> Tensor:
    """Return the teacher's pieces' weights (B, S, T) in each of the student's; they add up to 1 or 0."""
    starts_BS, ends_BS = batch["piece_starts"], batch["piece_ends"]
    starts_BT, ends_BT = batch[prefix + "piece_starts"], batch[prefix + "piece_ends"]
    shared_BST = torch.minimum(ends_BS[:, :, None], ends_BT[:, None, :]) - torch.maximum(
        starts_BS[:, :, None], starts_BT[:, None, :]
    )
    both_BST = (starts_BS >= 0)[:, :, None] & (starts_BT >= 0)[:, None, :]
    weights_BST = (shared_BST.clamp(min=0) * both_BST).float()
    weights_BST += _special(batch, starts_BS, starts_BT, prefix)
    return weights_BST / weights_BST.sum(-1, keepdim=True).clamp(min=1e-9)


def _special(batch: dict[str, Tensor], starts_BS: Tensor, starts_BT: Tensor, prefix: str) -> Tensor:
    """Match special tokens from both ends: the first with the first, the last with the last."""
    own_BS = (starts_BS < 0) & batch["attention_mask"].bool()
    their_BT = (starts_BT < 0) & batch[prefix + "attention_mask"].bool()
    rank_BS, rank_BT = own_BS.cumsum(1) - 1, their_BT.cumsum(1) - 1
    last_B1, their_last_B1 = (each.sum(1, keepdim=True) - 1 for each in (own_BS, their_BT))
    wanted_BS = (rank_BS * their_last_B1 / last_B1.clamp(min=1)).round().long()
    same_BST = wanted_BS[:, :, None] == rank_BT[:, None, :]
    return (same_BST & own_BS[:, :, None] & their_BT[:, None, :]).float()


def _over(weights: Tensor, values: Tensor) -> Tensor:
    return weights @ values.float()


def _both_sides(weights_BST: Tensor, scores_BHTT: Tensor) -> Tensor:
    weights_B1ST = weights_BST[:, None]
    return weights_B1ST @ scores_BHTT.float() @ weights_B1ST.transpose(2, 3)
