"""Run directories: made whole or not at all, resumed by the same command."""

from tinybert.runs.directory import CHECKPOINTS, Run, RunInProgress, environment, is_run, open_run
from tinybert.runs.inputs import digest_input, refuse_inside
from tinybert.storage import LOCK, Json, hold, lock, partial_path, read_json, write_json, write_text

__all__ = [
    "CHECKPOINTS",
    "LOCK",
    "Json",
    "Run",
    "RunInProgress",
    "digest_input",
    "environment",
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
