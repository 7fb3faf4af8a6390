"""Workers that make copies: what goes wrong in one comes back, and they end with their parent.

Each worker imports what it needs again: that is little here, as nothing of torch is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tinybert.augmentation import BLOCK, copies_in_blocks
from tinybert.errors import RecipeError

SCRIPT = """
import time
from tinybert.augmentation import copies_in_blocks

class Slow:
    def copies_of(self, rows, **_):
        time.sleep(60)

if __name__ == "__main__":
    rows = [{"text": f"some words {number}"} for number in range(600)]
    list(copies_in_blocks(Slow, rows, format=None, seed=0, num_processes=2))
"""
PATIENCE_S = 60


def eventually(is_so) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_workers_end_with_their_parent(tmp_path: Path, how: str):
    (tmp_path / "work.py").write_text(SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "work.py"], stderr=subprocess.PIPE, start_new_session=True
    )
    process = psutil.Process(parent.pid)

    def workers():
        return [each for each in process.children() if "spawn_main" in " ".join(each.cmdline())]

    try:
        assert eventually(lambda: len(workers()) == 2)
        time.sleep(2)  # until they have imported what they need
        started = workers()
        os.killpg(parent.pid, signal.SIGINT) if how == "SIGINT" else parent.kill()
        _, said = parent.communicate(timeout=PATIENCE_S)
    finally:
        parent.kill()
    assert len(started) == 2
    assert b"SpawnProcess" not in said  # no traceback of a worker
    assert eventually(lambda: not any(each.is_running() for each in started))


def lacks_something():
    raise RecipeError("augment.wordnet", "no such folder")


def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("make", "said"), [(lacks_something, "no such folder"), (is_killed, "was stopped")])
def test_what_goes_wrong_in_a_process_comes_back(make, said):
    rows = [{"text": "some words"}] * (BLOCK + 1)
    with pytest.raises(RecipeError, match=said):
        list(copies_in_blocks(make, rows, format=None, seed=3, num_processes=2))
