"""Whether rows, or groups of rows, are in two splits."""

from __future__ import annotations

from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding


def check_leakage(context: Context) -> list[Finding]:
    """Repeat what reading the rows found out about rows and groups that are in two splits."""
    data = context.data
    found = [notice.text for notice in data.notices if notice.kind == "leakage"]
    by = [] if data.group is None else [f"rows are grouped by {data.group}"]
    if found:
        return [Finding("warn", "leakage", "; ".join([*found, *by]))]
    return [Finding("ok", "leakage", "; ".join(["none between splits", *by]))]
