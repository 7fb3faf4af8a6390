"""Whether teacher and data mean the same labels, in the same order."""

from __future__ import annotations

from tinybert.models import load_config
from tinybert.models.head import head_of
from tinybert.models.label_order import label_mismatch, label_order
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding
from tinybert.stages.plan.distillation import DistillPlan

NAME = "labels"


def check_labels(context: Context) -> list[Finding]:
    """Compare the teacher's labels with the data's."""
    plan, labels = context.plan, context.data.labels
    if plan.teacher.kind != "classifier":
        return [_labels_learned(plan)]
    if plan.task.writes:
        return [Finding("ok", NAME, "texts: the teacher writes its own")]
    id2label = load_config(plan.teacher.path).id2label
    order = label_order(id2label, labels)
    if order is None:
        return [Finding("stop", NAME, "the teacher " + label_mismatch(id2label, labels))]
    if order != list(range(len(order))):
        text = (
            "the teacher has the same labels in another order; its outputs are put in the data's order: "
            f"{', '.join(labels.names[:8])}"
        )
        return [Finding("warn", NAME, text)]
    return [Finding("ok", NAME, f"{labels.num_labels} on both sides, in the same order")]


def _labels_learned(plan: DistillPlan) -> Finding:
    """Say that a teacher without a head for this task is taught the data's labels."""
    if plan.teacher.kind == "file":
        return Finding("ok", NAME, "checked with the file of scores, row by row")
    head = head_of(load_config(plan.teacher.path))
    if head is not None:
        return Finding(
            "warn",
            NAME,
            f"the teacher was trained for another task ({head.class_ending}): its head is replaced, and it "
            "is fine-tuned on the train rows",
        )
    return Finding("ok", NAME, "the teacher learns the data's own labels")
