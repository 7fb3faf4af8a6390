"""Whether student and teacher read the same tokens, and what an other tokenizer makes approximate."""

from __future__ import annotations

from tinybert.models import load_tokenizer
from tinybert.models.tokenizers import same_tokenizer
from tinybert.objectives import HARD, is_intermediate
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding


def check_tokenizers(context: Context) -> list[Finding]:
    """Say whether student and teacher read the same tokens."""
    plan, tokenizer = context.plan, context.tokenizer
    if plan.teacher.kind == "file" or plan.source == plan.teacher.path:
        return [
            Finding(
                "ok",
                "tokenizers",
                f"the student reads with its source's tokenizer ({len(tokenizer):,} pieces)",
            )
        ]
    if same_tokenizer(tokenizer, load_tokenizer(plan.teacher.path)):
        return [Finding("ok", "tokenizers", "the same on both sides")]
    per_piece = plan.task.format.windowed
    exact = [name for name in plan.losses if name == HARD or not (per_piece or is_intermediate(name))]
    pooled = [name for name in plan.losses if name not in exact]
    text = "different: each side reads with its own"
    if not pooled:
        return [Finding("ok", "tokenizers", f"{text}; all losses are exact ({', '.join(exact)})")]
    return [
        Finding(
            "warn",
            "tokenizers",
            f"{text}; exact: {', '.join(exact) or 'none'}; approximate: {', '.join(pooled)} (the "
            "teacher's pieces over one of the student's are averaged, weighted by the characters they share)",
        )
    ]
