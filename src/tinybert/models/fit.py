"""Whether the parts of a checkpoint belong together: its config, its tokenizer, its weights."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from transformers import PreTrainedConfig, PreTrainedTokenizerBase
from transformers.activations import ACT2FN

from tinybert.errors import ModelError
from tinybert.lookup import nearest

ACTIVATIONS = ("hidden_act", "activation", "hidden_activation")
"""What families call the activation in their config."""


def check_activation(path: str | Path, config: PreTrainedConfig) -> None:
    """Refuse an activation that ``transformers`` does not know.

    Raises:
        ModelError: With the nearest one.
    """
    for key in ACTIVATIONS:
        name: object = getattr(config, key, None)
        if isinstance(name, str) and name not in ACT2FN:
            raise ModelError(
                str(path),
                f"{key} = {name!r} in its config.json: write one that transformers knows"
                f"{nearest(name, list(ACT2FN))}",
            )


def fit_tokenizer(path: str | Path, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> None:
    """Fit a tokenizer to the model beside it.

    Type ids are left out where the model knows one type or none; a tokenizer without a padding token pads
    with the piece that the model's config names.

    Raises:
        ModelError: It has pieces that the model has no row for.
    """
    if num_rows := cast("int | None", getattr(config, "vocab_size", None)):
        check_vocabulary(path, tokenizer, num_rows=num_rows)
    if getattr(config, "type_vocab_size", 2) < 2:
        names = tokenizer.model_input_names
        tokenizer.model_input_names = [name for name in names if name != "token_type_ids"]
    padding = cast("int | None", getattr(config, "pad_token_id", None))
    if tokenizer.pad_token_id is None and padding is not None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(padding)


def check_vocabulary(path: str | Path, tokenizer: PreTrainedTokenizerBase, *, num_rows: int) -> None:
    """Refuse a tokenizer with pieces that a model has no embedding for: it would fail at the first of them.

    Args:
        path: The checkpoint, for the message.
        tokenizer: Its tokenizer.
        num_rows: Of its embedding table.

    Raises:
        ModelError: With both numbers.
    """
    num_pieces = max(tokenizer.get_vocab().values()) + 1
    if num_pieces > num_rows:
        raise ModelError(
            str(path),
            f"its tokenizer has {num_pieces:,} pieces, its embedding table {num_rows:,} rows: they do "
            "not belong together; call resize_token_embeddings and save both, or take the model's own",
        )
