"""A student's config, and its first weights: at random, or as a slice of the teacher's layers."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

import torch
from transformers import BertConfig, PreTrainedConfig, PreTrainedModel

from tinybert.errors import ModelError
from tinybert.models.families import describe, encoder, layers
from tinybert.models.head import SEQUENCE, Head, auto_class, copy_head, set_head, set_labels
from tinybert.models.shapes import Shape, shape_problems

T = TypeVar("T", str, float)


def student_config(
    teacher_config: PreTrainedConfig,
    shape: Shape,
    *,
    num_labels: int,
    id2label: Mapping[int, str] | None = None,
    problem_type: str | None = None,
    head: Head = SEQUENCE,
    same_family: bool = False,
) -> PreTrainedConfig:
    """Make the config of a student that reads the teacher's tokens.

    Args:
        teacher_config: Gives vocabulary, longest position, activation and dropout.
        shape: The student's size.
        num_labels: Classes; 1 for regression.
        id2label: Names of the classes.
        problem_type: As in transformers.
        head: What the student outputs.
        same_family: Take the teacher's own class, as a slice of it needs; else the student is a BERT.

    Raises:
        ModelError: The shape cannot exist, or `same_family` is asked for at another width.
    """
    problems = shape_problems(shape)
    if problems:
        raise ModelError("student shape", problems)
    config = _slice_config(teacher_config, shape) if same_family else _bert_config(teacher_config, shape)
    set_labels(config, num_labels=num_labels, id2label=id2label, problem_type=problem_type)
    set_head(config, head)
    return config


def random_start(config: PreTrainedConfig, *, seed: int) -> PreTrainedModel:
    """Return a model of this config, with the head it names, and freshly drawn weights in fp32.

    No global seed is touched.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
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
        config: Of the student: the teacher's class and sizes (`student_config` with ``same_family=True``).
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
    for name, module in target.named_children():
        if name not in ("encoder", "transformer") and hasattr(source, name):
            module.load_state_dict(source.get_submodule(name).state_dict())
    if keep_head:
        copy_head(teacher, student)
    return student


def _bert_config(teacher_config: PreTrainedConfig, shape: Shape) -> BertConfig:
    first = first_position(teacher_config)
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
        max_position_embeddings=teacher_config.max_position_embeddings - first,
        type_vocab_size=getattr(teacher_config, "type_vocab_size", 2),
        layer_norm_eps=getattr(teacher_config, "layer_norm_eps", 1e-12),
        pad_token_id=teacher_config.pad_token_id or 0,
    )


def num_positions(config: PreTrainedConfig) -> int | None:
    """Return how many tokens a row may have; None where the model has no table of positions."""
    size = getattr(config, "max_position_embeddings", None)
    return None if size is None or size < 1 else size - first_position(config)


def first_position(config: PreTrainedConfig) -> int:
    """Return the row of the position table that the first token reads: behind the padding's in RoBERTa."""
    if config.model_type in ("roberta", "xlm-roberta", "camembert"):
        return (config.pad_token_id or 0) + 1
    return 0


def _slice_config(teacher_config: PreTrainedConfig, shape: Shape) -> PreTrainedConfig:
    info = describe(teacher_config)
    names = ("hidden_size", "num_attention_heads", "intermediate_size")
    problems = [
        f"{name} = {getattr(shape, name)}: a slice keeps the teacher's {getattr(info, name)}; "
        "or set student.start=project or random"
        for name in names
        if getattr(shape, name) != getattr(info, name)
    ]
    if problems:
        raise ModelError("student shape", problems)
    config = copy.deepcopy(teacher_config)
    config.num_hidden_layers = shape.num_hidden_layers
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
