"""What a teacher is: something that predicts a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Wanted:
    """What the objective reads of a teacher, and so all that is computed or stored.

    Layers are counted from 1; hidden state 0 is the embedding output.

    Attributes:
        hidden: Hidden states of the encoder.
        scores: Its layers whose attention scores are read.
        vectors: Its layers whose queries, keys and values are read.
        decoder_hidden: Hidden states of the decoder.
        cross_scores: Layers of the decoder whose cross-attention scores are read.
    """

    hidden: tuple[int, ...] = ()
    scores: tuple[int, ...] = ()
    vectors: tuple[int, ...] = ()
    decoder_hidden: tuple[int, ...] = ()
    cross_scores: tuple[int, ...] = ()

    @property
    def logits_only(self) -> bool:
        """True when no intermediate layer is read."""
        return not (self.of_encoder or self.of_decoder)

    @property
    def of_encoder(self) -> bool:
        """True when a layer of the encoder is read."""
        return bool(self.hidden or self.scores or self.vectors)

    @property
    def of_decoder(self) -> bool:
        """True when a layer of the decoder is read."""
        return bool(self.decoder_hidden or self.cross_scores)


@dataclass
class TeacherOutput:
    """A teacher's outputs for one batch, padded like the batch.

    Attributes:
        logits: (B, C) a text, or (B, L, C) a token.
        hidden: index → (B, L, D).
        scores: layer → (B, H, L, L), pre-softmax.
        vectors: layer → (queries, keys, values), each (B, H, L, d).
        decoder_hidden: index → (B, T, D), T tokens of a target.
        cross_scores: layer of the decoder → (B, H, T, L), pre-softmax.
        covered: (B, L), true at the tokens that have an output; None for all.
    """

    logits: Tensor
    hidden: dict[int, Tensor] = field(default_factory=dict)
    scores: dict[int, Tensor] = field(default_factory=dict)
    vectors: dict[int, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict)
    covered: Tensor | None = None
    decoder_hidden: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    cross_scores: dict[int, Tensor] = field(default_factory=dict[int, Tensor])


class Teacher(Protocol):
    """Anything that predicts a batch: a model, its stored outputs, a file of soft labels."""

    def answer(self, batch: dict[str, Tensor]) -> TeacherOutput:
        """Return the outputs for a batch of the collator, on the batch's device."""
        ...
