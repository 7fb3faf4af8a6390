"""What a stage says while it works: to standard error, so that standard output stays data."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from tqdm.auto import tqdm

PLAIN_LINES = 10
PLAIN_LINE_S = 2


def say(text: str) -> None:
    """Print one line of progress."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def counting(label: str, total: int, *, unit: str, done: int = 0) -> Generator[Callable[[int], object]]:
    """Show how far something is: a bar, or a few plain lines where there is no terminal.

    Args:
        label: What is going on.
        total: How many there are.
        unit: What they are, in the plural.
        done: How many an earlier, killed command did.

    Yields:
        What is called with the number that has been done since the last call.
    """
    if sys.stderr.isatty():
        with tqdm(total=total, initial=done, desc=label, unit=f" {unit}", leave=False) as bar:
            yield bar.update
        return
    start = said = time.perf_counter()
    so_far = last = done

    def advance(count: int) -> None:
        nonlocal so_far, last, said
        so_far += count
        now = time.perf_counter()
        is_due = so_far - last >= total / PLAIN_LINES and now - said >= PLAIN_LINE_S
        if is_due or so_far == total:
            last, said = so_far, now
            speed = (so_far - done) / max(now - start, 1e-9)
            left = (total - so_far) / max(speed, 1e-9)
            say(f"{label}: {so_far:,}/{total:,} {unit}, {speed:,.0f} a second, {left:.0f} s left")

    yield advance
