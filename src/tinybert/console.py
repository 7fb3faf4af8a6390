"""What a command says while it works: to standard error, so that standard output stays data; rank 0 only."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tqdm import tqdm

SHARE_A_LINE, MIN_LINE_S, MAX_LINE_S = 0.1, 2, 60

_bars: list[tqdm] = []


class Advance(Protocol):
    """Moves a progress bar."""

    def __call__(self, count: int, note: str = "", *, total: int | None = None) -> object:
        """Count what has been done since the last call.

        Args:
            count: So many more.
            note: Comes after the figures.
            total: How many there are by now, where that has changed.
        """
        ...


def is_first_process() -> bool:
    """Return whether this process is the one of several that speaks."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """Print a line, above the progress bar where there is one."""
    if not is_first_process():
        return
    if _bars:
        _bars[-1].write(text, file=sys.stderr)
    else:
        print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Print a line about something odd that does not stop the command."""
    say(f"warning: {text}")


@contextmanager
def progress(
    label: str, total: int | None, *, unit: str, done: int = 0, every_s: float = MAX_LINE_S
) -> Generator[Advance]:
    """Show how far something is: a bar, or a few plain lines where there is no terminal.

    Args:
        label: What is going on.
        total: How many there are; None where nobody knows.
        unit: What they are, in the plural.
        done: How many an earlier, killed command did.
        every_s: Seconds after which a plain line comes at the latest; without a total, at the earliest.

    Yields:
        What is called with the number that has been done since the last call.
    """
    if not is_first_process():
        yield lambda count, note="", *, total=None: None
    elif sys.stderr.isatty():
        with _bar(label, total, unit=unit, done=done) as advance:
            yield advance
    else:
        yield _Lines(label, total, unit=unit, done=done, every_s=every_s)


@contextmanager
def _bar(label: str, total: int | None, *, unit: str, done: int) -> Generator[Advance]:
    from tqdm import tqdm

    scale = unit == "bytes"  # 94.4M, not 94387430
    with tqdm(
        total=total,
        initial=done,
        desc=label,
        unit=f" {unit}",
        unit_scale=scale,
        leave=False,
        dynamic_ncols=True,
    ) as bar:
        _bars.append(bar)

        def advance(count: int, note: str = "", *, total: int | None = None) -> None:
            bar.total = total or bar.total
            if note:
                bar.set_postfix_str(note, refresh=False)
            bar.update(count)

        try:
            yield advance
        finally:
            _bars.remove(bar)


class _Lines:
    """Prints a line at each tenth, if some seconds have passed since the last, and at the end."""

    def __init__(self, label: str, total: int | None, *, unit: str, done: int, every_s: float) -> None:
        self.label, self.total, self.unit, self.every_s = label, total, unit, every_s
        self.begun_with = self.done = self.last = done
        self.start = self.printed = time.perf_counter()

    def __call__(self, count: int, note: str = "", *, total: int | None = None) -> None:
        self.done += count
        self.total = total or self.total
        now = time.perf_counter()
        if self._is_due(now):
            self.last, self.printed = self.done, now
            say(self._line(now) + (f", {note}" if note else ""))

    def _is_due(self, now: float) -> bool:
        is_late = now - self.printed >= self.every_s
        if self.total is None:
            return is_late
        is_tenth = self.done - self.last >= self.total * SHARE_A_LINE and now - self.printed >= MIN_LINE_S
        return is_late or is_tenth or self.done == self.total

    def _line(self, now: float) -> str:
        speed = (self.done - self.begun_with) / max(now - self.start, 1e-9)
        if self.total is None:
            return f"{self.label}: {self.done:,} {self.unit}, {speed:,.0f} a second"
        left = max(self.total - self.done, 0) / max(speed, 1e-9)
        share = f"{self.done:,}/{self.total:,} {self.unit} ({self.done / max(self.total, 1):.0%})"
        return f"{self.label}: {share}, {speed:,.0f} a second, {left:,.0f} s left"
