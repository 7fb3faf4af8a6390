"""The fix in a message is written as the reader of it gives a setting."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

import tinybert
from tinybert.advice import advise, is_taken, setting
from tinybert.config import DataSection
from tinybert.data import load
from tinybert.errors import DataError
from tinybert.tasks import BUILTIN

SPELT = {
    "recipe": ("data.text=COLUMN", "data.on_bad_row=skip", "data.text=review", "data.label=labl"),
    "option": ("--text COLUMN", "--on-bad-row skip", "--text review", "--label labl"),
    "argument": ("text='COLUMN'", "on_bad_row='skip'", "text='review'", "label='labl'"),
}
CASES = (
    ([{"Words": "a", "label": "x"}], {}),
    ([{"text": "", "label": "x"}], {}),
    ([{"review": "a", "content": "b", "label": "x"}], {}),
    ([{"text": "a", "label": "x"}], {"label": "labl"}),
)
ROOMS = ("data", "sources", "tasks", "inference")
WRITTEN_OUT = re.compile(r"(?<!train with )data\.(text|text_pair|label|encoding|on_bad_row)=")


def spelt(kind: str) -> AbstractContextManager[None]:
    return nullcontext() if kind == "recipe" else advise(kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", SPELT)
@pytest.mark.parametrize("number", range(len(CASES)))
def test_what_is_wrong_with_rows_is_mended_by_what_the_command_takes(kind: str, number: int) -> None:
    rows, columns = CASES[number]
    with spelt(kind), pytest.raises(DataError) as caught:
        load(
            rows,
            settings=DataSection(**columns),  # type: ignore[arg-type]
            format=BUILTIN["classification"].format,
            need=("test",),
        )
    said = str(caught.value)
    assert SPELT[kind][number] in said
    others = [each for name, spellings in SPELT.items() if name != kind for each in spellings]
    assert not any(each in said for each in others)


@pytest.mark.parametrize(("label", "task"), [(0.5, "regression"), (["x"], "multilabel")])
def test_a_model_that_has_its_task_is_not_told_of_another(label: object, task: str) -> None:
    def problem() -> str:
        with pytest.raises(DataError) as caught:
            BUILTIN["classification"].format.convert(label, tinybert.data.LabelScheme(("x",)))
        return str(caught.value)

    assert f"set task={task}" in problem()
    with advise("option"):
        assert "set " not in problem()
        assert "expected" in problem() or "not a class" in problem()


def test_what_is_not_given_by_a_command_is_no_advice() -> None:
    assert is_taken("data.group")
    with advise("option", ["data.encoding"]):
        assert (is_taken("data.encoding"), is_taken("data.text")) == (True, False)
    assert setting("data.text_pair") == "data.text_pair=COLUMN"


def texts_in(file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements:
            yield node.value


def test_no_message_about_rows_writes_a_setting_out() -> None:
    package = Path(tinybert.__file__).parent
    files = [file for room in ROOMS for file in (package / room).rglob("*.py")]
    assert len(files) > 50
    found = [(file.name, text) for file in files for text in texts_in(file) if WRITTEN_OUT.search(text)]
    assert found == []
