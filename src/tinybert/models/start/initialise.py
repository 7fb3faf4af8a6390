"""A student's config, and its first weights: at random, or as a slice of the teacher's layers."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

import torch
from transformers import BertConfig, PreTrainedConfig, PreTrainedModel

from tinybert.errors import ModelError
from tinybert.models.families import FAMILIES, describe, encoder, layers, outside_layers
from tinybert.models.head import SEQUENCE, Head, auto_class, copy_head, set_head, set_labels
from tinybert.models.making import making
from tinybert.models.shapes import Shape, shape_problems

T = TypeVar("T", str, float)
BERT_POSITIONS = 512
NUM_TYPES = {"xlnet": 3}
"""Of families whose config does not say it, the types that their tokenizers write."""
OTHERS_WITH_PADDED_POSITIONS = (
    "data2vec-text",
    "esm",
    "ibert",
    "layoutlmv3",
    "lilt",
    "longformer",
    "luke",
    "markuplm",
    "roberta-prelayernorm",
    "xlm-roberta-xl",
    "xmod",
)
"""Families whose layers are not known here, and whose tokens are numbered as RoBERTa's are."""


def student_config(
    teacher_config: PreTrainedConfig,
    shape: Shape,
    *,
    num_labels: int,
    id2label: Mapping[int, str] | None = None,
    problem_type: str | None = None,
    head: Head = SEQUENCE,
    family: str = "bert",
) -> PreTrainedConfig:
    """Make the config of a student that reads the teacher's tokens.

    Args:
        teacher_config: Gives vocabulary, longest position, activation and dropout.
        shape: The student's size.
        num_labels: Classes; 1 for regression.
        id2label: Names of the classes.
        problem_type: As in transformers.
        head: What the student outputs.
        family: The student's; one of :func:`student_families`. A slice is of the teacher's own.

    Raises:
        ModelError: The shape cannot exist, or a student cannot be of this family.
    """
    problems = shape_problems(shape)
    if problems:
        raise ModelError("student shape", problems)
    own = teacher_config.model_type
    if family not in ("bert", own):
        names = " or a ".join(dict.fromkeys(("bert", own)))
        raise ModelError(f"family {family}", f"a student of a teacher of family {own} is a {names}")
    config = _own_config(teacher_config, shape) if family == own else _bert_config(teacher_config, shape)
    set_labels(config, num_labels=num_labels, id2label=id2label, problem_type=problem_type)
    set_head(config, head)
    return config


def random_start(config: PreTrainedConfig, *, seed: int) -> PreTrainedModel:
    """Return a model of this config, with the head it names, and freshly drawn weights in fp32.

    No global seed is touched.
    """
    with making(seed):
        model = auto_class(config).from_config(config, dtype=torch.float32)
    return cast(PreTrainedModel, model).eval()


def slice_start(
    teacher: PreTrainedModel,
    layer_map: Sequence[int],
    config: PreTrainedConfig,
    *,
    keep_head: bool = True,
    seed: int = 0,
) -> PreTrainedModel:
    """Return a student made of some of the teacher's layers, its embeddings, its pooler and its head.

    A slice of all layers predicts exactly as the teacher does. Works for every supported family.

    Args:
        teacher: A classifier, or a bare encoder when the head is not kept.
        layer_map: The layers to keep, counted from 1.
        config: Of the student: the teacher's class and sizes (`student_config` with its ``family``).
        keep_head: Copy the head; else it is drawn at random.
        seed: For a head drawn at random.

    Raises:
        ModelError: The student's sizes or class are not the teacher's, or there is no head to keep.
    """
    _check_slice(teacher, layer_map, config)
    student = random_start(config, seed=seed)
    source, target = encoder(teacher), encoder(student)
    for kept, layer in zip(layer_map, layers(student), strict=True):
        layer.load_state_dict(layers(teacher)[kept - 1].state_dict())
    own = outside_layers(target)
    kept = {name: tensor for name, tensor in outside_layers(source).items() if name in own}
    target.load_state_dict(kept, strict=False)
    if keep_head:
        copy_head(teacher, student)
    return student


def _bert_config(teacher_config: PreTrainedConfig, shape: Shape) -> BertConfig:
    kind = teacher_config.model_type
    return BertConfig(
        vocab_size=teacher_config.vocab_size,
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.num_hidden_layers,
        num_attention_heads=shape.num_attention_heads,
        intermediate_size=shape.intermediate_size,
        hidden_act=_of(teacher_config, "hidden_act", "activation", default="gelu"),
        hidden_dropout_prob=_of(teacher_config, "hidden_dropout_prob", "dropout", default=0.1),
        attention_probs_dropout_prob=_of(
            teacher_config, "attention_probs_dropout_prob", "attention_dropout", default=0.1
        ),
        max_position_embeddings=num_positions(teacher_config) or BERT_POSITIONS,
        type_vocab_size=max(1, getattr(teacher_config, "type_vocab_size", NUM_TYPES.get(kind, 2))),
        layer_norm_eps=getattr(teacher_config, "layer_norm_eps", 1e-12),
        pad_token_id=teacher_config.pad_token_id or 0,
    )


def num_positions(config: PreTrainedConfig) -> int | None:
    """Return how many tokens a row may have; None where the model has no table of positions."""
    config = getattr(config, "encoder", config)
    size = getattr(config, "max_position_embeddings", None)
    return None if size is None or size < 1 else size - first_position(config)


def first_position(config: PreTrainedConfig) -> int:
    """Return the row of the position table that the first token reads: behind the padding's in RoBERTa."""
    family = FAMILIES.get(config.model_type)
    pads = family.pads_positions if family else config.model_type in OTHERS_WITH_PADDED_POSITIONS
    if config.model_type == "mpnet":  # its class counts from 2, whatever the config calls padding
        return 2
    return (config.pad_token_id or 0) + 1 if pads else 0


def student_families(model_type: str) -> tuple[str, ...]:
    """Return the families that a student may be of, the one it is by default first.

    A projection, or random weights, into the teacher's own family needs that its sizes can be chosen freely.

    Args:
        model_type: Of the teacher.
    """
    family = FAMILIES.get(model_type)
    return tuple(dict.fromkeys((model_type, "bert"))) if family and family.is_student else ("bert",)


def _own_config(teacher_config: PreTrainedConfig, shape: Shape) -> PreTrainedConfig:
    config = copy.deepcopy(teacher_config)
    config.num_hidden_layers, config.hidden_size = shape.num_hidden_layers, shape.hidden_size
    config.num_attention_heads = shape.num_attention_heads
    width = "hidden_dim" if config.model_type == "distilbert" else "intermediate_size"
    setattr(config, width, shape.intermediate_size)
    return config


def _check_slice(teacher: PreTrainedModel, layer_map: Sequence[int], config: PreTrainedConfig) -> None:
    given, wanted = describe(teacher.config), describe(config)
    names = ("model_type", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size")
    problems = [
        f"{name} = {getattr(wanted, name)}: a slice keeps the teacher's {getattr(given, name)}"
        for name in names
        if getattr(wanted, name) != getattr(given, name)
    ]
    if len(layer_map) != wanted.num_hidden_layers:
        problems.append(f"{len(layer_map)} layers to keep for {wanted.num_hidden_layers} student layers")
    problems += [
        f"layer {layer}: the teacher has layers 1 to {given.num_hidden_layers}"
        for layer in layer_map
        if not 1 <= layer <= given.num_hidden_layers
    ]
    if problems:
        raise ModelError("slice", problems)


def _of(config: PreTrainedConfig, *names: str, default: T) -> T:
    return next((getattr(config, name) for name in names if hasattr(config, name)), default)
