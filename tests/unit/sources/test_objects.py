"""Python objects of any kind hold the same rows as a plain list."""

from __future__ import annotations

import csv
import io
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from datasets import (
    ClassLabel,
    Dataset,
    DatasetDict,
    Features,
    IterableDataset,
    IterableDatasetDict,
    List,
    Value,
)

from tinybert.config import DataSection
from tinybert.corpus.places import Found, find_places
from tinybert.corpus.text_column import texts_of
from tinybert.data import TextData, load
from tinybert.errors import DataError
from tinybert.runs import digest_input
from tinybert.sources.objects import rows_of, source_of
from tinybert.tasks import find_task

ROWS: list[dict[str, object]] = [
    {"text": f"film {number} is {'good' if number % 3 else 'bad'}", "label": "pos" if number % 3 else "neg"}
    for number in range(40)
]
TEXTS = [str(row["text"]) for row in ROWS]
TABLE = pa.Table.from_pylist(ROWS)
FRAME = pd.DataFrame(ROWS)


class ArrowOnly:
    """A table of a library that nobody here knows."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.columns = table.column_names

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


def polars_frame() -> Any:
    return pytest.importorskip("polars").DataFrame(ROWS)


def cursor() -> sqlite3.Cursor:
    base = sqlite3.connect(":memory:")
    base.row_factory = sqlite3.Row
    base.execute("create table reviews (text, label)")
    base.executemany("insert into reviews values (:text, :label)", ROWS)
    return base.execute("select * from reviews order by rowid")


def csv_reader() -> csv.DictReader[str]:
    return csv.DictReader(io.StringIO(FRAME.to_csv(index=False)))


TABLES: dict[str, Callable[[], Any]] = {
    "list": lambda: ROWS,
    "tuple": lambda: tuple(ROWS),
    "generator": lambda: (row for row in ROWS),
    "csv reader": csv_reader,
    "sqlite cursor": cursor,
    "pandas": lambda: FRAME,
    "pandas, categories": lambda: FRAME.astype({"label": "category"}),
    "pandas, extension types": lambda: FRAME.convert_dtypes(dtype_backend="pyarrow"),
    "pandas, its own index": lambda: FRAME.set_index(np.arange(40) * 7),
    "pandas, in parts": lambda: iter([FRAME[:13], FRAME[13:]]),
    "records": lambda: FRAME.to_dict("records"),
    "list of Series": lambda: [row for _, row in FRAME.iterrows()],
    "pyarrow": lambda: TABLE,
    "pyarrow, bytes": lambda: TABLE.cast(pa.schema({"text": pa.binary(), "label": pa.string()})),
    "pyarrow, dictionary": lambda: TABLE.set_column(1, "label", TABLE["label"].dictionary_encode()),
    "pyarrow batches": lambda: iter(TABLE.to_batches(max_chunksize=7)),
    "pyarrow reader": lambda: TABLE.to_reader(),
    "arrow stream": lambda: ArrowOnly(TABLE),
    "polars": polars_frame,
    "datasets": lambda: Dataset.from_list(ROWS),
    "datasets, as torch": lambda: Dataset.from_list(ROWS).with_format("torch"),
    "datasets, iterable": lambda: Dataset.from_list(ROWS).to_iterable_dataset(),
    "datasets, from a generator": lambda: IterableDataset.from_generator(lambda: iter(ROWS)),
}
COLUMNS: dict[str, Callable[[], Any]] = {
    "list": lambda: TEXTS,
    "generator": lambda: (text for text in TEXTS),
    "values of a mapping": lambda: dict(enumerate(TEXTS)).values(),
    "bytes": lambda: [text.encode() for text in TEXTS],
    "pandas": lambda: FRAME["text"],
    "pandas, string type": lambda: FRAME["text"].astype("string"),
    "pandas index": lambda: pd.Index(TEXTS),
    "numpy": lambda: np.array(TEXTS),
    "numpy, objects": lambda: np.array(TEXTS, dtype=object),
    "numpy, bytes": lambda: np.array(TEXTS, dtype="S"),
    "pyarrow": lambda: TABLE["text"],
    "pyarrow array": lambda: pa.array(TEXTS),
    "pyarrow scalars": lambda: list(TABLE["text"]),
    "polars": lambda: polars_frame()["text"],
    "datasets": lambda: Dataset.from_list(ROWS)["text"],
}


def loaded(source: object, task: str = "classification", **settings: Any) -> TextData:
    return load(source, settings=DataSection(**settings), format=find_task(task).format)


def content(data: TextData) -> dict[str, list[Any]]:
    return {name: rows.to_list() for name, rows in data.splits.items()} | {"labels": list(data.labels.names)}


@pytest.mark.parametrize("name", TABLES)
def test_each_kind_of_table_holds_the_rows_of_the_list(name: str) -> None:
    source = source_of(TABLES[name]())
    assert list(source) == ROWS
    assert list(source) == ROWS  # a second time: also of what can be read only once
    assert content(loaded(source)) == content(loaded(ROWS))


@pytest.mark.parametrize("name", COLUMNS)
def test_each_kind_of_column_holds_the_texts_of_the_list(name: str) -> None:
    source = source_of(COLUMNS[name]())
    assert [list(source), list(source)] == [TEXTS, TEXTS]
    assert {type(text) for text in source} == {str}


@pytest.mark.parametrize("name", [*TABLES, *COLUMNS])
def test_raw_text_is_read_from_tables_and_columns(name: str, tmp_path: Path) -> None:
    for kinds in (TABLES, COLUMNS):
        if name in kinds:
            (place,) = find_places(kinds[name](), home=tmp_path, found=Found())
            assert place.table is not None
            assert list(texts_of(place.table, "text", [])) == TEXTS


@pytest.mark.parametrize("name", [name for name in TABLES if "datasets" not in name or "from" in name])
def test_equal_rows_have_one_digest(name: str) -> None:
    assert digest_input(TABLES[name]()) == digest_input(ROWS)
    assert digest_input({"train": TABLES[name]()}) == digest_input({"train": ROWS})


def test_the_digest_is_of_the_content() -> None:
    assert digest_input(FRAME) != digest_input(FRAME[::-1])
    assert digest_input(FRAME["text"]) == digest_input(TEXTS) != digest_input(FRAME["label"])
    streams = [Dataset.from_list(ROWS).to_iterable_dataset() for _ in range(2)]
    assert digest_input(streams[0]) == digest_input(streams[1])
    named = TABLE.replace_schema_metadata(Features(text=Value("string")).arrow_schema.metadata)
    assert digest_input(named) == digest_input(ROWS)


def test_the_digest_of_a_set_does_not_hang_on_its_order() -> None:
    assert digest_input([{"labels": {"joy", "fear", "awe"}}]) == digest_input(
        [{"labels": ["awe", "fear", "joy"]}]
    )


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, tinybert; from tinybert.sources.objects import source_of; source_of([{'text': 'a'}]);"
        "print({'pandas', 'polars', 'pyarrow', 'datasets', 'torch'} & set(sys.modules))"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_missing_values_are_empty_cells() -> None:
    frame = pd.DataFrame(
        {
            "text": ["a", np.nan, None],
            "float": [1.0, np.nan, 0.0],
            "whole": pd.array([1, None, 0], dtype="Int64"),
            "time": pd.to_datetime(["2026-01-01", None, None]),
            "kind": pd.Categorical(["x", None, "y"]),
            "string": pd.array(["s", None, "t"], dtype="string"),
        }
    )
    empty = {"text": None, "float": None, "whole": None, "time": None, "kind": None, "string": None}
    for given in (frame, frame.to_dict("records"), [row for _, row in frame.iterrows()]):
        assert list(rows_of(given))[1] == empty
    assert list(rows_of(frame))[2] == {**empty, "float": 0.0, "whole": 0, "kind": "y", "string": "t"}


def test_numbers_and_arrays_in_cells_become_those_of_python() -> None:
    row = {
        "label": np.int64(3),
        "score": np.float32(0.5),
        "flag": np.bool_(True),
        "tokens": np.array(["a", "b"]),
        "answers": {"text": np.array(["b"]), "answer_start": np.array([1], dtype=np.int32)},
        7: pa.scalar("x"),
    }
    (found,) = rows_of([row])
    assert found == {
        "label": 3,
        "score": 0.5,
        "flag": True,
        "tokens": ["a", "b"],
        "answers": {"text": ["b"], "answer_start": [1]},
        "7": "x",
    }
    assert isinstance(found, dict)
    assert [type(found[name]) for name in ("label", "score", "flag")] == [int, float, bool]


def test_whole_labels_beside_missing_ones_keep_their_digits() -> None:
    frame = FRAME.assign(label=[float(number % 3 > 0) for number in range(40)])
    frame.loc[5, "label"] = np.nan
    data = load(
        frame, settings=DataSection(), format=find_task("classification").format, allow_unlabelled=True
    )
    assert data.labels.names == ("0", "1")
    with pytest.raises(DataError, match=r"rows, row 6, label: no label"):
        loaded(frame)


def test_an_empty_text_is_a_bad_row_by_its_number() -> None:
    frame = FRAME.copy()
    frame.loc[2, "text"] = np.nan
    with pytest.raises(DataError, match="rows, row 3, text: missing; a text is needed"):
        loaded(frame)
    binary = [{**ROWS[0], "text": b"caf\xe9"}, *ROWS[1:]]
    with pytest.raises(DataError, match="row 1, text: a run of bytes that is not UTF-8 where a text is"):
        loaded(binary)


CLASSES = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})


def classes() -> Dataset:
    rows = [{**row, "label": int(row["label"] == "pos")} for row in ROWS]
    return Dataset.from_list(rows, features=CLASSES)


@pytest.mark.parametrize("kind", ["data set", "stream", "pyarrow"])
def test_class_numbers_of_a_data_set_are_names(kind: str) -> None:
    given = {
        "data set": classes,
        "stream": lambda: classes().to_iterable_dataset(),
        "pyarrow": lambda: classes().with_format("arrow")[:],
    }[kind]()
    assert content(loaded(given)) == content(loaded(ROWS))


def parts() -> dict[str, list[dict[str, object]]]:
    return {"train": ROWS[:24], "validation": ROWS[24:32], "test": ROWS[32:]}


@pytest.mark.parametrize(
    "split",
    [
        lambda rows: iter(rows),
        pd.DataFrame,
        pa.Table.from_pylist,
        Dataset.from_list,
        lambda rows: Dataset.from_list(rows).to_iterable_dataset(),
    ],
)
def test_splits_may_be_of_any_kind(split: Callable[[Any], Any]) -> None:
    given = {name: split(rows) for name, rows in parts().items()}
    assert content(loaded(given)) == content(loaded(parts()))


def test_a_dataset_dict_is_read_like_a_data_set_of_the_hub() -> None:
    hidden = classes().select(range(3)).map(lambda row: {**row, "label": -1})
    given = DatasetDict(train=classes(), unsupervised=classes(), test=hidden)
    for splits in (given, IterableDatasetDict({k: v.to_iterable_dataset() for k, v in given.items()})):
        data = loaded(splits)
        assert set(data.splits) == {"train", "validation"}
        assert data.warnings[:2] == [
            "rows: the split 'unsupervised' is not used (known are train, validation and test)",
            "rows: the test split is not used: none of its rows has a label",
        ]
    with pytest.raises(DataError, match="'unsupervised': not a split"):
        loaded(dict(given))


@pytest.mark.parametrize("as_stream", [False, True])
def test_splits_of_tag_numbers_are_read(as_stream: bool) -> None:
    features = Features({"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=["O", "B-LOC"]))})
    rows = [{"tokens": [f"w{number}", "Rome"], "ner_tags": [0, 1]} for number in range(30)]
    split = Dataset.from_list(rows, features=features)
    given = DatasetDict(train=split.select(range(20)), validation=split.select(range(20, 30)))
    streams = IterableDatasetDict({name: part.to_iterable_dataset() for name, part in given.items()})
    data = loaded(streams if as_stream else given, "ner")
    assert {name: len(part) for name, part in data.splits.items()} == {"train": 20, "validation": 10}
    assert data.labels.names == ("O", "B-LOC", "I-LOC")


def test_texts_of_splits_are_raw_text(tmp_path: Path) -> None:
    given = {"train": FRAME["text"][:30], "validation": iter(TEXTS[30:])}
    places = find_places(given, home=tmp_path, found=Found())
    read = {place.part: list(texts_of(place.table, None, [])) for place in places if place.table is not None}
    assert read == {"train": TEXTS[:30], "validation": TEXTS[30:]}


def test_entities_and_questions_are_read_from_frames() -> None:
    tokens = [[f"w{number}", "in", "Rome"] for number in range(30)]
    tagged: list[dict[str, object]] = [{"tokens": each, "tags": ["O", "O", "B-LOC"]} for each in tokens]
    frame = pd.DataFrame({name: [np.array(row[name]) for row in tagged] for name in ("tokens", "tags")})
    assert content(loaded(frame, "ner")) == content(loaded(tagged, "ner"))
    asked: list[dict[str, object]] = [
        {
            "question": f"who {number}?",
            "context": f"it is {number}",
            "answers": {"text": [str(number)], "answer_start": [6]},
        }
        for number in range(30)
    ]
    arrays = [{k: np.array(v) for k, v in row["answers"].items()} for row in asked]  # type: ignore[attr-defined]
    assert content(loaded(pd.DataFrame(asked).assign(answers=arrays), "qa")) == content(loaded(asked, "qa"))


def lines() -> Iterator[str]:
    yield from TEXTS


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({1, 2}, "type 'set': a set has no order"),
        (7, "expected a list of rows .* got an object of type 'int'$"),
        (None, "type 'NoneType'"),
        (b"text", "type 'bytes'"),
        (lines, "type 'function': give what it returns"),
        (io.StringIO("text"), "type 'StringIO': an open file; give its path"),
        ([("fine", 1)], r"row 1: .* type 'tuple' .*; write {'text': text, 'label': label}"),
        (zip(TEXTS, TEXTS, strict=True), "row 1: .* type 'tuple'"),
        (FRAME.itertuples(), "row 1: .* type 'tuple'"),
        (FRAME.values, "an array of 2 dimensions; one of texts has one"),
        (np.array("text"), "an array of 0 dimensions"),
        (np.arange(3), r"row 1: expected a mapping .* type 'int' \(0\)"),
        ({"text": "fine", "label": 1}, "keys 'text', 'label': not a split .* one row goes into a list"),
        ({"text": TEXTS, "label": TEXTS}, "columns go into a table, such as datasets.Dataset.from_dict"),
        ({"train": {3}, "test": 4}, "(?s)'train': .* type 'set'.*'test': .* type 'int'"),
        (pd.DataFrame([["a", "b"]], columns=["text", "text"]), "two columns are called 'text'; rename one"),
        (pa.table([["a"], ["b"]], names=["x", "x"]), "two columns are called 'x'"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_no_rows_is_refused_by_its_name(given: object, part: str) -> None:
    with pytest.raises(DataError, match=part):
        source_of(given)


def test_a_file_of_splits_without_rows_is_refused_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "reviews.json"
    file.write_text('{"train": [["fine", 1]], "test": [[2]]}')
    with pytest.raises(DataError, match=r"(?s)^reviews.json: 2 problems.*'train': row 1: .*'test': row 1: "):
        loaded(file)


def test_a_lazy_table_is_refused_with_the_way_to_give_it() -> None:
    class Lazy:
        columns = ("text",)

        def collect(self) -> list[object]:
            return []

        def __iter__(self) -> Iterator[str]:
            return iter(self.columns)

    with pytest.raises(DataError, match=r"type 'Lazy': give .collect\(\) of it"):
        source_of(Lazy())


def test_a_frame_without_a_known_column_is_refused_by_its_columns() -> None:
    frame = FRAME.rename(columns={"text": "body"})
    expected = r"known as the text \(the columns are: body, label\); set data.text=COLUMN"
    with pytest.raises(DataError, match=expected):
        loaded(frame)
    assert content(loaded(frame, text="body")) == content(loaded(ROWS))


def test_an_empty_frame_has_no_row() -> None:
    for empty in (FRAME[:0], TABLE[:0], [], Dataset.from_list(ROWS).select([])):
        with pytest.raises(DataError, match="no row"):
            loaded(empty)
