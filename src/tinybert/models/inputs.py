"""From a batch to what a model's forward takes, and from what it gives to scores."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from tinybert.errors import ModelError
from tinybert.models.families import FAMILIES

TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
READING_PADDING = {
    "canine": 4,
    "convbert": 1,
    "fnet": 1,
    "funnel": 8,
    "mobilebert": 1,
    "xlnet": 1,
    "yoso": 1,
}
"""Families whose outputs for a text change with the padding behind it → the fewest tokens they run on."""

OUT_OF_MEMORY = re.compile("out of memory|not enough memory|allocate memory")
ABOUT_INPUT = re.compile(
    r"index|indices|position|shape|\bsizes?\b|dimension|device-side assert", re.IGNORECASE
)
"""What torch says of a token or a position that a table lacks, and of tensors that do not go together."""


def model_inputs(model: nn.Module, batch: Mapping[str, Tensor], *, prefix: str = "") -> dict[str, Tensor]:
    """Return what a model's forward takes of a batch: no labels, no row numbers, no other side's tokens.

    A decoder reads the labels one token late.

    Args:
        model: The model, wrapped or not.
        batch: A batch of the collator.
        prefix: ``"teacher_"`` for the tokens of the teacher's own tokenizer.
    """
    own = unwrap(model)
    names = _forward_names(type(own))
    inputs = {name: batch[prefix + name] for name in TEXT_INPUTS if prefix + name in batch and name in names}
    if "labels" in batch and getattr(getattr(own, "config", None), "is_encoder_decoder", False):
        inputs["decoder_input_ids"] = shifted(own, batch["labels"])
    return inputs


def shifted(model: nn.Module, labels_BT: Tensor) -> Tensor:
    """Return what the decoder reads while it learns to write a text: the text, one token late.

    Args:
        model: An encoder–decoder.
        labels_BT: Tokens of the texts; −100 behind their ends.
    """
    shift = cast("Callable[..., Tensor]", model.prepare_decoder_input_ids_from_labels)
    return shift(labels=labels_BT)


def logits_of(output: Mapping[str, Tensor]) -> Tensor:
    """Return what a model outputs.

    Scores: (B, C) a text, (B, L, C) a token, (B, L, 2) where answers begin and end. A bare encoder outputs
    its last hidden states (B, L, D).
    """
    if "start_logits" in output:
        return torch.stack([output["start_logits"], output["end_logits"]], dim=-1)
    return output["logits"] if "logits" in output else output["last_hidden_state"]


def run_model(model: nn.Module, batch: Mapping[str, Tensor], *, prefix: str = "") -> Tensor:
    """Return a model's scores of a batch; see :func:`model_inputs` and :func:`logits_of`.

    Outside training, a model that reads its padding is given none: rows of one length go together.

    Raises:
        ModelError: The class of another family, outside training, does not take these tokens, or fails.
    """
    inputs = model_inputs(model, batch, prefix=prefix)
    config = getattr(unwrap(model), "config", None)
    family = getattr(config, "model_type", "")
    if model.training or family in FAMILIES:
        return logits_of(model(**inputs))
    with _refusing(family, type(unwrap(model)).__name__):
        return _run_other_family(model, batch, inputs, prefix=prefix)


def _run_other_family(
    model: nn.Module, batch: Mapping[str, Tensor], inputs: Mapping[str, Tensor], *, prefix: str
) -> Tensor:
    config = getattr(unwrap(model), "config", None)
    shortest = READING_PADDING.get(getattr(config, "model_type", ""))
    if shortest is None:
        return logits_of(model(**inputs))
    lengths = batch[prefix + "attention_mask"].sum(1).clamp(min=shortest)
    fill = getattr(config, "pad_token_id", None) or 0
    return _by_length(model, inputs, lengths, fill=fill)


@contextmanager
def _refusing(family: str, name: str) -> Generator[None]:
    """Say what a class that is not known here needs of its input: such as three separators in Longformer."""
    try:
        yield
    except (AssertionError, IndexError, RuntimeError, ValueError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"model_type {family}", f"{name} of transformers {_failure(error, why)}") from error


def _failure(error: Exception, why: str) -> str:
    if isinstance(error, torch.OutOfMemoryError) or OUT_OF_MEMORY.search(why):
        return f"needs more memory than there is: {why}; a smaller batch_size or max_length needs less"
    if isinstance(error, RuntimeError) and not ABOUT_INPUT.search(why):
        return f"failed: {why}"
    return f"does not take this input: {why}; is the tokenizer the model's own?"


def _by_length(model: nn.Module, inputs: Mapping[str, Tensor], lengths: Tensor, *, fill: int) -> Tensor:
    """Run the rows of each length, cut or filled up to it; scores of tokens are zero behind it."""
    width = inputs["input_ids"].shape[1]
    found: list[tuple[Tensor, Tensor]] = []
    for length in lengths.unique().tolist():
        rows = (lengths == length).nonzero()[:, 0]
        fills = {name: fill if name == "input_ids" else 0 for name in inputs}
        group = {
            name: nn.functional.pad(value[rows], (0, length - width), value=fills[name])
            for name, value in inputs.items()
        }
        scores = logits_of(model(**group))
        if scores.dim() == 3:
            scores = nn.functional.pad(scores, (0, 0, 0, width - length))
        found.append((rows, scores))
    order = torch.cat([rows for rows, _ in found]).argsort()
    return torch.cat([scores for _, scores in found])[order]


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside data-parallel wrappers."""
    return cast(nn.Module, getattr(model, "module", model))


@functools.cache
def _forward_names(kind: type[nn.Module]) -> frozenset[str]:
    return frozenset(inspect.signature(kind.forward).parameters)
