from __future__ import annotations

from collections.abc import Callable

import pytest

from tinybert.metrics import timing
from tinybert.metrics.timing import median_seconds, seconds_of, take_turns


class Clock:
    """Stands still but for the calls, which say how long they take."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.calls: list[str] = []
        monkeypatch.setattr(timing.time, "perf_counter", lambda: self.now)

    def call(self, name: str, *seconds: float) -> Callable[[], None]:
        left = iter(seconds)

        def run() -> None:
            self.calls.append(name)
            self.now += next(left)

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_the_median_of_the_repeats_without_the_warm_up(clock: Clock) -> None:
    assert seconds_of(clock.call("a", 2.0)) == 2.0
    assert median_seconds(clock.call("a", 100.0, 3.0, 1.0, 2.0), repeats=3) == 2.0
    assert median_seconds(clock.call("a", 1.0, 4.0), repeats=2, warm_up=0) == 2.5


def test_calls_take_turns(clock: Clock) -> None:
    taken = take_turns({"a": clock.call("a", 9, 1, 2), "b": clock.call("b", 9, 3, 4)}, rounds=2)
    assert taken == {"a": [1, 2], "b": [3, 4]}
    assert clock.calls == ["a", "b"] * 3


def test_a_slow_call_is_not_repeated_and_its_warm_up_counts_where_it_is_all(clock: Clock) -> None:
    calls = {"slow": clock.call("slow", 6), "fast": clock.call("fast", 1, 1, 1)}
    assert take_turns(calls, rounds=2, enough_s=5) == {"slow": [6], "fast": [1, 1]}
