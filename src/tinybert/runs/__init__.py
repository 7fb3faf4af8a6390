"""Run directories: made whole or not at all, resumed by the same command."""

from tinybert.runs.directory import (
    CHECKPOINTS,
    METRICS,
    Run,
    RunInProgress,
    environment,
    is_run,
    missing_files,
    open_run,
)
from tinybert.runs.inputs import digest_input, refuse_inside

__all__ = [
    "CHECKPOINTS",
    "METRICS",
    "Run",
    "RunInProgress",
    "digest_input",
    "environment",
    "is_run",
    "missing_files",
    "open_run",
    "refuse_inside",
]
