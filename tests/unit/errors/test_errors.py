from __future__ import annotations

import pytest

from tinybert import errors
from tinybert.errors import DataError, MissingExtraError, TinyBertError


def test_one_problem_stands_on_one_line() -> None:
    assert str(DataError("rows.csv", "row 3, text: empty")) == "rows.csv: row 3, text: empty"


def test_problems_are_counted_and_listed() -> None:
    error = DataError("rows.csv", ["row 3: empty", "row 7: empty"])
    assert str(error) == "rows.csv: 2 problems\n  row 3: empty\n  row 7: empty"
    assert error.problems == ("row 3: empty", "row 7: empty")


def test_a_long_list_is_cut_and_says_so() -> None:
    lines = str(DataError("rows.csv", [f"row {i}" for i in range(1500)])).splitlines()
    assert lines[0] == "rows.csv: 1,500 problems"
    assert lines[-1] == "  … and 1,480 more"
    assert len(lines) == 22


def test_a_missing_extra_prints_the_line_that_installs_it() -> None:
    assert (
        str(MissingExtraError("wandb", "track")) == "wandb: not installed; run: pip install 'tinybert[track]'"
    )


@pytest.mark.parametrize("name", [name for name in vars(errors) if name.endswith("Error")])
def test_the_tree_at_the_top_of_the_file_is_whole(name: str) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, TinyBertError)
    assert kind.exit_code == (1 if name == "BudgetError" else 2)
    assert name in (errors.__doc__ or "")


def test_control_characters_are_shown_as_escapes() -> None:
    assert str(DataError("a\x1b[2J.csv", "column 'te\0xt', \u202ed")) == (
        "a\\x1b[2J.csv: column 'te\\x00xt', \\u202ed"
    )


def test_a_very_long_problem_keeps_its_beginning_and_the_fix() -> None:
    said = str(DataError("rows.csv", f"no column ({', '.join(map(str, range(20_000)))}); set data.text"))
    assert len(said) < 3200
    assert said.startswith("rows.csv: no column (0, 1, 2")
    assert said.endswith("19998, 19999); set data.text")
