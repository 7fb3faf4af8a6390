"""The pieces of a vocabulary that are whole words, and their vectors in a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tinybert.augmentation.vectors import HAN_WORD, PROPOSED_WORD, WordVectors
from tinybert.errors import ModelError


def embedding_vectors(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> WordVectors:
    """Return a model's own word vectors: the rows of its embedding matrix that are whole words.

    Differs: the paper takes GloVe for words of several pieces. Here such a word is the mean of its pieces.

    Raises:
        ModelError: The vocabulary cannot be read word by word.
    """
    pieces = {
        id_: piece for id_, piece in whole_word_pieces(tokenizer).items() if not HAN_WORD.fullmatch(piece)
    }
    weight = cast(nn.Embedding, model.get_input_embeddings()).weight.detach().float().cpu().numpy()
    unknown = tokenizer.unk_token_id

    def compose(words: Sequence[str]) -> list[np.ndarray | None]:
        encoded = tokenizer(list(words), add_special_tokens=False, verbose=False)["input_ids"]
        return [
            weight[ids].mean(0) if ids and unknown not in ids else None
            for ids in cast(list[list[int]], encoded)
        ]

    return WordVectors(list(pieces.values()), weight[list(pieces)], compose=compose)


def whole_word_pieces(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """Return the pieces that are words of letters or single Chinese characters, by number.

    Raises:
        ModelError: Not a WordPiece vocabulary: there a piece does not say whether it ends a word.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    kind = type(backend.model).__name__ if backend is not None else type(tokenizer).__name__
    if kind != "WordPiece" or tokenizer.mask_token_id is None:
        raise ModelError(
            "augment.model",
            f"its vocabulary ({kind}) cannot be read word by word; give a model with a WordPiece vocabulary, "
            "such as BERT, DistilBERT, ELECTRA or ERNIE; or set augment.method=synonyms",
        )
    special = set(tokenizer.all_special_ids)
    return {
        id_: piece
        for piece, id_ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
        if id_ not in special and _is_word(piece)
    }


def _is_word(piece: str) -> bool:
    return len(piece) == 1 if HAN_WORD.search(piece) else PROPOSED_WORD.fullmatch(piece) is not None
