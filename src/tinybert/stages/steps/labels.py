"""What a model that learns from labels alone minimises: a teacher, a baseline, any fine-tuning."""

from __future__ import annotations

from typing import cast

from transformers import PreTrainedModel

from tinybert.config import Recipe
from tinybert.objectives import ContrastiveObjective, HardObjective
from tinybert.stages.steps.prepare import Encoded
from tinybert.storage import Json
from tinybert.training import Objective

FEW_ROWS = 1_000
"""Up to so many, texts of one class are drawn together by default (docs/results.md, few labels)."""


def label_objective(model: PreTrainedModel, rows: Encoded, recipe: Recipe, *, begun: Json) -> Objective:
    """Return the task's loss on labels, with the contrastive loss beside it where that is used.

    Args:
        model: What is trained.
        rows: What it is trained on.
        recipe: The resolved recipe.
        begun: How its head began, as :func:`tinybert.stages.steps.head.begin_head` returns it.
    """
    head = cast(Json, begun.get("head_start", {}))
    weight = recipe.train.contrastive_weight
    if weight == "auto":
        is_used = bool(head) and rows.task.is_contrastive and cast(int, head["num_rows"]) <= FEW_ROWS
        weight = float(is_used and not rows.origin["text_pair"] and recipe.data.long_text != "windows")
    if weight == 0:
        return HardObjective(rows.hard_loss)
    pooling = str(head.get("pooling", "mean"))
    return ContrastiveObjective(model, rows.hard_loss, weight=weight, pooling=pooling)
