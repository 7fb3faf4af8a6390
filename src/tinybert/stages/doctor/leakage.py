"""Whether rows are in two splits."""

from __future__ import annotations

from tinybert.stages.doctor.context import Context
from tinybert.stages.doctor.finding import Finding


def check_leakage(context: Context) -> list[Finding]:
    """Repeat what reading the rows found out about rows that are in two splits."""
    found = [warning for warning in context.data.warnings if "in train too" in warning]
    if found:
        return [Finding("warn", "leakage", "; ".join(found))]
    return [Finding("ok", "leakage", "none between splits")]
