"""All checks of a distillation, with nothing trained: the command ``tinybert doctor``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tinybert.config import Recipe
from tinybert.errors import RecipeError
from tinybert.sources.objects import source_of
from tinybert.stages.doctor import CHECKS, CHECKS_OF_MODELS, Context, Finding
from tinybert.stages.pipeline import make_plan
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.plan.vocabulary import trims
from tinybert.stages.steps.distillation import encode_for, read_rows
from tinybert.stages.steps.trimming import Trimmed, trim_checkpoints, with_trimmed
from tinybert.training import one_at_a_time


@one_at_a_time()
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
    data, trimmed = read_rows(plan, source_of(source), folder), None
    if trims(recipe):
        summary = trim_checkpoints(plan, data, folder / "vocabulary")
        trimmed, plan = Trimmed(plan, summary), with_trimmed(plan, folder / "vocabulary", summary)
    context = Context(plan, data, encode_for(plan, data, folder)[0], trimmed=trimmed)
    findings = [finding for check in CHECKS.values() for finding in check(context)]
    if any(finding.level == "stop" for finding in findings):
        return findings
    if trimmed is not None:  # a teacher is scored with its whole vocabulary
        context = replace(context, plan=replace(plan, teacher=trimmed.plan.teacher))
    return findings + [finding for check in CHECKS_OF_MODELS.values() for finding in check(context)]
