"""Record what an objective reads from inside a decoder: hidden states, and cross-attention scores.

Shapes: B rows, H heads, T tokens of a target, L tokens of its source, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import cast

from torch import Tensor, nn
from transformers import BertLMHeadModel, EncoderDecoderModel, PreTrainedModel

from tinybert.errors import ModelError
from tinybert.models.capture import Captured, Recording
from tinybert.models.inputs import unwrap


def decoder_of(model: nn.Module) -> BertLMHeadModel:
    """Return the decoder of a pair.

    Raises:
        ModelError: The model has none whose layers are known.
    """
    own = unwrap(model)
    if not isinstance(own, EncoderDecoderModel) or not isinstance(own.decoder, BertLMHeadModel):
        kind = cast(PreTrainedModel, own).config.model_type
        raise ModelError(
            f"model_type {kind}", "the layers of its decoder are not known; use losses on predictions only"
        )
    return own.decoder


class DecoderCapture(Recording):
    """A context in which a decoder's forward leaves the wanted tensors behind; see ``Capture``.

    Args:
        model: An encoder–decoder whose decoder is a BERT.
        hidden: Hidden states wanted, counted from 1: behind that layer.
        cross: Layers whose raw cross-attention scores are wanted, counted from 1.

    Raises:
        ModelError: The decoder's layers are not known, or a layer does not exist.
    """

    def __init__(
        self, model: nn.Module, *, hidden: Collection[int] = (), cross: Collection[int] = ()
    ) -> None:
        decoder = decoder_of(model)
        super().__init__(unwrap(model))
        self._layers = list(decoder.bert.encoder.layer)
        self._hidden, self._cross = sorted(hidden), sorted(cross)
        last = len(self._layers)
        problems = [
            f"decoder layer {index}: this decoder has 1 to {last}"
            for index in {*self._hidden, *self._cross}
            if not 1 <= index <= last
        ]
        if problems:
            raise ModelError("capture", problems)

    def _attention(self, layer: int) -> nn.Module:
        return self._layers[layer - 1].get_submodule("crossattention.self")

    def __enter__(self) -> Captured:
        taken = Captured()
        self.enter({self._attention(layer): partial(_record, taken, layer) for layer in self._cross})
        self._handles = [
            self._layers[index - 1].register_forward_hook(partial(_keep, taken, index))
            for index in self._hidden
        ]
        return taken


def _record(
    taken: Captured, layer: int, _q: Tensor, _k: Tensor, _v: Tensor, raw_scores: Callable[[], Tensor]
) -> None:
    taken.cross_scores[layer] = raw_scores()


def _keep(
    taken: Captured,
    index: int,
    _module: nn.Module,
    _args: Iterable[Tensor],
    output: Tensor | tuple[Tensor, ...],
) -> None:
    taken.decoder_hidden[index] = output if isinstance(output, Tensor) else output[0]
