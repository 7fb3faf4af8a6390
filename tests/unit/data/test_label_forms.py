"""One label, however its characters or its number are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.data.made_up import Row, read, rows_of

from tinybert.data.labels import LabelScheme, equal_numbers, look_alikes, tidy
from tinybert.models.label_order import label_order
from tinybert.tasks.classification import CLASSIFICATION
from tinybert.tasks.soft_labels import named_scores

Write = Callable[..., Path]
FORMS = [
    "caf\u00e9",
    "cafe\u0301",
    "caf\u00e9\u200b",
    "\ufeffcaf\u00e9",
    " caf\u00e9\u3000",
    "ca\u200df\u00e9",
]


def in_turn(labels: list[object], count: int = 60) -> dict[str, list[Row]]:
    def label(index: int) -> object:
        return labels[index % len(labels)]

    return {"train": rows_of(count, label=label), "validation": rows_of(6, start=600, label=label)}


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_what_nobody_sees_makes_no_class(task: str) -> None:
    found = read(in_turn([*FORMS, "tea"]), task=task)
    assert found.labels.names == ("caf\u00e9", "tea")
    assert found.warnings == []


def test_the_names_in_a_list_too() -> None:
    found = read(in_turn([[form, "tea"] for form in FORMS]), task="multilabel")
    assert found.labels.names == ("caf\u00e9", "tea")


def test_a_label_of_unseen_characters_is_none() -> None:
    rows: list[Row] = [*rows_of(30), {"text": "new", "label": "\u200b\ufeff "}]
    for task in ("classification", "multilabel"):
        data = {"train": rows, "validation": rows[:4]}
        found = read(data, task=task, allow_unlabelled=True)
        assert found.splits["train"]["label"][30] is None
        assert found.labels.names == ("bad", "good")


def test_a_model_that_was_trained_on_another_form_knows_the_label() -> None:
    known = LabelScheme(("cafe\u0301", "tea"))
    found = read({"test": rows_of(2, label=lambda i: FORMS[i])}, need=("test",), known_labels=known)
    assert found.splits["test"]["label"][:] == [0, 0]
    assert label_order({0: "tea", 1: "cafe\u0301"}, LabelScheme(("caf\u00e9", "tea"))) == [1, 0]
    assert label_order({0: "1.0", 1: "0.0"}, LabelScheme(("0", "1"))) == [1, 0]


def test_a_file_of_teacher_outputs_may_write_another_form() -> None:
    labels = LabelScheme(("caf\u00e9", "tea"))
    assert named_scores({"scores": {"tea": 2.0, "cafe\u0301\u200b": 1.0}}, labels) == [1.0, 2.0]
    assert named_scores({"scores": {"1.0": 2.0, "0.0": 1.0}}, LabelScheme(("0", "1"))) == [1.0, 2.0]


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_look_alikes_are_two_classes_and_one_warning(task: str) -> None:
    found = read(in_turn(["Positive", "positive", "OK", "\uff2f\uff2b", "bad"]), task=task)
    assert found.labels.names == ("OK", "Positive", "bad", "positive", "\uff2f\uff2b")
    (warning,) = found.warnings
    assert "'OK', '\uff2f\uff2b'; 'Positive', 'positive'; write" in warning


def test_of_many_look_alikes_the_first_are_named() -> None:
    names = [name for letter in "abcdefgh" for name in (letter, letter.upper())]
    (warning,) = CLASSIFICATION.format.scheme_warnings(CLASSIFICATION.format.scheme(names))
    assert "'E', 'e'; … and 3 more" in warning
    assert look_alikes(["good", "bad"]) == []


def test_ordinary_labels_are_no_equal_numbers_and_none_is_a_class() -> None:
    names = ["none", "na", "1", "2", "1.1", "1.10", ".", "-", "+.", "", "10", "'tis", "yes", "no", "true"]
    assert equal_numbers(name for name in names if name != "true") == []
    warnings = CLASSIFICATION.format.scheme_warnings(LabelScheme(tuple(names[:-1])))
    assert warnings == []


def test_numbers_that_are_equal() -> None:
    assert equal_numbers(["-0", "0", "00", "false"]) == [["-0", "0", "00", "false"]]
    assert equal_numbers([".5", "0.5", "+1", "1.", "1.00"]) == [["+1", "1.", "1.00"], [".5", "0.5"]]
    assert equal_numbers(["True", "true"]) == []  # look-alikes


WHOLE = ["0.0", "1.0", "10.0", "1", ""]


def test_a_whole_number_is_its_label_in_every_format(write: Write, tmp_path: Path) -> None:
    rows: list[Row] = [{"text": f"film {i}", "label": [0.0, 1.0, 10.0, 1.0, None][i % 5]} for i in range(60)]
    text = "text,label\n" + "".join(f"film {i},{WHOLE[i % 5]}\n" for i in range(60))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    for source in (write("a.csv", text), tmp_path / "a.parquet", rows):
        found = read(source, allow_unlabelled=True)
        assert found.labels.names == ("0", "1", "10")
        labels = dict(zip(found.splits["train"]["text"][:], found.splits["train"]["label"][:], strict=True))
        wanted = {f"film {i}": [0, 1, 2, 1, None][i % 5] for i in range(60)}
        assert labels.items() <= wanted.items()


def test_numbers_that_are_not_all_whole_stay_as_they_are() -> None:
    assert read(in_turn(["1.0", "2.5", "3.0"])).labels.names == ("1.0", "2.5", "3.0")
    assert read(in_turn(["1.0", "2.0", "none"])).labels.names == ("1.0", "2.0", "none")
    data = {"train": in_turn(["1.0", "2.5"])["train"], "validation": in_turn(["1.0"])["train"][:3]}
    assert read(data).labels.names == ("1.0", "2.5")


def test_splits_may_write_whole_numbers_each_in_its_way() -> None:
    data = {"train": in_turn(["1.0", "2.0"])["train"], "validation": in_turn(["2", "1"])["validation"]}
    found = read(data)
    assert found.labels.names == ("1", "2")
    assert found.splits["validation"]["label"][:] == [1, 0, 1, 0, 1, 0]


def test_a_model_keeps_its_own_whole_numbers() -> None:
    rows = rows_of(2, label=lambda index: f"{index}.0")
    for names in (("0", "1"), ("0.0", "1.0")):
        found = read({"test": rows}, need=("test",), known_labels=LabelScheme(names))
        assert found.splits["test"]["label"][:] == [0, 1]


def test_regression_reads_numbers_as_before() -> None:
    found = read(in_turn(["1.0", "2", "3.5"]), task="regression")
    assert found.splits["train"]["label"][:3] == [1.0, 2.0, 3.5]


def test_rare_labels_are_one_warning() -> None:
    rare: list[Row] = [{"text": f"rare {i}", "label": f"r{i}"} for i in range(104)]
    said = [warning for warning in read([*rows_of(60), *rare]).warnings if "rare labels" in warning]
    assert len(said) == 1
    assert said[0].startswith("held-out rows of rare labels went to train, which had none: 'r")
    assert "… and " in said[0]


def test_tidy_keeps_what_is_seen() -> None:
    assert tidy(" New  York\u00ad ") == "New  York"
    assert tidy("\uff2f\uff2b") == "\uff2f\uff2b"
