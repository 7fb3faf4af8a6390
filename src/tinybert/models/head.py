"""What lies outside the encoder: the labels in the config, and the layers from hidden state to answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from tinybert.errors import ModelError
from tinybert.models.families import encoder


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
    places = (encoder(model), "pooler.dense"), (model, "classifier.dense"), (model, "pre_classifier")
    for holder, path in places:
        try:
            return cast(nn.Linear, holder.get_submodule(path))
        except AttributeError:
            continue
    return None


def answer_layer(model: PreTrainedModel) -> nn.Linear | None:
    """Return the linear layer that gives the logits, or None in a bare encoder."""
    classifier = cast("nn.Module | None", getattr(model, "classifier", None))
    if classifier is None or isinstance(classifier, nn.Linear):
        return classifier
    return cast(nn.Linear, classifier.get_submodule("out_proj"))
