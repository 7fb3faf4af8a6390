"""Whether some labels are too rare to be learnt."""

from __future__ import annotations

from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding


def check_balance(context: Context) -> list[Finding]:
    """Ask the rows how even their labels are."""
    data = context.data
    given = [label for label in data.splits["train"]["label"] if label is not None]
    if not given:
        return [Finding("ok", "balance", "no train row has a label: the teacher labels them")]
    balance = data.format.balance(given, data.labels)
    if balance is None:
        return [Finding("ok", "balance", "not a question for this task")]
    hint = weights_hint(context) if balance.level == "warn" else ""
    return [Finding(balance.level, "balance", balance.message + hint)]


def weights_hint(context: Context) -> str:
    """Name the setting that helps where a teacher is fine-tuned; one that knows the task is followed."""
    plan = context.plan
    is_unset = plan.recipe.train.class_weights == "none"
    helps = plan.teacher.kind == "encoder" and plan.task.balanced_weights is not None and is_unset
    return "; train.class_weights=balanced counts the rare ones more" if helps else ""
