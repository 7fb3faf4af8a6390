"""What a stage says while it works: to standard error, so that standard output stays data."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Print one line of progress."""
    print(text, file=sys.stderr, flush=True)
