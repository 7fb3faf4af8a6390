"""How long a call takes: the only timer, medians of repeats, what is compared takes turns."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

Key = TypeVar("Key")


def seconds_of(call: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def median_seconds(call: Callable[[], object], *, repeats: int, warm_up: int = 1) -> float:
    """Return the median seconds of some calls, after a few that are not counted.

    Args:
        call: What is timed.
        repeats: Calls that count, at least one.
        warm_up: Calls before them.
    """
    return statistics.median(take_turns({"": call}, rounds=repeats, warm_up=warm_up)[""])


def take_turns(
    calls: Mapping[Key, Callable[[], object]], *, rounds: int, warm_up: int = 1, enough_s: float = math.inf
) -> dict[Key, list[float]]:
    """Time calls in turns, so that a busy moment of the machine falls on all of them.

    Args:
        calls: Name → what is timed.
        rounds: Calls of each that count, at least one.
        warm_up: Calls of each before them.
        enough_s: What has taken so long in all is not called again; its warm-up counts where it was all.

    Returns:
        Name → the seconds of each call that counts.
    """
    taken: dict[Key, list[float]] = {name: [] for name in calls}
    for _ in range(warm_up + rounds):
        for name, call in calls.items():
            if sum(taken[name]) < enough_s:
                taken[name].append(seconds_of(call))
    return {name: seconds[warm_up:] or seconds for name, seconds in taken.items()}
