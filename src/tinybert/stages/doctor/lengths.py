"""How many rows are longer than what is read of one."""

from __future__ import annotations

from tinybert.data import count_truncated
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding


def check_lengths(context: Context) -> list[Finding]:
    """Count the rows that ``data.max_length`` truncates, or reads in windows."""
    plan, data, tokenizer = context.plan, context.data, context.tokenizer
    limit = plan.training.max_length
    cut = count_truncated(data.splits["train"], tokenizer, max_length=limit)
    share = cut.rows / max(cut.sampled, 1)
    if long := data.format.length_warning(data.splits["train"], tokenizer):
        return [Finding("warn", "lengths", long)]
    if cut.rows == 0:
        return [Finding("ok", "lengths", f"the longest row has {cut.longest} tokens, the limit is {limit}")]
    longer = f"{cut.rows:,} of {cut.sampled:,} train rows ({share:.1%}) are longer than {limit} tokens"
    if plan.task.format.windowed:
        return [Finding("ok", "lengths", f"{longer} and are read in windows; the longest has {cut.longest}")]
    text = (
        f"{longer} and lose "
        f"{cut.tokens_cut / cut.rows:.0f} on average; the longest has {cut.longest}; raise data.max_length "
        "to keep them"
    )
    return [Finding("warn" if share > 0.01 else "ok", "lengths", text)]
