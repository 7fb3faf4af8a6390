"""All checks of a distillation, with nothing trained: the command ``tinybert doctor``."""

from __future__ import annotations

from pathlib import Path

from tinybert.config import Recipe
from tinybert.errors import RecipeError
from tinybert.stages.doctor import CHECKS, CHECKS_OF_MODELS, Context, Finding
from tinybert.stages.pipeline import make_plan
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.steps.distillation import prepare_rows


def examine(recipe: Recipe, source: object, folder: Path) -> list[Finding]:
    """Do all checks of a distillation; a reason to stop ends them.

    Args:
        recipe: Of the distillation.
        source: The rows: anything :func:`tinybert.data.load` reads.
        folder: For what the checks write.

    Raises:
        RecipeError: The recipe is none of a task's distillation.
    """
    plan = make_plan(recipe)
    if not isinstance(plan, DistillPlan):
        raise RecipeError("recipe", f"stage = '{recipe.stage}': the doctor checks distillations of a task")
    data, encoded, _ = prepare_rows(plan, source, folder)
    context = Context(plan, data, encoded)
    findings = [finding for check in CHECKS.values() for finding in check(context)]
    if any(finding.level == "stop" for finding in findings):
        return findings
    return findings + [finding for check in CHECKS_OF_MODELS.values() for finding in check(context)]
