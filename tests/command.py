"""The command as a user gives it: called, refused, killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tinybert.cli import main

PROCESSES = multiprocessing.get_context("forkserver")  # each begins with all imports done, which take seconds
PROCESSES.set_forkserver_preload(["tests.easy", "tinybert.stages.distill"])


def call(*words: object) -> None:
    """Run a command in this process."""
    main([str(word) for word in words])


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Return what a command that exits with 2 says; it says no traceback."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        call(*words)
    captured = capsys.readouterr()
    assert caught.value.code == 2, captured.err
    assert "Traceback" not in captured.err + captured.out
    return captured.err + captured.out


def metrics_of(run: Path) -> dict[str, dict[str, object]]:
    """Return what a run measured."""
    return json.loads((run / "metrics.json").read_text())


def kill_when(words: Sequence[object], is_amid: Callable[[], object], *, limit_s: float = 120) -> None:
    """Give a command in a process of its own, and kill it as soon as it is seen to be amid its work."""
    process = PROCESSES.Process(target=_command, args=([*map(str, words)], dict(os.environ)))
    process.start()
    deadline = time.monotonic() + limit_s
    try:
        while not is_amid():
            assert process.is_alive(), "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        process.kill()
        process.join()


def _command(words: list[str], environment: dict[str, str]) -> None:
    """Run a command whose output nobody reads, as a process does that has just begun."""
    os.environ.update(environment)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    main(words)


def kill_after_first_checkpoint(words: Sequence[object], out: Path, *, step: str = "student") -> None:
    """Kill a run amid a training, as a rule the student's."""
    checkpoints = out.parent / f".{out.name}.partial" / "work" / step / "checkpoints"
    kill_when(words, lambda: any(map(is_whole, checkpoints.glob("checkpoint-*/trainer_state.json"))))
    assert not out.exists()


def is_whole(file: Path) -> bool:
    """Return whether a file of JSON was written to its end; of another, whether it is there."""
    if file.suffix != ".json":
        return file.exists()
    try:
        return bool(json.loads(file.read_text()))
    except (OSError, ValueError):
        return False
