"""Record what an objective reads from inside a model, and nothing else.

Shapes: B rows, H heads, L tokens, D width, d width of a head.

The attention function of :mod:`tinybert.models.attention` hands over the pre-softmax scores of the wanted
layers; the other layers pay nothing. Hidden states come from forward hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import TracebackType

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tinybert.errors import ModelError
from tinybert.models.attention import NAME, Recorder, recorders
from tinybert.models.families import blocks, encoder
from tinybert.models.kernel import switch_attention


@dataclass
class Captured:
    """What one forward left behind. Layers are counted from 1; hidden state 0 is the embedding output.

    Attributes:
        scores: Layer → raw attention scores (B, H, L, L), before mask and softmax: QKᵀ/√d, in MPNet with the
            bias of relative positions, which goes into the softmax with them.
        hidden: Index → hidden states (B, L, D).
        vectors: Layer → queries, keys and values, each (B, H, L, d); no bias is in them.
        decoder_hidden: Index → hidden states of a decoder (B, T, D), T tokens of a target.
        cross_scores: Layer of a decoder → raw cross-attention scores (B, H, T, L).
    """

    scores: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    hidden: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    vectors: dict[int, tuple[Tensor, Tensor, Tensor]] = field(
        default_factory=dict[int, tuple[Tensor, Tensor, Tensor]]
    )
    decoder_hidden: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    cross_scores: dict[int, Tensor] = field(default_factory=dict[int, Tensor])


class Recording:
    """What any capture does when it is entered and left: hooks, recorders of attention, our kernel.

    Args:
        model: Whose attention is switched to our kernel where some of it is recorded.
    """

    def __init__(self, model: nn.Module) -> None:
        self._switched = model
        self._handles: list[RemovableHandle] = []
        self._recorded: list[nn.Module] = []
        self._implementation: str | None = None

    def enter(self, recorded: Mapping[nn.Module, Recorder]) -> None:
        """Record these attention modules from now on.

        Raises:
            ModelError: One of them is being recorded already.
        """
        if any(module in recorders for module in recorded):
            raise ModelError(
                "capture", "this model is already being captured; ask for everything in one capture"
            )
        recorders.update(recorded)
        self._recorded = list(recorded)
        if recorded:
            self._implementation = switch_attention(self._switched, NAME)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if self._implementation is not None:
            switch_attention(self._switched, self._implementation)
            self._implementation = None
        for module in self._recorded:
            recorders.pop(module, None)
        self._recorded = []


class Capture(Recording):
    """A context in which a model's forward leaves the wanted tensors behind.

    Build it once and enter it at every step. Gradients flow through what is captured. A teacher and a student
    may be captured at the same time; the model is as before on leaving. Nothing is detached or copied: a
    captured tensor has the dtype that the forward used (bfloat16 under autocast).

    Args:
        model: A supported encoder, bare or with a head.
        scores: Layers whose raw scores are wanted, counted from 1.
        hidden: Hidden states wanted, 0 to N.
        vectors: Layers whose queries, keys and values are wanted, counted from 1.

    Raises:
        ModelError: The family is not supported, or a layer does not exist.

    Example:
        ``with capture(student, hidden=[0, 4]) as taken: student(**batch)``, then read ``taken.hidden[4]``.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        scores: Collection[int] = (),
        hidden: Collection[int] = (),
        vectors: Collection[int] = (),
    ) -> None:
        super().__init__(encoder(model))
        self._blocks = blocks(model)
        self._scores, self._hidden, self._vectors = frozenset(scores), frozenset(hidden), frozenset(vectors)
        self._check()

    def _check(self) -> None:
        last = len(self._blocks)
        wanted = [("scores", self._scores, 1), ("hidden", self._hidden, 0), ("vectors", self._vectors, 1)]
        problems = [
            f"{what}[{index}]: this encoder of {last} layers has {first} to {last}"
            for what, indices, first in wanted
            for index in sorted(indices)
            if not first <= index <= last
        ]
        if problems:
            raise ModelError("capture", problems)

    def __enter__(self) -> Captured:
        taken = Captured()
        wanted = sorted(self._scores | self._vectors)
        self.enter({self._blocks[layer - 1].attention: self._recorder(layer, taken) for layer in wanted})
        self._handles = [self._hook(index, taken) for index in sorted(self._hidden)]
        return taken

    def _recorder(self, layer: int, taken: Captured) -> Recorder:
        def record(
            q_BHLd: Tensor,
            k_BHLd: Tensor,
            v_BHLd: Tensor,
            raw_scores: Callable[[], Tensor],
        ) -> None:
            if layer in self._scores:
                taken.scores[layer] = raw_scores()
            if layer in self._vectors:
                taken.vectors[layer] = (q_BHLd, k_BHLd, v_BHLd)

        return record

    def _hook(self, index: int, taken: Captured) -> RemovableHandle:
        if (
            index == 0
        ):  # the input of the first layer: also right where embeddings are widened first (ELECTRA)

            def before(_module: nn.Module, args: tuple[Tensor, ...]) -> None:
                taken.hidden[0] = args[0]

            return self._blocks[0].module.register_forward_pre_hook(before)

        def after(_module: nn.Module, _args: tuple[Tensor, ...], output: Tensor | tuple[Tensor, ...]) -> None:
            taken.hidden[index] = output if isinstance(output, Tensor) else output[0]

        return self._blocks[index - 1].module.register_forward_hook(after)


def capture(
    model: nn.Module,
    *,
    scores: Collection[int] = (),
    hidden: Collection[int] = (),
    vectors: Collection[int] = (),
) -> Capture:
    """Make a `Capture` to enter at once; the arguments are those of the class."""
    return Capture(model, scores=scores, hidden=hidden, vectors=vectors)
