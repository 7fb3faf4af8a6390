"""A teacher that is a file: rows of text and scores, so that any API or other framework can teach."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet
import torch
from datasets import Dataset
from torch import Tensor

from tinybert.data import LabelScheme
from tinybert.data.hub import nearest_here
from tinybert.errors import DataError
from tinybert.teachers.teacher import TeacherOutput

SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")
FORM = '{"text": "…", "scores": {"label": number, …}} (or "score": number for regression)'

TINY = 1e-6

Key = tuple[str, str | None]


def is_soft_label_file(path: str) -> bool:
    """True when a teacher's path names a file of answers, not a model.

    Raises:
        DataError: It names such a file, and there is none.
    """
    if not path.endswith(SUFFIXES) or Path(path).is_dir():
        return False
    if not Path(path).is_file():
        raise DataError(path, f"no such file of soft labels{nearest_here(path)}")
    return True


class FileTeacher:
    """Answers that stand in a file, looked up by text.

    Args:
        logits: (N, C) one row for each training row.
    """

    def __init__(self, logits: np.ndarray) -> None:
        self.logits = torch.from_numpy(logits.astype(np.float32))

    def answer(self, batch: dict[str, Tensor]) -> TeacherOutput:
        """Return the file's scores of the batch's rows."""
        return TeacherOutput(self.logits[batch["row"].cpu()].to(batch["row"].device))


def read_soft_labels(path: str, rows: Dataset, labels: LabelScheme) -> FileTeacher:
    """Match a file of answers to the training rows.

    Scores that are all in [0, 1] and add up to 1 are probabilities and become logits by their logarithm;
    for multi-label, scores all in [0, 1] become logits by the logit function; others are logits already.

    Args:
        path: JSON lines, JSON or Parquet; each row ``text``, ``text_pair`` for pairs, and ``scores``
            (label → number) or, for regression, ``score``.
        rows: The training rows, ``text`` and ``text_pair``.
        labels: The label order.

    Raises:
        DataError: A row is malformed, or training rows have no answer; all are listed.
    """
    answers: dict[Key, list[float]] = {}
    problems: list[str] = []
    for number, record in _read(Path(path)):
        try:
            key = _key(record)
            answers[key] = _scores(record, labels)
        except ValueError as error:
            problems.append(f"row {number}: {error}; each row is {FORM}")
    pairs: Sequence[str | None] = (
        rows["text_pair"] if "text_pair" in rows.column_names else [None] * len(rows)
    )
    keys: list[Key] = list(zip(rows["text"], pairs, strict=True))
    missing = [f"no scores for the training text {key[0][:60]!r}" for key in keys if key not in answers]
    if problems or missing:
        raise DataError(path, problems + missing)
    table = np.asarray([answers[key] for key in keys], dtype=np.float64)
    return FileTeacher(_to_logits(table, labels))


def _read(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield (row number counted from 1, record)."""
    try:
        if path.suffix == ".parquet":
            yield from enumerate(pyarrow.parquet.read_table(path).to_pylist(), 1)
            return
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".json":
            yield from enumerate(json.loads(text), 1)
            return
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield number, json.loads(line)
    except (OSError, ValueError) as error:
        raise DataError(str(path), f"cannot read these soft labels: {error}; each row is {FORM}") from error


def _key(record: Mapping[str, object]) -> Key:
    if not isinstance(record, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError("not an object")
    text, pair = record.get("text"), record.get("text_pair")
    if not isinstance(text, str):
        raise ValueError(f"text is {text!r}, not a string")
    return text, pair if isinstance(pair, str) else None


def _scores(record: Mapping[str, object], labels: LabelScheme) -> list[float]:
    if labels.kind == "value":
        return [_finite(record.get("score"), "score")]
    scores = record.get("scores")
    if not isinstance(scores, Mapping):
        raise ValueError("no scores")
    unknown, missing = sorted(set(scores) - set(labels.names)), sorted(set(labels.names) - set(scores))
    if unknown or missing:
        raise ValueError(f"scores must name exactly the labels {list(labels.names)}; got {sorted(scores)}")
    return [_finite(scores[name], name) for name in labels.names]


def _finite(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} = {value!r} is not a finite number")
    return float(value)


def _to_logits(table: np.ndarray, labels: LabelScheme) -> np.ndarray:
    """Turn probabilities into logits; leave logits as they are."""
    in_unit = bool(((table >= 0) & (table <= 1)).all())
    clipped = np.clip(table, TINY, 1 - TINY)
    if labels.kind == "single" and in_unit and np.allclose(table.sum(axis=1), 1, atol=1e-3):
        return np.log(clipped)
    if labels.kind == "multi" and in_unit:
        return np.log(clipped) - np.log1p(-clipped)
    return table
