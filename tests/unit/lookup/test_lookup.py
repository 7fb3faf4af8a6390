from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from tinybert.errors import RecipeError
from tinybert.lookup import find, nearest

TABLE = {"hidden_state_mse": 1, "mse_logits": 2}


def test_a_built_in_is_found_by_name() -> None:
    assert find(TABLE, "mse_logits", kind="loss") == 2


def test_an_unknown_name_comes_with_the_nearest_and_all_allowed() -> None:
    with pytest.raises(RecipeError) as caught:
        find(TABLE, "hiden_mse", kind="loss")
    assert str(caught.value) == (
        "hiden_mse: unknown loss; did you mean 'hidden_state_mse'? "
        "(allowed: hidden_state_mse, mse_logits; or package.module:attr)"
    )


def test_nothing_near_gives_no_guess() -> None:
    assert nearest("zzz", TABLE) == ""


def test_a_dotted_name_is_imported() -> None:
    assert find({}, "math:sqrt", kind="loss") is math.sqrt


@pytest.mark.parametrize("name", ["no_such_package_here:loss", "math:no_such_function", ".math:sqrt", "..:x"])
def test_what_cannot_be_imported_is_said(name: str) -> None:
    with pytest.raises(RecipeError, match=r"cannot import this loss|needs its whole name"):
        find({}, name, kind="loss")


def test_a_saved_run_may_not_name_code_of_its_own() -> None:
    with pytest.raises(RecipeError, match="may not name code of its own as its loss"):
        find({}, "math:sqrt", kind="loss", trusted=False)
    assert find(TABLE, "mse_logits", kind="loss", trusted=False) == 2


@pytest.mark.parametrize("text", ["def broken(:", "raise ValueError('boom')"])
def test_code_of_ones_own_that_fails_at_its_import_is_an_error_of_its_name(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fails_at_import.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RecipeError, match=r"cannot import this task: (SyntaxError|ValueError): "):
        find({}, "fails_at_import:TASK", kind="task")


def test_a_module_in_the_current_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "of_this_folder.py").write_text("LOSS = 3")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [path for path in sys.path if path])
    assert find({}, "of_this_folder:LOSS", kind="loss") == 3


def test_a_name_is_never_its_own_guess() -> None:
    assert nearest("mse_logits", TABLE) == ""
    assert nearest("mse_logits", ["mse_logits", "mse_logit"]) == "; did you mean 'mse_logit'?"


def test_a_name_that_looks_the_same_is_said_to_be_another() -> None:
    assert nearest("caf\u00e9.csv", ["cafe\u0301.csv"]) == (
        "; did you mean 'cafe\u0301.csv', which is the same in another Unicode form?"
    )
