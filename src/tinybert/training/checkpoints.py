"""What a training leaves on disk on its way: checkpoints, and in them the log of its steps."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from tinybert.checksums import (
    CHECKSUMS,
    describe_damage,
    find_damage,
    names_below,
    write_checksums,
)
from tinybert.console import warn
from tinybert.errors import RunError
from tinybert.storage import Json, read_json, remove

STATE, WEIGHTS = "trainer_state.json", "model.safetensors"
KEPT = ("step", "grad_norm", "learning_rate", "seconds", "tokens_per_second")
"""What a row of the history holds besides losses and scores."""


def last_whole_checkpoint(work_dir: Path) -> Path | None:
    """Return the newest checkpoint that a training can resume from; what is newer is removed.

    One without a readable ``trainer_state.json``, which comes last but for the checksums, was cut short by a
    kill. Any other that cannot be used is damaged, and reported.
    """
    damaged: list[str] = []
    for path in sorted(work_dir.glob(f"{PREFIX_CHECKPOINT_DIR}-*"), key=_step, reverse=True):
        if not _was_cut_short(path):
            damage = checkpoint_damage(path)
            if not damage:
                _report(damaged, f"the training resumes from step {_step(path):,}")
                return path
            damaged.append(f"{path}: damaged ({describe_damage(damage)})")
        remove(path)
    _report(damaged, "no checkpoint before it is whole: this training begins again")
    return None


def write_checkpoint_checksums(checkpoint: Path) -> None:
    """Record a checkpoint's files as they were written."""
    write_checksums(checkpoint, names_below(checkpoint))


def checkpoint_damage(checkpoint: Path) -> dict[str, str]:
    """Return what is wrong with the files of a checkpoint, and with the best weights so far: file → what."""
    if not checkpoint.is_dir():
        return {checkpoint.name: "not a folder"}
    damage = find_damage(checkpoint) if (checkpoint / CHECKSUMS).exists() else _unreadable(checkpoint)
    if damage:
        return damage
    state = read_json(checkpoint / STATE)
    best = state.get("best_global_step")
    if not isinstance(best, int) or best == _step(checkpoint) or not state.get("best_model_checkpoint"):
        return {}
    folder = checkpoint_of(checkpoint.parent, best)
    return {f"{folder.name}/{name}, its best so far": each for name, each in _weights_damage(folder).items()}


def checkpoint_of(work_dir: Path, step: int) -> Path:
    """Return where the checkpoint of a step is."""
    return work_dir / f"{PREFIX_CHECKPOINT_DIR}-{step}"


def best_checkpoint(work_dir: Path, step: int) -> Path:
    """Return the checkpoint of the best step, to take its weights.

    Raises:
        RunError: They were damaged since they were written.
    """
    folder = checkpoint_of(work_dir, step)
    if damage := _weights_damage(folder):
        fix = "give the same command again: it resumes from a whole checkpoint, or begins this training again"
        raise RunError(str(folder), f"damaged ({describe_damage(damage)}); {fix}")
    return folder


def _weights_damage(checkpoint: Path) -> dict[str, str]:
    return find_damage(checkpoint, (WEIGHTS,)) or _problems({WEIGHTS: _opens}, checkpoint)


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def _report(damaged: list[str], outcome: str) -> None:
    for each in damaged:
        warn(f"{each}; {outcome}")


def _was_cut_short(checkpoint: Path) -> bool:
    if not checkpoint.is_dir() or (checkpoint / CHECKSUMS).exists():
        return False
    return not (checkpoint / STATE).is_file() or bool(_problems({STATE: read_json}, checkpoint))


def _unreadable(checkpoint: Path) -> dict[str, str]:
    """Look for damage without checksums: a kill came before them, or an earlier version wrote none."""
    archives = dict.fromkeys(("optimizer.pt", "scheduler.pt", "rng_state.pth"), _unzips)
    return _problems({STATE: _logs, WEIGHTS: _opens, **archives}, checkpoint)


def _problems(readers: dict[str, Callable[[Path], object]], folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, read in readers.items():
        try:
            if not (folder / name).is_file():
                found[name] = "missing" if not (folder / name).exists() else "not a file"
            else:
                read(folder / name)
        except PermissionError:
            raise
        except RunError as error:
            found[name] = error.problems[0]
        except (OSError, SafetensorError, zipfile.BadZipFile) as error:
            found[name] = str(error)
    return found


def _opens(file: Path) -> None:
    with safe_open(file, "pt"):
        pass


def _unzips(file: Path) -> None:
    """Read what ``torch.save`` wrote, a zip archive with a CRC of each part; nothing is unpickled."""
    with zipfile.ZipFile(file) as archive:
        if (part := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"other content than was written: {part}")


def _logs(file: Path) -> Json:
    state = read_json(file)
    if not isinstance(state.get("log_history"), list):
        raise RunError(str(file), "log_history is missing")
    return state


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
