"""What one model costs a process of its own: seconds until its first prediction, and memory.

``python -m tinybert.inference.footprint PATH BACKEND BEGUN [TASK]`` reads rows as JSON and prints
what it took as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import psutil

if TYPE_CHECKING:
    from tinybert.data import TextRow

MB = 1e6
KB = 1024
STATUS = Path("/proc/self/status")


def main() -> None:
    """Predict the rows and print what it took since the process began."""
    rows = json.load(sys.stdin)
    process = psutil.Process()
    from tinybert.inference.predictor import Predictor

    before = process.memory_info().rss
    predictor = Predictor(sys.argv[1], backend=sys.argv[2], task=next(iter(sys.argv[4:]), None))
    predictor([_given(rows[0])])
    start_up_s = time.time() - float(sys.argv[3])  # the system's own figure may be a second off
    predictor([_given(row) for row in rows])
    cost = {
        "start_up_s": start_up_s,
        "memory_mb": _peak_bytes(process) / MB,
        "memory_of_libraries_mb": before / MB,
    }
    print(json.dumps(cost))


def _given(row: object) -> TextRow:
    """A pair is a tuple; JSON made it a list."""
    return cast("TextRow", tuple(cast("list[str]", row)) if isinstance(row, list) else row)


def _peak_bytes(process: psutil.Process) -> int:
    """Return the most memory that the process held: what is resident now where Linux does not say.

    Not ``ru_maxrss``: a process begins with that of its parent.
    """
    lines = STATUS.read_text().splitlines() if STATUS.is_file() else []
    peak = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
    return process.memory_info().rss if peak is None else int(peak) * KB


if __name__ == "__main__":
    main()
