"""Whether the parts of a checkpoint belong together: its config, its tokenizer, its weights."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
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


def check_labels(path: str | Path, config: Mapping[str, object]) -> None:
    """Refuse names of labels that leave open what an output means.

    Args:
        path: For the message.
        config: The content of its config.json.

    Raises:
        ModelError: ``id2label`` is no mapping from 0 on, gives a name twice, or ``label2id`` contradicts it.
    """
    found, reverse = config.get("id2label"), config.get("label2id")
    if found is None and isinstance(reverse, Mapping) and reverse:
        names = {str(index): name for name, index in cast("Mapping[str, object]", reverse).items()}
        fix = json.dumps(names, ensure_ascii=False)
        raise ModelError(
            str(path), f'label2id without id2label, which names the outputs; add "id2label": {fix}'
        )
    if found is None:
        return
    if not isinstance(found, Mapping):
        raise ModelError(
            str(path), 'id2label is no mapping; write {"0": "first label", "1": "second label", …}'
        )
    names = {str(index): str(name) for index, name in cast("Mapping[object, object]", found).items()}
    if set(names) != {str(index) for index in range(len(names))}:
        given = ", ".join(list(names)[:5])
        raise ModelError(
            str(path), f"id2label has the keys {given}; number the outputs from 0 on, without gaps"
        )
    twice = [name for name, times in Counter(names.values()).items() if times > 1]
    if twice:
        raise ModelError(str(path), f"id2label names {twice[0]!r} twice; give each output its own name")
    for name, index in cast("Mapping[str, object]", reverse).items() if isinstance(reverse, Mapping) else ():
        if name in names.values() and names.get(str(index)) != name:
            raise ModelError(
                str(path),
                f"label2id says that {name!r} is output {index}, id2label says {names.get(str(index))!r}; "
                "correct the one that is wrong",
            )


def check_embeddings(path: str | Path, model: PreTrainedModel) -> None:
    """Refuse a model with an embedding table without rows: it fails at its first text.

    Raises:
        ModelError: With the table's name.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and not module.num_embeddings:
            setting = "type_vocab_size" if "type" in name else "the sizes"
            raise ModelError(str(path), f"{name} has no rows; correct {setting} in its config.json")


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
