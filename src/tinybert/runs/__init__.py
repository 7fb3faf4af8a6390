"""Run directories: made whole or not at all, resumed by the same command."""

from tinybert.runs.directory import (
    CHECKPOINTS,
    LOCK,
    Json,
    Run,
    RunInProgress,
    environment,
    finished_run,
    hold,
    is_run,
    lock,
    open_run,
    partial_path,
    read_json,
    write_json,
    write_text,
)
from tinybert.runs.inputs import digest_input, refuse_inside

__all__ = [
    "CHECKPOINTS",
    "LOCK",
    "Json",
    "Run",
    "RunInProgress",
    "digest_input",
    "environment",
    "finished_run",
    "hold",
    "is_run",
    "lock",
    "open_run",
    "partial_path",
    "read_json",
    "refuse_inside",
    "write_json",
    "write_text",
]
