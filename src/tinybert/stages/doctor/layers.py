"""Which teacher layers the student starts from and learns."""

from __future__ import annotations

from tinybert.models import EncoderInfo, Shape
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding


def is_far_below(shape: Shape, teacher: EncoderInfo) -> bool:
    """Return whether a student keeps a third of its teacher's layers, or fewer, at half the width or less."""
    return 3 * shape.num_hidden_layers <= teacher.num_hidden_layers and (
        2 * shape.hidden_size <= teacher.hidden_size
    )


def check_layers(context: Context) -> list[Finding]:
    """Say which teacher layers the student starts and learns from, and how the heads compare."""
    plan = context.plan
    info = plan.teacher.info
    if not plan.layer_map:
        return [Finding("ok", "layers", f"start: {plan.start}; no layers are matched")]
    text = (
        f"start: {plan.start}; student layers 1–{len(plan.layer_map)} ← {plan.cut_from} layers "
        f"{list(plan.layer_map)}"
    )
    if plan.recipe.student.source is not None:
        return [Finding("ok", "layers", f"{text}; the teacher teaches predictions only")]
    if info is not None and is_far_below(plan.shape, info):
        text += "; much smaller than its teacher, it may start better from a smaller model (student.source)"
    if info is not None and info.num_attention_heads != plan.shape.num_attention_heads:
        text += (
            f"; {plan.shape.num_attention_heads} heads against {info.num_attention_heads}: attention scores "
            "cannot be compared (relation_kl can)"
        )
    return [Finding("ok", "layers", text)]
