from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybert.data import LabelScheme
from tinybert.errors import DataError

NAMES = st.lists(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5), min_size=1, unique=True
)


@given(NAMES)
def test_every_name_becomes_its_index_and_back(names: list[str]) -> None:
    scheme = LabelScheme.of(names, "single")
    assert sorted(scheme.names) == sorted(names)
    assert [scheme.id2label[scheme.convert(name)] for name in names] == names  # type: ignore[index]
    assert LabelScheme.from_config(scheme.id2label, "single") == scheme
    assert scheme.num_labels == len(names)


@given(NAMES, st.data())
def test_a_set_of_names_becomes_ones_and_zeros(names: list[str], data: st.DataObject) -> None:
    scheme = LabelScheme.of([names], "multi")
    chosen = data.draw(st.lists(st.sampled_from(names)))
    row = scheme.convert(chosen)
    assert isinstance(row, list)
    assert {scheme.names[index] for index, value in enumerate(row) if value == 1.0} == set(chosen)
    assert set(row) <= {0.0, 1.0}


@pytest.mark.parametrize("raw", [1, "1", 1.0, " 1 ", np.int64(1), np.float64(1.0)])
def test_a_whole_number_is_the_same_label_however_it_is_written(raw: object) -> None:
    assert LabelScheme.of([0, 1, 2], "single").convert(raw) == 1


def test_truth_values() -> None:
    scheme = LabelScheme.of([True, False], "single")
    assert scheme.names == ("false", "true")
    assert scheme.convert(True) == 1


def test_lists_of_every_kind() -> None:
    scheme = LabelScheme.of([["a"], ["b", "c"]], "multi")
    for raw in (["a", "c"], ("a", "c"), {"a", "c"}, np.array(["a", "c"]), '["a", "c"]', "a|c"):
        assert scheme.convert(raw) == [1.0, 0.0, 1.0]
    assert scheme.convert([]) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("kind", "raw", "wanted"),
    [
        ("single", None, "no label"),
        ("single", "", "no label"),
        ("single", "goood", "did you mean 'good'"),
        ("single", 0.5, "task=regression"),
        ("single", ["good"], "task=multilabel"),
        ("single", {"a": 1}, "a mapping where one label"),
        ("multi", "good|awful", "unknown label 'awful'"),
        ("multi", [["good"]], "a list where one label"),
        ("multi", "", "write \\[\\]"),
        ("multi", '["good"', "JSON list"),
        ("value", "x", "not a number"),
        ("value", "1,5", "decimal point"),
        ("value", True, "truth value"),
        ("value", float("nan"), "finite"),
        ("value", "1e999", "finite"),
        ("value", 10**400, "not a number"),
        ("value", None, "no label"),
    ],
)
def test_labels_that_cannot_be(kind: str, raw: object, wanted: str) -> None:
    scheme = LabelScheme(kind, () if kind == "value" else ("bad", "good"))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=wanted):
        scheme.convert(raw)


def test_nested_labels_are_refused_when_names_are_collected() -> None:
    with pytest.raises(DataError, match="mapping"):
        LabelScheme.of([{"a": 1}], "single")


def test_a_long_list_of_names_is_shortened() -> None:
    with pytest.raises(DataError, match=r"18, 19, … 80 more\)"):
        LabelScheme.of(range(100), "single").convert("x")
