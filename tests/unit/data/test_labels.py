from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybert.data import LabelScheme
from tinybert.data.labels import parse_value, tidy
from tinybert.errors import DataError
from tinybert.tasks import BUILTIN
from tinybert.tasks.classification import CLASSIFICATION
from tinybert.tasks.multilabel import MULTILABEL

NAMES = st.lists(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5).map(tidy), min_size=1, unique=True
)


@given(NAMES)
def test_every_name_becomes_its_index_and_back(names: list[str]) -> None:
    scheme = CLASSIFICATION.format.scheme(names)
    assert sorted(scheme.names) == sorted(names)
    assert [scheme.id2label[CLASSIFICATION.format.convert(name, scheme)] for name in names] == names  # type: ignore[index]
    outputs = list(scheme.id2label.values())
    assert CLASSIFICATION.format.scheme_of_outputs(outputs, subject="model") == scheme
    assert scheme.num_labels == len(names)


@given(NAMES, st.data())
def test_a_set_of_names_becomes_ones_and_zeros(names: list[str], data: st.DataObject) -> None:
    scheme = MULTILABEL.format.scheme([names])
    chosen = data.draw(st.lists(st.sampled_from(names)))
    row = MULTILABEL.format.convert(chosen, scheme)
    assert isinstance(row, list)
    assert {scheme.names[index] for index, value in enumerate(row) if value == 1.0} == set(chosen)
    assert set(row) <= {0.0, 1.0}


@pytest.mark.parametrize("raw", [1, "1", 1.0, " 1 ", np.int64(1), np.float64(1.0)])
def test_a_whole_number_is_the_same_label_however_it_is_written(raw: object) -> None:
    scheme = CLASSIFICATION.format.scheme([0, 1, 2])
    assert CLASSIFICATION.format.convert(raw, scheme) == 1


def test_truth_values() -> None:
    scheme = CLASSIFICATION.format.scheme([True, False])
    assert scheme.names == ("false", "true")
    assert CLASSIFICATION.format.convert(True, scheme) == 1


def test_lists_of_every_kind() -> None:
    scheme = MULTILABEL.format.scheme([["a"], ["b", "c"]])
    for raw in (["a", "c"], ("a", "c"), {"a", "c"}, np.array(["a", "c"]), '["a", "c"]', "a|c"):
        assert MULTILABEL.format.convert(raw, scheme) == [1.0, 0.0, 1.0]
    assert MULTILABEL.format.convert([], scheme) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("task", "raw", "wanted"),
    [
        ("classification", None, "no label"),
        ("classification", "", "no label"),
        ("classification", "goood", "did you mean 'good'"),
        ("classification", 0.5, "task=regression"),
        ("classification", ["good"], "task=multilabel"),
        ("classification", {"a": 1}, "a mapping where one label"),
        ("multilabel", "good|awful", "unknown label 'awful'"),
        ("multilabel", [["good"]], "a list where the name of a label"),
        ("multilabel", "", "write \\[\\]"),
        ("multilabel", '["good"', "JSON list"),
        ("regression", "x", "not a number"),
        ("regression", "1,5", "decimal point"),
        ("regression", True, "truth value"),
        ("regression", float("nan"), "no label"),
        ("regression", "1e999", "finite"),
        ("regression", 10**400, "not a number"),
        ("regression", None, "no label"),
    ],
)
def test_labels_that_cannot_be(task: str, raw: object, wanted: str) -> None:
    scheme = LabelScheme(() if task == "regression" else ("bad", "good"))
    with pytest.raises(DataError, match=wanted):
        BUILTIN[task].format.convert(raw, scheme)


def test_nested_labels_are_refused_when_names_are_collected() -> None:
    with pytest.raises(DataError, match="mapping"):
        CLASSIFICATION.format.scheme([{"a": 1}])


def test_a_long_list_of_names_is_shortened() -> None:
    with pytest.raises(DataError, match=r"18, 19, … 80 more\)"):
        CLASSIFICATION.format.convert("x", CLASSIFICATION.format.scheme(range(100)))


def test_a_decimal_as_databases_give_it_is_a_number() -> None:
    assert parse_value(Decimal("1.5")) == 1.5
    with pytest.raises(ValueError, match="finite"):
        parse_value(Decimal("NaN"))
