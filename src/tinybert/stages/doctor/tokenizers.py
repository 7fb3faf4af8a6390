"""Whether tokenizers know the text, student and teacher read the same, and what another makes approximate."""

from __future__ import annotations

from collections.abc import Sequence

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from tinybert.data import RowFormat
from tinybert.models import load_tokenizer
from tinybert.models.tokenizers import same_tokenizer
from tinybert.models.unknown_pieces import case_problem, count_unknown
from tinybert.objectives import HARD, is_intermediate
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding

NAME = "tokenizers"
MAX_UNKNOWN = 0.02
MAX_ROWS_READ = 1000


def check_tokenizers(context: Context) -> list[Finding]:
    """Say whether student and teacher read the same tokens, and how many of them are unknown."""
    plan, tokenizer = context.plan, context.tokenizer
    rows, format = context.data.splits["train"], context.data.format
    if plan.teacher.kind == "file" or plan.source == plan.teacher.path:
        text = f"the student reads with its source's tokenizer ({len(tokenizer):,} pieces)"
        return [_joined(Finding("ok", NAME, text), tokenizer_finding(rows, tokenizer, format))]
    others = load_tokenizer(plan.teacher.path)
    if same_tokenizer(tokenizer, others):
        same = Finding("ok", NAME, "the same on both sides")
        return [_joined(same, tokenizer_finding(rows, tokenizer, format))]
    both = [
        tokenizer_finding(rows, each, format, whose=whose)
        for each, whose in ((tokenizer, "the student's "), (others, "the teacher's "))
    ]
    return [_joined(_compared(context), *both)]


def tokenizer_finding(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, format: RowFormat, *, whose: str = ""
) -> Finding:
    """Say how many pieces of about 1,000 rows a tokenizer does not know, and that it loses capitals."""
    some = rows[range(0, len(rows), max(1, len(rows) // MAX_ROWS_READ))]
    found = _of_texts([*some["text"], *some.get("text_pair", ())], tokenizer, whose=whose)
    targets = format.label_texts(some.get("label", ()))
    if not targets:
        return found
    return _joined(found, _of_texts(targets, tokenizer, whose=f"{whose}targets' ", verb="write them"))


def _of_texts(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, whose: str, verb: str = "tell them apart"
) -> Finding:
    unknown, case = count_unknown(tokenizer, texts), case_problem(tokenizer, texts)
    message = f"{unknown.share:.1%} of {whose}pieces are unknown"
    if many := unknown.share > MAX_UNKNOWN:
        examples = ", ".join(map(repr, unknown.examples))
        message += (
            f", most often {examples}: the model cannot {verb}; take one that knows them "
            "(bundled:e5 reads about 100 languages)"
        )
    if case:
        message += f"; {whose or 'the '}tokenizer: {case}"
    return Finding("warn" if many or case else "ok", NAME, message)


def _compared(context: Context) -> Finding:
    """Say which losses are approximate where the tokenizers differ."""
    plan = context.plan
    per_piece = plan.task.format.windowed
    exact = [name for name in plan.losses if name == HARD or not (per_piece or is_intermediate(name))]
    pooled = [name for name in plan.losses if name not in exact]
    text = "different: each side reads with its own"
    if not pooled:
        return Finding("ok", NAME, f"{text}; all losses are exact ({', '.join(exact)})")
    return Finding(
        "warn",
        NAME,
        f"{text}; exact: {', '.join(exact) or 'none'}; approximate: {', '.join(pooled)} (the "
        "teacher's pieces over one of the student's are averaged, weighted by the characters they share)",
    )


def _joined(*findings: Finding) -> Finding:
    """Return findings as one."""
    warned = any(finding.level == "warn" for finding in findings)
    message = "; ".join(finding.message for finding in findings)
    return Finding("warn" if warned else "ok", NAME, message)
