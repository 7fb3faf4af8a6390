"""What a training leaves on disk on its way: checkpoints, and in them the log of its steps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

STATE = "trainer_state.json"
KEPT = ("step", "grad_norm", "learning_rate", "seconds", "tokens_per_second")
"""What a row of the history holds besides losses and scores."""


def last_whole_checkpoint(work_dir: Path) -> Path | None:
    """Return the newest checkpoint that was written to its end; half-written ones are removed.

    The trainer writes ``trainer_state.json`` last, so a checkpoint without a readable one was cut short.
    """
    found = sorted(
        work_dir.glob(f"{PREFIX_CHECKPOINT_DIR}-*"), key=lambda path: int(path.name.rpartition("-")[2])
    )
    whole: Path | None = None
    for path in found:
        try:
            json.loads((path / STATE).read_text(encoding="utf-8"))
            whole = path
        except (OSError, ValueError):
            shutil.rmtree(path)
    return whole


def num_log_entries(checkpoint: Path | None) -> int:
    """Return how many entries the log of a checkpoint holds; none where training begins."""
    if checkpoint is None:
        return 0
    state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    return len(state["log_history"])


def scores_of(log_history: list[dict[str, float]], main_metric: str) -> dict[int, float]:
    """Return step → validation score, of the trainer's log entries."""
    key = f"eval_{main_metric}"
    return {int(entry["step"]): entry[key] for entry in log_history if key in entry}


def epoch_rows(log_history: list[dict[str, float]]) -> list[dict[str, float]]:
    """Join the trainer's log entries into one row an epoch or evaluation: loss and terms, then its scores."""
    rows: dict[float, dict[str, float]] = {}
    for entry in log_history:
        row = rows.setdefault(entry["step"], {"epoch": round(entry["epoch"], 3)})
        for name, value in entry.items():
            if name.startswith("eval_") and not name.endswith(("_runtime", "_per_second")):
                row["val_" + name.removeprefix("eval_")] = value
            elif name == "loss" or name.startswith("loss/") or name in KEPT:
                row[name] = value
    return [row for row in rows.values() if "loss" in row]
