"""Masked language models: loading them, making them, and asking them about some tokens only.

Shapes: B rows, L tokens, M chosen tokens of all rows, V vocabulary.

At 15 % masks and a vocabulary of 30,000 the head costs more than a small encoder when it is asked about every
token. Here only the chosen hidden states reach it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, PreTrainedConfig, PreTrainedModel

from tinybert.errors import ModelError
from tinybert.models.load import load_config, load_model
from tinybert.models.making import making

HEADS = {
    "bert": "cls",
    "ernie": "cls",
    "roberta": "lm_head",
    "xlm-roberta": "lm_head",
    "camembert": "lm_head",
    "electra": "generator_predictions",
    "distilbert": "vocab_transform",
    "mpnet": "lm_head",
}
"""Family → the module that is first to read the hidden states of all tokens."""


def has_masked_lm_head(config: PreTrainedConfig) -> bool:
    """Say whether a checkpoint was saved with a masked-LM head."""
    name = (config.architectures or [""])[0]
    if name == "ElectraForPreTraining":  # the discriminator: it says which words were replaced
        return False
    return name.endswith(("ForMaskedLM", "ForPreTraining"))


def refuse_without_known_head(path: str | Path, config: PreTrainedConfig) -> None:
    """Refuse a family whose masked-LM head we cannot find.

    Raises:
        ModelError: With the families that are known.
    """
    if config.model_type not in HEADS:
        raise ModelError(
            str(path),
            f"model_type {config.model_type}: no masked-LM head is known (supported: {', '.join(HEADS)})",
        )


def load_masked_lm(
    path: str | Path, *, new_head: bool = False, dtype: torch.dtype = torch.float32, seed: int = 0
) -> PreTrainedModel:
    """Load a masked language model, in evaluation mode.

    Args:
        path: Folder or hub name.
        new_head: Draw a head where the checkpoint has none.
        dtype: Of the weights in memory.
        seed: Of a head that is drawn.

    Raises:
        ModelError: The checkpoint cannot be read, is of a family without such a head, or has none.
    """
    config = load_config(path)
    refuse_without_known_head(path, config)
    has_head = has_masked_lm_head(config)
    if not has_head and not new_head:
        raise ModelError(
            str(path),
            "has no masked-LM head, so it cannot fill in words; train one: tinybert pretrain TEXT --model "
            f"{path} --out runs/filler (pretrain.train_only=head keeps its encoder)",
        )
    return load_model(AutoModelForMaskedLM, path, config, dtype=dtype, seed=seed, wants_head=has_head)


def random_masked_lm(config: PreTrainedConfig, *, seed: int) -> PreTrainedModel:
    """Return a masked language model of this config with freshly drawn weights in fp32."""
    with making(seed):
        model = AutoModelForMaskedLM.from_config(config, dtype=torch.float32)
    return cast(PreTrainedModel, model).eval()


def head_module(model: nn.Module) -> nn.Module:
    """Return the module that is first to read the hidden states (B, L, D) on their way to the vocabulary."""
    unwrapped = cast(PreTrainedModel, getattr(model, "module", model))
    return unwrapped.get_submodule(HEADS[unwrapped.config.model_type])


@contextmanager
def only_at(model: nn.Module, chosen_BL: Tensor) -> Generator[None]:
    """Let the head of a masked language model score the chosen tokens only.

    Its logits are (M, V) then, not (B, L, V). The model's own forward stays in use, so that its hooks see
    every step.
    """

    def choose(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (args[0][chosen_BL], *args[1:])

    handle = head_module(model).register_forward_pre_hook(choose)
    try:
        yield
    finally:
        handle.remove()


def freeze_encoder(model: PreTrainedModel) -> None:
    """Let only the head learn, decoder included.

    A decoder that is tied to the embeddings could not learn without them: it becomes a matrix of its own, a
    copy at first, and the checkpoint grows by it.
    """
    model.base_model.requires_grad_(False)
    decoder = cast(nn.Linear, model.get_output_embeddings())
    if decoder.weight is model.get_input_embeddings().weight:
        decoder.weight = nn.Parameter(decoder.weight.detach().clone())
        decoder.bias = nn.Parameter(decoder.bias.detach().clone())
        model.config.tie_word_embeddings = False
