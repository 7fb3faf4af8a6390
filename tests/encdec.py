"""Encoder–decoders small enough for a test, of random weights that matter: fresh ones are nearly nought."""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch
from tests import easy
from transformers import BertConfig, EncoderDecoderConfig, EncoderDecoderModel

from tinybert.inference import Predictor
from tinybert.models.seq2seq import whole_state

VOCABULARY = 60
WORDS = easy.NOISE[: VOCABULARY - 5]
SIZES = {
    "vocab_size": VOCABULARY,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
}


def make_model(*, encoder_width: int = 24, width: int = 32, tied: bool = True) -> EncoderDecoderModel:
    """Return a model whose encoder and decoder are BERTs; of other widths, with a projection between them."""
    torch.manual_seed(0)
    encoder = BertConfig(**SIZES, hidden_size=encoder_width, num_hidden_layers=1)
    decoder = BertConfig(
        **SIZES,
        hidden_size=width,
        num_hidden_layers=2,
        is_decoder=True,
        add_cross_attention=True,
        tie_word_embeddings=tied,
    )
    config = EncoderDecoderConfig.from_encoder_decoder_configs(
        encoder, decoder, decoder_start_token_id=2, pad_token_id=0, eos_token_id=3, tie_word_embeddings=tied
    )
    model = EncoderDecoderModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
    return model


def make_batch() -> dict[str, torch.Tensor]:
    """Return five texts, two of them padded."""
    ids = torch.randint(5, VOCABULARY, (5, 11), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    mask[3, 9:] = 0
    return {"input_ids": ids * mask, "attention_mask": mask}


def save(folder: Path) -> Path:
    """Save the model with a tokenizer."""
    model = make_model()
    model.save_pretrained(folder, state_dict=whole_state(model))
    easy.make_tokenizer(WORDS).save_pretrained(folder)
    return folder


def make_sources(count: int, *, seed: int = 0) -> list[str]:
    """Return different texts."""
    rng = random.Random(seed)
    return [" ".join(rng.sample(WORDS, rng.randint(2, 9))) for _ in range(count)]


def write_rows(file: Path, checkpoint: Path, *, count: int = 24) -> Path:
    """Write rows whose targets are what the checkpoint itself writes."""
    sources = make_sources(count)
    texts = Predictor(checkpoint, backend="torch")(sources)
    rows = [
        {"source": source, "target": text.as_label()} for source, text in zip(sources, texts, strict=True)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file
