"""The checkpoint itself, in torch: the reference that all exports are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import LongTensor, Tensor, nn
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from tinybert.inference.backends.contract import (
    Backend,
    Decoder,
    Engine,
    Loading,
    Precision,
    Scores,
    Seq2SeqEngine,
    Tokens,
)
from tinybert.models import load_classifier
from tinybert.models import load_seq2seq as load_seq2seq_model
from tinybert.models.inputs import model_inputs, run_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load(folder: Path, precision: Precision, loading: Loading) -> Engine:
    """Load a checkpoint; ``loading`` is not read: torch has one pool of threads for all."""
    return engine_of(_placed(load_classifier(str(folder)), precision))


def load_seq2seq(folder: Path, precision: Precision, loading: Loading) -> Seq2SeqEngine:
    """Load an encoder–decoder; ``loading`` is not read."""
    return engine_of_seq2seq(_placed(load_seq2seq_model(str(folder)), precision))


def _placed(model: PreTrainedModel, precision: Precision) -> PreTrainedModel:
    """Return a model for inference, in its precision, on the GPU where there is one."""
    model.requires_grad_(False)
    if precision == "bf16":
        nn.Module.to(model, torch.bfloat16)
    if torch.cuda.is_available():
        nn.Module.to(model, "cuda")
    return model


def engine_of(model: PreTrainedModel) -> Engine:
    """Return an engine over a model in memory."""

    @torch.inference_mode()
    def run(batch: Tokens) -> Scores:
        tensors = {name: torch.from_numpy(array).to(model.device) for name, array in batch.items()}
        return run_model(model, tensors).float().cpu().numpy()

    return run


def engine_of_seq2seq(model: PreTrainedModel) -> Seq2SeqEngine:
    """Return an engine over an encoder–decoder in memory, which the caller has put into ``eval()``."""

    def start(batch: Tokens) -> Decoder:
        return CachedDecoder(model, batch)

    return start


class CachedDecoder:
    """A decoder with a key–value cache over one batch; see :class:`contract.Decoder`.

    Rows know which row of the batch they read: where beams of one source only change places, what is kept
    of the source stays unchanged.

    Args:
        model: An encoder–decoder of ``transformers``.
        batch: The encoder reads it now.
    """

    def __init__(self, model: PreTrainedModel, batch: Tokens) -> None:
        self.model = model
        own = DynamicCache(config=model.config.get_text_config(decoder=True))
        self.cache = EncoderDecoderCache(own, DynamicCache())
        tensors = {name: torch.from_numpy(array).to(model.device) for name, array in batch.items()}
        self.mask = tensors["attention_mask"]
        self.sources = np.arange(len(self.mask))
        self.encoded = self._encode(tensors)

    @torch.inference_mode()
    def _encode(self, tensors: dict[str, Tensor]) -> Tensor:
        encoder = self.model.get_encoder()
        return encoder(**model_inputs(encoder, tensors), return_dict=True).last_hidden_state

    @torch.inference_mode()
    def step(self, tokens: NDArray[np.int64]) -> Scores:
        """Read one more token a row, (R,), and return the logits of the next one, (R, V)."""
        output = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=self.encoded),
            attention_mask=self.mask,
            decoder_input_ids=torch.from_numpy(tokens).to(self.model.device)[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        return output.logits[:, -1].float().cpu().numpy()

    @torch.inference_mode()
    def select(self, rows: NDArray[np.int64]) -> None:
        """Continue with these rows, in this order."""
        index = cast(LongTensor, torch.from_numpy(rows).to(self.model.device))
        self.cache.self_attention_cache.reorder_cache(index)
        sources = self.sources[rows]
        if not np.array_equal(sources, self.sources):
            self.cache.cross_attention_cache.reorder_cache(index)
            self.encoded, self.mask = self.encoded[index], self.mask[index]
        self.sources = sources


TORCH = Backend(precisions=("fp32", "bf16"), load=load, load_seq2seq=load_seq2seq, one_at_a_time=True)
