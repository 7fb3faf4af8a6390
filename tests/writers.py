"""Encoder–decoders that write at random, with tokenizers of several kinds."""

from __future__ import annotations

from pathlib import Path

import torch
from tests import easy
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from tinybert.models.seq2seq import join_decoder, special_tokens, whole_state

SOURCES = ["good bab", "bad bel lovely", "你好 世界", "good 🙂", "bab bel bin"]
MARKS = [*"你好吗世界我很谢", "🙂", "🇨🇳", "é", ".", "?", "!", ",", "'", "n", "t", "s", "can"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def wordpiece(*, clean_up: bool = False) -> PreTrainedTokenizerFast:
    """A tokenizer as BERT's; ``clean_up``: spaces before punctuation are removed afterwards too."""
    words = [
        "good",
        "bad",
        "bab",
        "bel",
        "lovely",
        *MARKS,
        *(f"##{each}" for each in ("s", "好", "ab", "🙂")),
    ]
    tokenizer = easy.make_tokenizer(words)
    tokenizer.backend_tokenizer.decoder = decoders.WordPiece(cleanup=not clean_up)
    tokenizer.clean_up_tokenization_spaces = clean_up
    tokenizer.init_kwargs["clean_up_tokenization_spaces"] = clean_up
    return tokenizer


def unigram(*, with_bytes: bool = False) -> PreTrainedTokenizerFast:
    """A tokenizer as XLM-R's; ``with_bytes``: a character that is no piece is one token a byte."""
    words = ["▁good", "▁bad", "▁", "s", "ab", "▁你好", *MARKS]
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *(BYTES if with_bytes else []), *words]
    backend = Tokenizer(
        models.Unigram([(piece, -1.0) for piece in pieces], unk_id=3, byte_fallback=with_bytes)
    )
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    if with_bytes:
        steps = [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
        backend.decoder = decoders.Sequence(steps)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"unk": "<unk>", "pad": "<pad>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{f"{name}_token": piece for name, piece in names.items()},
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=64,
    )


def save(folder: Path, tokenizer: PreTrainedTokenizerFast, *, seed: int = 0) -> Path:
    """Save an encoder–decoder of random weights large enough to matter, with a tokenizer."""
    torch.manual_seed(seed)
    config = BertConfig(
        **easy.SIZE, vocab_size=len(tokenizer), type_vocab_size=2, pad_token_id=tokenizer.pad_token_id
    )
    tokens = special_tokens(tokenizer)
    model = join_decoder(BertModel(config), tokens, num_layers=1, start="random", seed=seed)
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    model.save_pretrained(folder, state_dict=whole_state(model))
    tokenizer.save_pretrained(folder)
    return folder
