"""What a teacher is: something that predicts a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Wanted:
    """What the objective reads of a teacher, and so all that is computed or stored.

    Layers are counted from 1; hidden state 0 is the embedding output.
    """

    hidden: tuple[int, ...] = ()
    scores: tuple[int, ...] = ()
    vectors: tuple[int, ...] = ()

    @property
    def logits_only(self) -> bool:
        """True when no intermediate layer is read."""
        return not (self.hidden or self.scores or self.vectors)


@dataclass
class TeacherOutput:
    """A teacher's outputs for one batch, padded like the batch.

    Attributes:
        logits: (B, C) a text, or (B, L, C) a token.
        hidden: index → (B, L, D).
        scores: layer → (B, H, L, L), pre-softmax.
        vectors: layer → (queries, keys, values), each (B, H, L, d).
        covered: (B, L), true at the tokens that have an output; None for all.
    """

    logits: Tensor
    hidden: dict[int, Tensor] = field(default_factory=dict)
    scores: dict[int, Tensor] = field(default_factory=dict)
    vectors: dict[int, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict)
    covered: Tensor | None = None


class Teacher(Protocol):
    """Anything that predicts a batch: a model, its stored outputs, a file of soft labels."""

    def answer(self, batch: dict[str, Tensor]) -> TeacherOutput:
        """Return the outputs for a batch of the collator, on the batch's device."""
        ...
