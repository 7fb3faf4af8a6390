"""One training at a time in a process: a seed sets the random numbers of all its threads."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

from tinybert.console import say

_TURN = threading.RLock()


@contextmanager
def one_at_a_time() -> Generator[None]:
    """Wait until no other thread trains, so that a training has the weights that it would have alone.

    What a training calls may ask for its turn again. Other processes are not waited for, nor do predictions
    wait.
    """
    if not _TURN.acquire(blocking=False):
        say("another run of this process is not finished yet; waiting for it")
        _TURN.acquire()
    try:
        yield
    finally:
        _TURN.release()
