"""Whether the teacher knows the task."""

from __future__ import annotations

from dataclasses import dataclass

from tinybert.data import TextData
from tinybert.evaluation import MIN_GAIN, is_above_chance, is_above_constant
from tinybert.inference import Predictor
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding
from tinybert.stages.plan.distillation import DistillPlan

NAME = "teacher"
MAX_ROWS_SCORED = 500
MIN_ROWS_APART = 5
"""With fewer validation rows that a constant prediction has wrong, no score says much."""


@dataclass(frozen=True)
class TeacherScore:
    """How well a teacher knows the task, on validation rows.

    Attributes:
        score: Its main metric.
        constant: That of always predicting the same.
        gain: What tells the two apart: a chance-corrected metric where the task has one, else the share of
            what lies between ``constant`` and 1; at 0 it is no better.
        num_rows: Scored.
    """

    score: float
    constant: float
    gain: float
    num_rows: int

    @property
    def num_apart(self) -> int:
        """How many rows a constant prediction has wrong, about."""
        return round(self.num_rows * (1 - self.constant))


def check_teacher(context: Context) -> list[Finding]:
    """Score the teacher on validation rows.

    A teacher that somebody brought and that does not know the task is a mistake, and stops, unless
    ``teacher.check=false``. One that was fine-tuned in this very run had too few rows or epochs; that is
    reported, and the run continues, as where the validation rows cannot tell.
    """
    plan, may_stop = context.plan, context.plan.recipe.teacher.check
    if plan.teacher.kind == "encoder":
        return [Finding("ok", NAME, "has no head for this task: it is fine-tuned on the train rows first")]
    if plan.teacher.kind == "file":
        return [Finding("ok", NAME, "a file of scores")]
    found = teacher_score(plan, context.data)
    text = _in_words(found, plan)
    if found.gain >= MIN_GAIN:
        if _is_above_chance(found, plan):
            return [Finding("ok", NAME, text)]
        return [Finding("warn", NAME, f"{text}: of {found.num_rows:,} rows chance alone may give so much")]
    if found.num_apart < MIN_ROWS_APART:
        apart = f"only {found.num_apart} of {found.num_rows:,} validation rows differ from it"
        return [Finding("warn", NAME, f"{text}: {apart}, too few to judge by; give more of them")]
    if context.is_teacher_new:
        return [Finding("warn", NAME, f"{text}: it learned little; more rows or teacher.num_epochs may help")]
    text += ": it does not know this task"
    if not may_stop:
        return [Finding("warn", NAME, f"{text}; continued, as teacher.check=false says")]
    fix = "fine-tune it first (`tinybert finetune`), check its labels, or continue with teacher.check=false"
    return [Finding("stop", NAME, f"{text}; {fix}")]


def _is_above_chance(found: TeacherScore, plan: DistillPlan) -> bool:
    if plan.task.chance_corrected is None:
        best_score = plan.task.best_score
        return is_above_constant(found.score, found.constant, num_rows=found.num_rows, best_score=best_score)
    return is_above_chance(found.gain, num_rows=found.num_rows)


def _in_words(found: TeacherScore, plan: DistillPlan) -> str:
    other = "the majority class" if found.constant else "a constant"
    text = f"validation {plan.task.main_metric} {found.score:.4f}, {found.constant:.4f} for {other}"
    metric = plan.task.chance_corrected
    return f"{text}; {metric} {found.gain:.2f}" if metric else text


def teacher_score(plan: DistillPlan, data: TextData) -> TeacherScore:
    """Score the teacher on at most 500 validation rows."""
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
    scores, constant = plan.task.metrics(teacher.outputs(rows), gold), plan.task.constant_score(gold)
    score = scores[plan.task.main_metric]
    if plan.task.chance_corrected is not None:
        gain = scores[plan.task.chance_corrected]
    else:
        best_score = plan.task.best_score
        gain = (score - constant) / (best_score - constant) if constant < best_score else 0.0
    return TeacherScore(score, constant, gain, len(rows))
