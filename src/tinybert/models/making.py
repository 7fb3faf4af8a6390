"""Models are made one at a time in a process: their libraries change what all threads share meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

import torch

_TURN = threading.RLock()


@contextmanager
def making(seed: int | None) -> Generator[None]:
    """Make or load a model while no other thread does.

    ``transformers`` replaces methods of its classes while it loads; two threads at once would put back what
    the other has replaced. The random numbers of a process are shared, too: a training in another thread must
    not draw from this seed.

    Args:
        seed: Of the weights that are drawn; the global generator is as before afterwards. None where none are
            drawn: it is not touched.
    """
    with _TURN:
        if seed is None:
            yield
            return
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
