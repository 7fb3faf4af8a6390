"""Tiny encoder–decoders of four families with weights large enough to matter, and one without a cache."""

from __future__ import annotations

import functools

import numpy as np
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    MarianConfig,
    MarianMTModel,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from tinybert.models.generation import GenerationSettings

VOCABULARY = 30
PAD, UNUSED, END = 0, 1, 2
STARTS = {"bert": 1, "t5": PAD, "bart": END, "marian": PAD}
FAMILIES = tuple(STARTS)
TOKENS = {"pad_token_id": PAD, "bos_token_id": UNUSED, "eos_token_id": END}


@functools.cache
def model(family: str, *, vocabulary: int = VOCABULARY) -> PreTrainedModel:
    """A model in evaluation mode; not to be changed."""
    torch.manual_seed(3)
    made = _MAKERS[family](vocabulary).eval()
    for parameter in made.parameters():
        if parameter.requires_grad:  # not the fixed positions, which are not saved
            parameter.data += 0.3 * torch.randn_like(parameter)
    return made


def _bert(vocabulary: int) -> PreTrainedModel:
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    encoder = BertConfig(vocab_size=vocabulary, max_position_embeddings=40, **size)
    decoder = BertConfig(
        vocab_size=vocabulary, max_position_embeddings=40, is_decoder=True, add_cross_attention=True, **size
    )
    config = EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.update({"decoder_start_token_id": STARTS["bert"], "pad_token_id": PAD, "eos_token_id": END})
    return EncoderDecoderModel(config)


def _t5(vocabulary: int) -> PreTrainedModel:
    size = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2}
    tokens = {"decoder_start_token_id": PAD, "eos_token_id": END}
    return T5ForConditionalGeneration(T5Config(vocab_size=vocabulary, **size, **tokens))


def _with_positions(config: type, vocabulary: int, start: int):
    sides = {
        f"{side}_{name}": size
        for side in ("encoder", "decoder")
        for name, size in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 24))
    }
    tokens = {**TOKENS, "decoder_start_token_id": start, "forced_eos_token_id": None}
    return config(vocab_size=vocabulary, d_model=16, max_position_embeddings=40, **sides, **tokens)


_MAKERS = {
    "bert": _bert,
    "t5": _t5,
    "bart": lambda size: BartForConditionalGeneration(_with_positions(BartConfig, size, END)),
    "marian": lambda size: MarianMTModel(_with_positions(MarianConfig, size, PAD)),
}


def batch(*, vocabulary: int = VOCABULARY, rows: int = 4, length: int = 7) -> dict[str, np.ndarray]:
    """Rows of unequal length, padded on the right."""
    ids = np.random.default_rng(0).integers(3, vocabulary, (rows, length))
    mask = (np.arange(length) < length - np.arange(rows)[:, None]).astype(np.int64)
    return {"input_ids": ids * mask, "attention_mask": mask}


def settings(family: str, **changes) -> GenerationSettings:
    values = {"decoder_start_token_id": STARTS[family], "eos_token_ids": (END,), "pad_token_id": PAD}
    values |= {"suppressed_token_ids": (PAD, UNUSED), "max_new_tokens": 9}
    return GenerationSettings(**{**values, **changes})


def uncached(made: PreTrainedModel):
    """An engine that reads all of a text again for each token."""
    return functools.partial(UncachedDecoder, made)


class UncachedDecoder:
    def __init__(self, made: PreTrainedModel, tokens) -> None:
        self.model = made
        self.batch = {name: torch.from_numpy(array) for name, array in tokens.items()}
        self.read = torch.zeros((len(tokens["input_ids"]), 0), dtype=torch.int64)

    def step(self, tokens):
        self.read = torch.cat([self.read, torch.from_numpy(tokens)[:, None]], dim=1)
        with torch.no_grad():
            logits = self.model(**self.batch, decoder_input_ids=self.read, use_cache=False).logits
        return logits[:, -1].numpy()

    def select(self, rows) -> None:
        self.batch = {name: tensor[rows] for name, tensor in self.batch.items()}
        self.read = self.read[rows]


def log_probs(
    made: PreTrainedModel, row: dict[str, np.ndarray], start: int, texts: list[list[int]]
) -> np.ndarray:
    """The log-probability of each text of a row, its end included where it has one, from one pass."""
    length = max(map(len, texts))
    written = torch.tensor([[*text, *[-1] * (length - len(text))] for text in texts])
    read = torch.cat([torch.full((len(texts), 1), start), written[:, :-1].clamp(min=0)], dim=1)
    inputs = {name: torch.from_numpy(array).expand(len(texts), -1) for name, array in row.items()}
    with torch.no_grad():
        logits = made(**inputs, decoder_input_ids=read, use_cache=False).logits.double()
    each = logits.log_softmax(dim=-1).gather(2, written.clamp(min=0)[:, :, None])[:, :, 0]
    return each.masked_fill(written < 0, 0).sum(dim=1).numpy()
