"""Whether rows, or groups of rows, are in two splits."""

from __future__ import annotations

from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding

SIGNS = ("in train too", "also in train")
"""What warnings of rows and of groups in two splits say."""


def check_leakage(context: Context) -> list[Finding]:
    """Repeat what reading the rows found out about rows and groups that are in two splits."""
    data = context.data
    found = [warning for warning in data.warnings if any(sign in warning for sign in SIGNS)]
    by = [] if data.group is None else [f"rows are grouped by {data.group}"]
    if found:
        return [Finding("warn", "leakage", "; ".join([*found, *by]))]
    return [Finding("ok", "leakage", "; ".join(["none between splits", *by]))]
