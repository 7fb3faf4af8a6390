"""Whether the teacher knows the task."""

from __future__ import annotations

from tinybert.data import TextData
from tinybert.inference import Predictor
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding
from tinybert.stages.plan.distillation import DistillPlan

NAME = "teacher"
MAX_ROWS_SCORED = 500
MARGIN_OVER_MAJORITY = 0.02


def check_teacher(context: Context) -> list[Finding]:
    """Score the teacher on validation rows.

    A teacher that somebody brought and that does not know the task is a mistake, and stops. One that was
    fine-tuned in this very run had too few rows or epochs; that is reported, and the run continues.
    """
    plan = context.plan
    if plan.teacher.kind == "encoder":
        return [Finding("ok", NAME, "has no head for this task: it is fine-tuned on the train rows first")]
    if plan.teacher.kind == "file":
        return [Finding("ok", NAME, "a file of scores")]
    score, floor = teacher_score(plan, context.data)
    other = "the majority class" if floor else "a constant"
    text = f"validation {plan.task.main_metric} {score:.4f}, {floor:.4f} for {other}"
    if score >= floor + MARGIN_OVER_MAJORITY:
        return [Finding("ok", NAME, text)]
    if context.is_teacher_new:
        return [Finding("warn", NAME, f"{text}: it learned little; more rows or teacher.num_epochs may help")]
    fix = "fine-tune it first (`tinybert finetune`), or check its labels"
    return [Finding("stop", NAME, f"{text}: it does not know this task; {fix}")]


def teacher_score(plan: DistillPlan, data: TextData) -> tuple[float, float]:
    """Return the teacher's score on at most 500 validation rows, and that of always saying the same."""
    rows = data.splits["validation"].shuffle(seed=0)
    rows = rows.select(range(min(MAX_ROWS_SCORED, len(rows))))
    teacher = Predictor(
        plan.teacher.path,
        backend="torch",
        max_length=plan.training.max_length,
        labels=data.labels,
        task=plan.task,
        format=plan.task.format,
    )
    gold = data.format.gold(rows)
    score = plan.task.metrics(teacher.outputs(rows), gold)[plan.task.main_metric]
    return score, plan.task.constant_score(gold)
