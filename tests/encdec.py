"""Encoder–decoders small enough for a test, of random weights that matter: fresh ones are nearly nought."""

from __future__ import annotations

import torch
from transformers import BertConfig, EncoderDecoderConfig, EncoderDecoderModel

VOCABULARY = 60
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
