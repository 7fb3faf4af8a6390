"""What lies outside the encoder: the head, the labels in the config, the layers up to the logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.models.auto.auto_factory import _BaseAutoModelClass  # pyright: ignore[reportPrivateUsage]

from tinybert.errors import ModelError
from tinybert.models.families import encoder

NOTES = "tinybert"
"""Key of a model's config that says what a run of ours was trained for.

``task``, ``text_pair``, and what its row format keeps, such as ``long_text``.
"""


@dataclass(frozen=True)
class Head:
    """What a model outputs for a text, and the class of transformers that has such a head.

    Attributes:
        class_ending: How the names of such classes end.
        auto_class: Makes one from a config.
        outputs: Names of its outputs.
        is_pooled: One output a text, read from its first token.
        has_labels: An output is a label; else a model writes pieces of its vocabulary.
        other_endings: How the names of other such classes end, which are read but not made here.
    """

    class_ending: str
    auto_class: type[_BaseAutoModelClass]
    outputs: tuple[str, ...] = ("logits",)
    is_pooled: bool = False
    has_labels: bool = True
    other_endings: tuple[str, ...] = ()

    def is_of(self, name: str) -> bool:
        """Say whether a class of this name has such a head."""
        return name.endswith((self.class_ending, *self.other_endings))


SEQUENCE = Head("ForSequenceClassification", AutoModelForSequenceClassification, is_pooled=True)
TOKEN = Head("ForTokenClassification", AutoModelForTokenClassification)
QUESTION = Head("ForQuestionAnswering", AutoModelForQuestionAnswering, ("start_logits", "end_logits"))
SEQ2SEQ = Head(
    "EncoderDecoderModel",
    AutoModelForSeq2SeqLM,
    has_labels=False,
    other_endings=("ForConditionalGeneration", "MTModel"),
)
HEADS = (SEQUENCE, TOKEN, QUESTION, SEQ2SEQ)
SIMPLE = "Simple"
"""XLM, XLNet and FlauBERT call so their head of two outputs a token; another one searches in beams."""


def head_of(config: PreTrainedConfig) -> Head | None:
    """Return the head that a config names, or None for a bare encoder or a head that is no task's here."""
    name = (config.architectures or [""])[0].removesuffix(SIMPLE)
    return next((head for head in HEADS if head.is_of(name)), None)


def set_head(config: PreTrainedConfig, head: Head) -> None:
    """Write into a config which head its model has."""
    config.architectures = [head.class_ending]


def auto_class(config: PreTrainedConfig) -> type[_BaseAutoModelClass]:
    """Return the auto class of a config's head; that of sequences where it names none."""
    return (head_of(config) or SEQUENCE).auto_class


def set_labels(
    config: PreTrainedConfig,
    *,
    num_labels: int | None = None,
    id2label: Mapping[int, str] | None = None,
    problem_type: str | None = None,
) -> None:
    """Write the labels into a config; None leaves what is there."""
    if num_labels is not None:
        config.num_labels = num_labels
    if id2label is not None:
        config.id2label = dict(id2label)
        config.label2id = {name: index for index, name in id2label.items()}
    if problem_type is not None:
        config.update({"problem_type": problem_type})


def copy_head(teacher: PreTrainedModel, student: PreTrainedModel) -> None:
    """Copy everything that lies outside the encoder.

    Raises:
        ModelError: The teacher has no such head, or one of another size.
    """
    body = encoder(student)
    for name, module in student.named_children():
        if module is body or not any(True for _ in module.parameters()):
            continue
        given = cast("nn.Module | None", getattr(teacher, name, None))
        try:
            module.load_state_dict(given.state_dict() if given else {})
        except RuntimeError as error:
            raise ModelError(
                "teacher",
                f"has no head '{name}' like the student's, so it cannot be kept; fine-tune the teacher on "
                "this data first, or start the student with a new head",
            ) from error


def pooler_layer(model: PreTrainedModel) -> nn.Linear | None:
    """Return the linear layer below the head's activation, or None in a bare encoder without a pooler."""
    paths = (encoder(model), "pooler.dense"), (model, "classifier.dense"), (model, "pre_classifier")
    for holder, path in paths:
        try:
            return cast(nn.Linear, holder.get_submodule(path))
        except AttributeError:
            continue
    return None


def head_activation(model: PreTrainedModel) -> Callable[[Tensor], Tensor]:
    """Return what is between :func:`pooler_layer` and the logits: GELU, ReLU or tanh by the family."""
    return {"electra": functional.gelu, "distilbert": functional.relu}.get(
        model.config.model_type, torch.tanh
    )


def logits_layer(model: PreTrainedModel) -> nn.Linear | None:
    """Return the linear layer that gives the logits, or None in a bare encoder."""
    classifier = cast("nn.Module | None", getattr(model, "classifier", getattr(model, "qa_outputs", None)))
    if classifier is None or isinstance(classifier, nn.Linear):
        return classifier
    return cast(nn.Linear, classifier.get_submodule("out_proj"))
