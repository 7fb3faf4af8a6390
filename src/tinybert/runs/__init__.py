"""Run directories: made whole or not at all, resumed by the same command."""

from tinybert.runs.directory import (
    Json,
    Run,
    RunInProgress,
    files_digest,
    finished_run,
    is_run,
    open_run,
    partial_path,
    write_json,
    write_text,
)

__all__ = [
    "Json",
    "Run",
    "RunInProgress",
    "files_digest",
    "finished_run",
    "is_run",
    "open_run",
    "partial_path",
    "write_json",
    "write_text",
]
