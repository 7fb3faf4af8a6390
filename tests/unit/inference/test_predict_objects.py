"""Texts in objects of any kind are predicted as the plain list of them, one prediction a row, in order."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from datasets import Dataset, DatasetDict
from tests import easy

from tinybert import predict
from tinybert.errors import DataError
from tinybert.inference import Predictor, predictor

ROWS = easy.make_rows(23, seed=5)
TEXTS = [str(row["text"]) for row in ROWS]
FRAME = pd.DataFrame(ROWS)
KINDS: dict[str, Callable[[], Any]] = {
    "generator": lambda: (text for text in TEXTS),
    "tuple": lambda: tuple(TEXTS),
    "bytes": lambda: [text.encode() for text in TEXTS],
    "rows": lambda: ROWS,
    "generator of rows": lambda: iter(ROWS),
    "a row of another column, and texts": lambda: [{"body": TEXTS[0]}, *TEXTS[1:]],
    "DataFrame": lambda: FRAME,
    "DataFrame, other order": lambda: FRAME[["label", "text"]].set_index(np.arange(23)[::-1]),
    "DataFrame, one column": lambda: FRAME[["text"]].rename(columns={"text": "body"}),
    "DataFrame, usual name": lambda: FRAME.rename(columns={"text": "Sentence"}),
    "DataFrame, in parts": lambda: iter([FRAME[:9], FRAME[9:]]),
    "Series": lambda: FRAME["text"],
    "Series, categories": lambda: FRAME["text"].astype("category"),
    "numpy": lambda: np.array(TEXTS),
    "numpy, objects": lambda: np.array(TEXTS, dtype=object),
    "pyarrow table": lambda: pa.Table.from_pylist(ROWS),
    "pyarrow column": lambda: pa.chunked_array([TEXTS[:9], TEXTS[9:]]),
    "data set": lambda: Dataset.from_list(ROWS),
    "data set, column": lambda: Dataset.from_list(ROWS)["text"],
    "data set, shuffled back": lambda: Dataset.from_list(ROWS[::-1]).select(range(22, -1, -1)),
    "stream": lambda: Dataset.from_list(ROWS).to_iterable_dataset(),
    "polars": lambda: pytest.importorskip("polars").DataFrame(ROWS),
    "polars column": lambda: pytest.importorskip("polars").DataFrame(ROWS)["text"],
}


@pytest.fixture(scope="module")
def teacher(tiny_teacher: Path) -> Predictor:
    return Predictor(tiny_teacher)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_of_every_kind_are_predicted_as_the_list(teacher: Predictor, kind: str) -> None:
    assert teacher(KINDS[kind]()) == teacher(TEXTS)


def test_predict_takes_them_too(tiny_teacher: Path, teacher: Predictor) -> None:
    assert predict(tiny_teacher, FRAME) == predict(tiny_teacher, FRAME["text"]) == teacher(TEXTS)


def test_a_table_in_a_generator_is_still_read_a_window_at_a_time(
    teacher: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "CHUNK_ROWS", 5)
    given: list[int] = []

    def parts() -> Iterator[pd.DataFrame]:
        for start in range(0, 23, 5):
            given.append(start)
            yield FRAME[start : start + 5]

    next(teacher.stream(parts()))
    assert given == [0]


def own_run(tiny_teacher: Path, folder: Path, **data: str) -> Path:
    """Return that classifier as a run which was trained on columns of other names."""
    run = Path(shutil.copytree(tiny_teacher, folder))
    columns = "".join(f"  {name}: {column}\n" for name, column in data.items())
    (run / "recipe.yaml").write_text(f"stage: finetune\nmodel: bundled:minilm\ndata:\n{columns}")
    (run / "metrics.json").write_text("{}")
    return run


def test_a_run_reads_the_columns_that_it_was_trained_on(
    tiny_teacher: Path, teacher: Predictor, tmp_path: Path
) -> None:
    own = Predictor(own_run(tiny_teacher, tmp_path / "own", text="body"))
    frame = FRAME.rename(columns={"text": "body"}).assign(text="bad", text_pair="awful")
    for given in (frame, frame.to_dict("records"), iter(frame.to_dict("records"))):
        assert own(given) == teacher(TEXTS)
    assert own(FRAME) == teacher(TEXTS)  # it has none of these columns
    assert own(TEXTS) == teacher(TEXTS)
    pair = Predictor(own_run(tiny_teacher, tmp_path / "pair", text="one", text_pair="two"))
    frame = pd.DataFrame({"two": TEXTS[1:], "one": TEXTS[:-1]})
    assert pair(frame) == teacher(list(itertools.pairwise(TEXTS)))


def test_pairs_of_a_table_are_predicted_as_pairs(teacher: Predictor) -> None:
    frame = pd.DataFrame({"sentence1": TEXTS[:-1], "sentence2": TEXTS[1:], "label": "positive"})
    assert teacher(frame) == teacher(list(itertools.pairwise(TEXTS)))


@pytest.mark.parametrize("kind", [lambda frame: frame, pa.Table.from_pandas, lambda f: f.to_dict("records")])
def test_a_table_without_a_known_column_is_refused_by_its_columns(
    teacher: Predictor, kind: Callable[[pd.DataFrame], Any]
) -> None:
    frame = FRAME.rename(columns={"text": "body"})
    expected = r"known as the text \(the columns are: body, label\); rename it to 'text', or train with data"
    with pytest.raises(DataError, match=expected):
        teacher(kind(frame))


def test_an_empty_cell_is_refused_by_its_row(teacher: Predictor) -> None:
    frame = FRAME.copy()
    frame.loc[3, "text"] = np.nan
    for given in (frame, frame["text"], list(frame["text"])):
        with pytest.raises(DataError, match=r"row 4, text: None; give a text"):
            teacher(given)


def test_no_rows_of_a_table_give_no_predictions(teacher: Predictor) -> None:
    assert teacher(FRAME[:0]) == teacher(FRAME["text"][:0]) == teacher(pa.table({"text": []})) == []


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (set(TEXTS), "type 'set': a set has no order"),
        (5, "^texts to predict: .* type 'int'"),
        (DatasetDict(test=Dataset.from_list(ROWS)), r"give one split, such as data\['test'\]"),
        (np.array([TEXTS, TEXTS]), "an array of 2 dimensions"),
    ],
)
def test_what_holds_no_texts_is_refused(teacher: Predictor, given: Any, part: str) -> None:
    with pytest.raises(DataError, match=part):
        teacher(given)
