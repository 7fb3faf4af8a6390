"""What a check of the doctor finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tinybert.console import warn
from tinybert.errors import DoctorError

Level = Literal["ok", "warn", "stop"]


@dataclass(frozen=True)
class Finding:
    """One check's outcome."""

    level: Level
    check: str
    message: str


def report_findings(findings: Sequence[Finding]) -> None:
    """Print what deserves attention, and stop where continuing would waste the training.

    Raises:
        DoctorError: All findings of level ``stop``.
    """
    for finding in findings:
        if finding.level == "warn":
            warn(f"{finding.check}: {finding.message}")
    stops = [f"{finding.check}: {finding.message}" for finding in findings if finding.level == "stop"]
    if stops:
        raise DoctorError("doctor", stops)
