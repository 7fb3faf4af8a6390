"""The functions of ``tinybert`` take rows and texts of any kind of Python object."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from datasets import Dataset, DatasetDict
from tests import easy

import tinybert
from tinybert.errors import DataError, RunError

ROWS = easy.make_rows(60, seed=3)
FRAME = pd.DataFrame(ROWS)
TINY = [*easy.FAST, "train.num_epochs=1", "head_start=random"]


def test_a_generator_is_read_once_and_equal_rows_are_the_same_run(tiny_encoder: Path, tmp_path: Path) -> None:
    given: list[int] = []

    def rows() -> Any:
        for row in ROWS:
            given.append(1)
            yield row

    call = {"model": tiny_encoder, "out": tmp_path / "run"}
    run = tinybert.finetune(rows(), *TINY, **call)
    assert len(given) == len(ROWS)
    assert run.metrics["num_train_rows"] == 43
    before = (run.path / "metrics.json").stat().st_mtime_ns
    for same in (ROWS, FRAME, pa.Table.from_pylist(ROWS)):
        again = tinybert.finetune(same, *TINY, **call)
        assert (again.path / "metrics.json").stat().st_mtime_ns == before
    with pytest.raises(RunError, match="data"):
        tinybert.finetune(FRAME[1:], *TINY, **call)
    held_out = tinybert.evaluate(run, FRAME)  # the run's own data: only what it has not seen
    assert held_out["num_rows"] == 8
    assert held_out == tinybert.evaluate(run, ROWS)


@pytest.mark.parametrize(
    "kind",
    [lambda rows: iter(rows), pd.DataFrame, pa.Table.from_pylist, Dataset.from_list],
    ids=["generator", "pandas", "pyarrow", "datasets"],
)
def test_a_model_is_evaluated_on_every_kind_of_rows(tiny_teacher: Path, kind: Callable[[Any], Any]) -> None:
    expected = tinybert.evaluate(tiny_teacher, ROWS)
    assert expected["num_rows"] == 60
    assert tinybert.evaluate(tiny_teacher, kind(ROWS)) == expected
    split = Dataset.from_list(ROWS[:9])
    for splits in ({"test": kind(ROWS[:9])}, DatasetDict(test=split, unsupervised=split)):
        assert tinybert.evaluate(tiny_teacher, splits)["num_rows"] == 9


def test_rows_are_augmented_from_a_frame(tmp_path: Path) -> None:
    made = [
        tinybert.augment(given, out=tmp_path / f"{name}.jsonl", copies=1, method="swap").path.read_text()
        for name, given in (("list", ROWS), ("frame", FRAME), ("generator", iter(ROWS)))
    ]
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize(
    "kind",
    [
        lambda texts: iter(texts),
        lambda texts: pd.DataFrame({"text": texts}),
        pd.Series,
        np.array,
        lambda texts: Dataset.from_dict({"text": texts}).to_iterable_dataset(),
    ],
    ids=["generator", "DataFrame", "Series", "numpy", "stream"],
)
def test_raw_text_of_every_kind_gives_one_vocabulary(kind: Callable[[Any], Any], tmp_path: Path) -> None:
    texts = [f"{text} {number}" for number, text in enumerate(easy.make_documents(60))]
    found = [
        tinybert.tokenizer(given, "corpus.min_chars=1", vocab_size=100, out=tmp_path / name)
        for name, given in (("list", texts), ("other", kind(texts)))
    ]
    assert (found[0].path / "vocab.txt").read_text() == (found[1].path / "vocab.txt").read_text()


def test_a_vocabulary_is_trimmed_to_a_column(tiny_encoder: Path, tmp_path: Path) -> None:
    texts = [str(row["text"]) for row in ROWS]
    found = [
        tinybert.trim(tiny_encoder, given, "corpus.min_chars=1", out=tmp_path / name)
        for name, given in (("list", texts), ("column", FRAME["text"]))
    ]
    assert (found[0].path / "tokenizer.json").read_text() == (found[1].path / "tokenizer.json").read_text()


def test_what_holds_no_rows_is_refused_before_anything_is_made(tiny_encoder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    calls: list[Callable[[Any], object]] = [
        lambda data: tinybert.finetune(data, model=tiny_encoder, out=out),
        lambda data: tinybert.distill(data, teacher=tiny_encoder, out=out),
        lambda data: tinybert.evaluate(tiny_encoder, data),
        lambda data: tinybert.doctor(data, teacher=tiny_encoder),
        lambda data: tinybert.augment(data, out=out),
        lambda data: tinybert.pretrain(data, model=tiny_encoder, out=out),
        lambda data: tinybert.tokenizer(data, vocab_size=100, out=out),
        lambda data: tinybert.trim(tiny_encoder, data, out=out),
    ]
    for call in calls:
        for data, part in (({"a"}, "'set'"), (5, "'int'"), ({"text": "a"}, "not a split"), (b"a", "'bytes'")):
            with pytest.raises(DataError, match=part):
                call(data)
    assert not list(tmp_path.iterdir())
