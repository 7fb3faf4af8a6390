"""How many rows are longer than what is read of one."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from tinybert.data import RowFormat, count_truncated
from tinybert.data.long_text import num_rows_truncated
from tinybert.models import load_config
from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.tasks import notes_of

FEW = 0.01
MANY = 0.05
"""From this share of truncated rows on, another way to read them is advised."""
MAX_ROWS_ENCODED = 2000


def check_lengths(context: Context) -> list[Finding]:
    """Count the rows that are longer than ``data.max_length``."""
    rows, format = context.data.splits["train"], context.plan.task.format
    found = length_finding(rows, context.tokenizer, format, max_length=context.plan.training.max_length)
    return [found, *_of_held_out(context), *_of_teacher(context.plan)]


def _of_held_out(context: Context) -> list[Finding]:
    """Warn where many held-out rows are truncated, and few of train: they are other texts."""
    format, max_length = context.plan.task.format, context.plan.training.max_length
    if format.windowed or format.in_windows:
        return []
    cut = {
        name: count_truncated(rows, context.tokenizer, max_length=max_length)
        for name, rows in context.data.splits.items()
    }
    return [
        Finding(
            "warn",
            "lengths",
            f"{each.rows:,} of {each.sampled:,} {name} rows ({each.share:.1%}) are longer than {max_length} "
            f"tokens, of the train rows {cut['train'].share:.1%}: these texts are of another kind",
        )
        for name, each in cut.items()
        if each.share > max(MANY, 2 * cut["train"].share)
    ]


def length_finding(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, format: RowFormat, *, max_length: int
) -> Finding:
    """Say how many train rows are longer than a model reads, and what becomes of them and of their labels."""
    found = _of_whole_rows(rows, tokenizer, format, max_length=max_length)
    long = format.length_warning(rows, tokenizer)
    return Finding("warn", "lengths", f"{long}; {found.message}") if long else found


def _of_whole_rows(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, format: RowFormat, *, max_length: int
) -> Finding:
    found = _of_rows(rows, tokenizer, format, max_length)
    if not format.windowed or "text_pair" not in rows.column_names:
        return found
    some, windows = _windows_of_some(rows, tokenizer, format, max_length)
    num_cut = num_rows_truncated(windows)
    if not num_cut:
        return found
    what = f"{num_cut:,} of {len(some['text']):,} train {format.truncation(max_length)}"
    return Finding("warn", "lengths", f"{found.message}; {what}")


def _of_rows(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, format: RowFormat, max_length: int
) -> Finding:
    cut = count_truncated(rows, tokenizer, max_length=max_length)
    if cut.rows == 0:
        text = f"the longest row has {cut.longest} tokens, the limit is {max_length}"
        return Finding("ok", "lengths", text)
    count = f"{cut.rows:,} of {cut.sampled:,} train rows ({cut.share:.1%})"
    longer = f"{count} are longer than {max_length} tokens"
    longest = f"the longest has {cut.longest}"
    if format.in_windows:
        read, share_in_part = _read_in_windows(rows, tokenizer, format, max_length)
        level = "warn" if share_in_part > FEW else "ok"
        return Finding(level, "lengths", f"{longer} and are read in windows{read}; {longest}")
    lost = f"lose {cut.tokens_cut / cut.rows:.0f} on average"
    if not format.truncates:
        return Finding("ok", "lengths", f"{longer} and {lost}, from their middle; {longest}")
    advice = "raise data.max_length to keep them"
    if cut.share > MANY and "long_text" in format.settings:
        advice += ", or set data.long_text=head_tail or windows"
    level = "warn" if cut.share > FEW else "ok"
    return Finding(level, "lengths", f"{longer} and {lost}; {longest}; {advice}")


def _of_teacher(plan: DistillPlan) -> list[Finding]:
    """Say that a teacher of ours was trained to read long rows otherwise than they are read here."""
    if plan.teacher.kind != "classifier":
        return []
    notes, section = notes_of(load_config(plan.teacher.path)), plan.recipe.data
    others = {name: notes[name] for name in plan.task.format.kept if name in notes}
    if all(getattr(section, name) == value for name, value in others.items()):
        return []
    settings = ", ".join(f"data.{name}={value}" for name, value in others.items())
    return [Finding("warn", "lengths", f"the teacher was trained with {settings}; here it reads otherwise")]


def _read_in_windows(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, format: RowFormat, max_length: int
) -> tuple[str, float]:
    """Say how many windows a row has, which rows are read in part, of about 2,000, and how large a share."""
    some, windows = _windows_of_some(rows, tokenizer, format, max_length)
    num_rows = len(some["text"])
    text = f", {len(windows['input_ids']) / num_rows:.1f} a row on average"
    num_cut = num_rows_truncated(windows)
    if not num_cut or format.windowed:  # which says itself what it cuts
        return text, 0.0
    what = "they have more than data.max_windows windows"
    if "text_pair" in some:
        what += ", or a second text longer than a window leaves room for"
    return f"{text} ({num_cut:,} of {num_rows:,} rows are read in part: {what})", num_cut / num_rows


def _windows_of_some(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, format: RowFormat, max_length: int
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Return about 2,000 rows, spread over the split, and their windows."""
    some = rows[range(0, len(rows), max(1, len(rows) // MAX_ROWS_ENCODED))]
    return some, format.encode(tokenizer, some, max_length=max_length)
