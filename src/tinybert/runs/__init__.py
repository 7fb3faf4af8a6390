"""Run directories: made whole or not at all, resumed by the same command."""

from tinybert.runs.directory import (
    Json,
    Run,
    RunInProgress,
    finished_run,
    is_run,
    lock,
    open_run,
    partial_path,
    write_json,
    write_text,
)
from tinybert.runs.inputs import digest_input, refuse_inside

__all__ = [
    "Json",
    "Run",
    "RunInProgress",
    "digest_input",
    "finished_run",
    "is_run",
    "lock",
    "open_run",
    "partial_path",
    "refuse_inside",
    "write_json",
    "write_text",
]
