"""What a model that learns from labels alone minimises: a teacher, a baseline, any fine-tuning."""

from __future__ import annotations

from typing import cast

from transformers import PreTrainedModel

from tinybert.config import Recipe
from tinybert.objectives import ContrastiveObjective, HardObjective
from tinybert.stages.steps.head import CONTRASTIVE_WEIGHT, choose_pooling
from tinybert.stages.steps.prepare import Encoded
from tinybert.storage import Json
from tinybert.training import Objective


def label_objective(
    model: PreTrainedModel, rows: Encoded, recipe: Recipe, *, begun: Json, source: str
) -> Objective:
    """Return the task's loss on labels, with the contrastive loss beside it where that is used.

    Args:
        model: What is trained.
        rows: What it is trained on.
        recipe: The resolved recipe.
        begun: How its head began, as :func:`tinybert.stages.steps.head.begin_head` returns it.
        source: The checkpoint that its encoder is from, which may say how it pools.
    """
    head = cast(Json, begun.get("head_start", {}))
    weight = recipe.train.contrastive_weight
    if weight == "auto":
        weight = cast(float, head.get(CONTRASTIVE_WEIGHT, 0.0))
    if weight == 0:
        return HardObjective(rows.hard_loss)
    pooling = str(head.get("pooling") or choose_pooling(source))
    return ContrastiveObjective(model, rows.hard_loss, weight=weight, pooling=pooling)
