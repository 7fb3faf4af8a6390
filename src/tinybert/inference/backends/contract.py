"""What a backend is: it writes a graph to a file, loads it, and predicts batches of tokens.

Shapes: B rows, L tokens of a padded row, C outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tinybert.inference.graph import Graph

Precision = Literal["fp32", "bf16", "int8"]
Tokens = Mapping[str, NDArray[np.int64]]
"""``input_ids``, ``attention_mask`` and maybe ``token_type_ids``, each (B, L)."""

Scores = NDArray[np.float32]
Engine = Callable[[Tokens], Scores]
"""A loaded model: tokens → (B, C), (B, L, C), or (B, L, 2) where answers begin and end."""


class Decoder(Protocol):
    """The decoder over one encoded batch, with its key–value cache. R rows: at first those of the batch."""

    def step(self, tokens: NDArray[np.int64]) -> Scores:
        """Read one more token a row, (R,), and return the logits of the next one, (R, V)."""
        ...

    def select(self, rows: NDArray[np.int64]) -> None:
        """Continue with these rows, in this order: some may be left out, some may come several times."""
        ...


Seq2SeqEngine = Callable[[Tokens], Decoder]
"""A loaded encoder and decoder: tokens → the encoder is run, and its decoder made ready."""

IN_FULL = ("nothing", "the head and the last layer", "the head, the first and the last layer")
"""What int8 may leave in fp32, in the order in which it is tried."""


@dataclass(frozen=True)
class ExportJob:
    """One export to be made.

    Attributes:
        graph: What is written.
        folder: Where to.
        work: Where what several attempts share is kept; the caller's, and the caller's to clear away.
        precision: Of its matrices.
        calibration: Batches of real rows, to read the range of activations from.
        in_full: Which of ``IN_FULL`` stays in fp32.
        max_length: Longest row in tokens that the model was trained with.
    """

    graph: Graph
    folder: Path
    work: Path
    precision: Precision
    calibration: Sequence[Tokens] = ()
    in_full: int = 0
    max_length: int = 512


@dataclass(frozen=True)
class Seq2SeqJob:
    """One export of an encoder–decoder to be made.

    Attributes:
        model: What is written.
        folder: Where to.
        work: Where what is made on the way is kept.
        precision: Of its matrices.
    """

    model: PreTrainedModel
    folder: Path
    work: Path
    precision: Precision
    in_full: ClassVar[int] = 0


@dataclass(frozen=True)
class Loading:
    """How a model is loaded.

    Attributes:
        num_workers: Batches that are run at a time, by as many threads of the caller.
        num_threads: That one batch may use.
    """

    num_workers: int
    num_threads: int


@dataclass(frozen=True, kw_only=True)
class Backend:
    """One runtime.

    Attributes:
        precisions: What it can be asked for.
        package: What is imported to load; None for torch itself.
        writes_with: What is imported besides to write.
        extra: The extra of tinybert that brings it.
        files: Precision → the model's file, below the export's folder.
        write: Writes the model's file.
        load: ``(folder, precision, loading) -> engine``.
        load_seq2seq: The same for an encoder–decoder; None where it cannot.
        seq2seq_files: Precision → the files of an encoder–decoder, the encoder's first.
        write_seq2seq: ``(model, folder, work, precision)``: writes them; None where it cannot.
        one_at_a_time: A second batch waits until the first is done.
        mixes: Its int8 can leave layers in fp32.
    """

    precisions: tuple[Precision, ...]
    load: Callable[[Path, Precision, Loading], Engine]
    write: Callable[[ExportJob], None] | None = None
    package: str | None = None
    writes_with: tuple[str, ...] = ()
    extra: str | None = None
    files: Mapping[Precision, str] = field(default_factory=dict[Precision, str])
    load_seq2seq: Callable[[Path, Precision, Loading], Seq2SeqEngine] | None = None
    seq2seq_files: Mapping[Precision, tuple[str, ...]] = field(
        default_factory=dict["Precision", tuple[str, ...]]
    )
    write_seq2seq: Callable[[PreTrainedModel, Path, Path, Precision], None] | None = None
    one_at_a_time: bool = False
    mixes: bool = False

    def model_files(self, precision: Precision, *, writes: bool) -> tuple[str, ...]:
        """Return a model's files below its export's folder; of torch none: it reads a checkpoint.

        Args:
            precision: Of the export.
            writes: It is an encoder–decoder, which has several.
        """
        if writes:
            return self.seq2seq_files.get(precision, ())
        return (self.files[precision],) if precision in self.files else ()


def stacked(outputs: Sequence[Scores]) -> Scores:
    """Return what a graph outputs as one array: its only output, or those of where answers begin and end."""
    return outputs[0] if len(outputs) == 1 else np.stack(outputs, axis=-1)
