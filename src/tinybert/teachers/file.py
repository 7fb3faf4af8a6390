"""A teacher that is a file: rows of text and scores, so that any API or other framework can teach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from tinybert.data import LabelScheme
from tinybert.errors import DataError
from tinybert.sources.encoding import SourceFile
from tinybert.sources.hub import missing
from tinybert.sources.readers import open_file
from tinybert.sources.text_files import Fault, RawRow, Unit
from tinybert.teachers.teacher import TeacherOutput

SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")
ROW_FORMAT = '{"text": "…", "scores": {"label": number, …}} (or "score": number for regression)'

Key = tuple[str, str | None]


def is_soft_label_file(path: str) -> bool:
    """True when a teacher's path names a file of teacher outputs, not a model.

    Raises:
        DataError: It names such a file, and there is none.
    """
    if not path.lower().endswith(SUFFIXES) or Path(path).is_dir():
        return False
    if not Path(path).is_file():
        raise DataError(path, missing(path, "file of soft labels"))
    return True


class FileTeacher:
    """Teacher outputs from a file, looked up by text.

    Args:
        logits: (N, C) one row for each training row.
    """

    def __init__(self, logits: np.ndarray) -> None:
        self.logits = torch.from_numpy(logits.astype(np.float32))

    def of_windows(self, examples: Sequence[int]) -> FileTeacher:
        """Return the same for rows in windows: each has its row's scores.

        Args:
            examples: The row of each window.
        """
        return FileTeacher(self.logits[torch.tensor(examples)].numpy())

    def answer(self, batch: dict[str, Tensor]) -> TeacherOutput:
        """Return the file's scores of the batch's rows."""
        return TeacherOutput(self.logits[batch["row"].cpu()].to(batch["row"].device))


class SoftLabelReader(Protocol):
    """What a task makes of a row of the file, and of all of them; both raise."""

    @property
    def scores(self) -> Callable[[Mapping[str, object], LabelScheme], list[float]]:
        """``(row, labels) -> C numbers``; raises ValueError."""
        ...

    @property
    def to_logits(self) -> Callable[[np.ndarray, str], np.ndarray]:
        """``((N, C) numbers, file) -> (N, C) logits``; raises DataError."""
        ...


def read_soft_labels(
    path: str, rows: Dataset, labels: LabelScheme, *, reader: SoftLabelReader | None
) -> FileTeacher:
    """Match a file of teacher outputs to the training rows.

    Scores in [0, 1] that add up to 1, as far as two decimals can, are probabilities and become logits by
    their logarithm; for multi-label, scores all in [0, 1] become logits by the logit function; others
    are logits already.

    Args:
        path: JSON lines, JSON or Parquet; each row ``text``, ``text_pair`` for pairs, and ``scores``
            (label → number) or, for regression, ``score``.
        rows: The training rows, ``text`` and ``text_pair``.
        labels: The label order.
        reader: The task's; None where such a file holds too little for it.

    Raises:
        DataError: A row is malformed, a text has two different outputs, training rows have none (all are
            listed), or only some rows are probabilities.
    """
    if reader is None:
        raise DataError(path, "a file of teacher outputs has none for single tokens; give a model")
    outputs: dict[Key, list[float]] = {}
    seen: set[Key] = set()
    problems: list[str] = []
    unit, table = _read(Path(path))
    for row in table:
        if isinstance(row, Fault):
            problems.append(f"{unit} {row.number:,}: {row.why}")
            continue
        number, record = row
        try:
            key = _key(record)
            seen.add(key)
            scores = reader.scores(record, labels)
            if outputs.setdefault(key, scores) != scores:
                raise ValueError(f"other scores than an earlier row has for the text {key[0][:60]!r}")
        except ValueError as error:
            problems.append(f"{unit} {number:,}: {error}")
    if problems:
        problems.append(f"each row is {ROW_FORMAT}")
    pairs: Sequence[str | None] = (
        rows["text_pair"] if "text_pair" in rows.column_names else [None] * len(rows)
    )
    keys: list[Key] = list(zip(rows["text"], pairs, strict=True))
    problems += [f"no scores for the training text {key[0][:60]!r}" for key in keys if key not in seen]
    if problems:
        raise DataError(path, problems)
    table = np.asarray([outputs[key] for key in keys], dtype=np.float64)
    return FileTeacher(reader.to_logits(table, path))


def _read(path: Path) -> tuple[Unit, Iterator[RawRow | Fault]]:
    """Open the file; row numbers count from 1."""
    tables = open_file(SourceFile(path, str(path)))
    if list(tables) != [""]:
        raise DataError(str(path), f"holds splits; give one list of rows, each {ROW_FORMAT}")
    return tables[""].unit, tables[""].rows


def _key(record: Mapping[str, object]) -> Key:
    if not isinstance(record, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError("not an object")
    text, pair = record.get("text"), record.get("text_pair")
    if not isinstance(text, str):
        raise ValueError(f"text is {text!r}, not a string")
    return text, pair if isinstance(pair, str) else None
