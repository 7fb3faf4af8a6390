"""Tables with a column of 0 and 1 for each label."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.data.made_up import Row, read

from tinybert.data.labels import LabelScheme
from tinybert.errors import DataError

Write = Callable[..., Path]
WRITTEN = "the columns toxic, obscene, threat hold 0 and 1 only"


def comments(count: int, start: int = 0) -> list[Row]:
    flags = [
        {"toxic": i % 2, "obscene": int(i % 3 == 0), "threat": int(i % 5 == 0)}
        for i in range(start, start + count)
    ]
    return [{"id": i + 10, "text": f"comment {i}", **each} for i, each in enumerate(flags, start)]


def as_csv(rows: list[Row], form: Callable[[object], str] = str) -> str:
    cells = [[form(value) if value in (0, 1) else str(value) for value in row.values()] for row in rows]
    return "\n".join(["id,text,toxic,obscene,threat", *map(",".join, cells)]) + "\n"


@pytest.mark.parametrize("form", [str, lambda flag: f"{flag}.0", lambda flag: str(bool(flag))])
def test_a_table_of_flags(write: Write, form: Callable[[object], str]) -> None:
    write("train.csv", as_csv(comments(60), form))
    path = write("validation.csv", as_csv(comments(10, start=60), form))
    found = read(path.parent, task="multilabel")
    assert found.labels.names == ("obscene", "threat", "toxic")
    assert found.splits["train"]["label"][:3] == [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    assert [warning for warning in found.warnings if warning.startswith(WRITTEN)] == found.warnings


def test_one_label_a_row_names_the_task(write: Write) -> None:
    path = write("a.csv", as_csv(comments(60)))
    for allow_unlabelled in (False, True):
        with pytest.raises(DataError, match=f"{WRITTEN}: if each is a label, --task multilabel reads them"):
            read(path, allow_unlabelled=allow_unlabelled)


def test_what_is_neither_0_nor_1_is_a_bad_row(write: Write) -> None:
    path = write("a.csv", as_csv(comments(150)) + "9,one,2,0,0\n9,two,1,,0\n")
    with pytest.raises(DataError) as caught:
        read(path, task="multilabel")
    first, second = caught.value.problems
    assert first.startswith("a.csv, line 152: toxic: '2' where 0 or 1 is expected")
    assert second == "a.csv, line 153: obscene: '' where 0 or 1 is expected; write 0 or 1 in each"


def test_a_row_of_empty_flags_has_no_label(write: Write) -> None:
    text = as_csv(comments(60)) + "9,new,,,\n"
    found = read(write("a.csv", text), task="multilabel", allow_unlabelled=True)
    assert found.splits["train"]["label"][:].count(None) == 1
    with pytest.raises(DataError, match=r"line 62, label: no label; .*write 0 in each"):
        read(write("b.csv", text), task="multilabel")


def test_a_column_that_another_file_lacks(write: Write) -> None:
    path = write("train.csv", as_csv(comments(60)))
    write("validation.csv", "text,toxic,obscene\na,1,0\n")
    with pytest.raises(DataError, match=r"validation.csv: no column threat, which in another file"):
        read(path.parent, task="multilabel")


def test_other_columns_are_no_labels() -> None:
    rows: list[Row] = [{**row, "likes": index % 4} for index, row in enumerate(comments(60))]
    assert read(rows, task="multilabel").labels.names == ("obscene", "threat", "toxic")
    validation: list[Row] = [{**row, "likes": 1} for row in comments(10, start=60)]
    found = read({"train": rows, "validation": validation}, task="multilabel")
    assert found.labels.names == ("obscene", "threat", "toxic")
    named: list[Row] = [{**row, "label": ["x"] if index % 2 else ["y"]} for index, row in enumerate(rows)]
    assert read(named, task="multilabel").labels.names == ("x", "y")


def test_a_model_reads_the_columns_that_it_knows() -> None:
    known = LabelScheme(("toxic", "threat"))
    rows = comments(3)
    found = read({"test": rows}, task="multilabel", need=("test",), known_labels=known)
    assert found.splits["test"]["label"][:] == [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]


def test_columns_of_other_values_are_not_named() -> None:
    rows: list[Row] = [
        {**row, "likes": index % 4, "day": f"2026-01-{index:02}"} for index, row in enumerate(comments(60))
    ]
    assert all("is neither" not in warning for warning in read(rows, task="multilabel").warnings)
    plain: list[Row] = [{"text": f"film {i}", "year": 1990 + i, "seen": i % 6} for i in range(30)]
    with pytest.raises(DataError) as caught:
        read(plain, task="multilabel")
    assert "is neither" not in str(caught.value)


def test_the_hint_is_of_every_table() -> None:
    train: list[Row] = [{"text": f"film {i}", "glad": "yes", "sad": "no"} for i in range(30)]
    other: list[Row] = [{"text": "film", "glad": "often", "sad": "no"}]
    with pytest.raises(DataError) as caught:
        read({"train": train, "validation": other}, task="multilabel")
    assert "is neither" not in str(caught.value)
