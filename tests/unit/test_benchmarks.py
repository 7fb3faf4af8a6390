"""The benchmarks call this package with the arguments it asks for: CI has no time to run them."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

HOME = Path(__file__).parents[2] / "benchmarks"
FILES = sorted(HOME.glob("*.py"))


def load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def target(names: object, call: ast.expr) -> object:
    """Return what is called, where it is a name, or an attribute of one, that the module knows."""
    if isinstance(call, ast.Name):
        return getattr(names, call.id, None)
    if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name):
        return getattr(getattr(names, call.value.id, None), call.attr, None)
    return None


def wrong_calls(file: Path) -> Iterator[str]:
    module = load(file)
    for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        called = target(module, call.func)
        if not str(getattr(called, "__module__", "")).startswith(("tinybert", module.__name__)):
            continue
        given = {word.arg: None for word in call.keywords}
        if None in given or any(isinstance(each, ast.Starred) for each in call.args):
            continue
        try:
            inspect.signature(called).bind(*call.args, **given)  # type: ignore[arg-type]
        except TypeError as error:
            yield f"{file.name}, line {call.lineno}: {ast.unparse(call.func)}: {error}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_calls_have_the_arguments_that_are_needed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(HOME)
    assert list(wrong_calls(file)) == []
