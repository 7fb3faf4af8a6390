"""How many rows are longer than what is read of one."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase

from tinybert.data import WINDOWED, TextData, count_truncated, tokenise
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding
from tinybert.tasks.qa import MAX_ANSWER_PIECES

MAX_ANSWERS_COUNTED = 2000


def check_lengths(context: Context) -> list[Finding]:
    """Count the rows that ``data.max_length`` truncates, or reads in windows."""
    plan, data, tokenizer = context.plan, context.data, context.tokenizer
    limit = plan.training.max_length
    cut = count_truncated(data.splits["train"], tokenizer, max_length=limit)
    share = cut.rows / max(cut.sampled, 1)
    if long := long_answers(data, tokenizer) if plan.task.label_kind == "span" else "":
        return [Finding("warn", "lengths", long)]
    if cut.rows == 0:
        return [Finding("ok", "lengths", f"the longest row has {cut.longest} tokens, the limit is {limit}")]
    longer = f"{cut.rows:,} of {cut.sampled:,} train rows ({share:.1%}) are longer than {limit} tokens"
    if plan.task.label_kind in WINDOWED:
        return [Finding("ok", "lengths", f"{longer} and are read in windows; the longest has {cut.longest}")]
    text = (
        f"{longer} and lose "
        f"{cut.tokens_cut / cut.rows:.0f} on average; the longest has {cut.longest}; raise data.max_length "
        "to keep them"
    )
    return [Finding("warn" if share > 0.01 else "ok", "lengths", text)]


def long_answers(data: TextData, tokenizer: PreTrainedTokenizerBase) -> str:
    """Say how many answers are longer than one that is ever given; empty when none is."""
    rows = data.splits["train"].select(range(min(MAX_ANSWERS_COUNTED, len(data.splits["train"]))))
    answers = [
        context[start:end]
        for context, spans in zip(rows["text_pair"], rows["label"], strict=True)
        for start, end in spans or []
    ]
    long = sum(len(pieces) > MAX_ANSWER_PIECES for pieces in tokenise(answers, tokenizer))
    if not long:
        return ""
    return (
        f"{long:,} of {len(answers):,} train answers are longer than {MAX_ANSWER_PIECES} pieces, the longest "
        "answer that is ever given; they cannot be found whole: ask for shorter ones"
    )
