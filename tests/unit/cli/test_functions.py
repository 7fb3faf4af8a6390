"""The functions of the package are its commands: the same names, the same defaults."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable

import pytest

import tinybert
from tinybert.advice import ROWS
from tinybert.cli.app import COMMANDS
from tinybert.cli.options import RowOptions

ONLY_COMMANDS = {"demo", "run", "chat"}
OF_THE_TERMINAL = {
    "output",
    "json",
    "rows",
    "columns",
    "column",
    "text_pair",
    "label",
    "text",
    "on_bad_row",
    "writing",
}
"""What is printed, and columns, which the functions of recipes take as settings."""
ROW_OPTIONS = ("text", "text_pair", "label", "encoding", "on_bad_row")


def defaults(function: Callable[..., object]) -> dict[str, object]:
    parameters = inspect.signature(function).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


def test_every_command_is_a_function_too() -> None:
    assert set(COMMANDS) - ONLY_COMMANDS <= set(tinybert.__all__)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - ONLY_COMMANDS - {"predict", "fetch"}))
def test_a_function_has_the_options_and_defaults_of_its_command(name: str) -> None:
    options, parameters = defaults(COMMANDS[name]), defaults(getattr(tinybert, name))
    budget = {"max_latency_ms", "max_size_mb", "min_retention"} if name == "distill" else set()
    required = {"text", "data", "model", "run", "runs"}
    assert set(options) - OF_THE_TERMINAL - budget - required <= set(parameters)
    for option, default in options.items():
        same = option in parameters and option not in ("out", "batch", "against")
        if same and default not in (None, inspect.Parameter.empty):
            assert parameters[option] == default, option


def test_rows_are_read_by_the_same_options_wherever_they_are_scored() -> None:
    of_bench = {field.name for field in dataclasses.fields(RowOptions)}
    assert of_bench == set(ROW_OPTIONS) <= set(defaults(COMMANDS["evaluate"]))
    assert {name.removeprefix("data.") for name in ROWS} == of_bench
    evaluate, bench = defaults(tinybert.evaluate), defaults(tinybert.bench)
    assert {name: evaluate[name] for name in ROW_OPTIONS} == {name: bench[name] for name in ROW_OPTIONS}
    assert [evaluate[name] for name in ROW_OPTIONS] == [None, None, None, "auto", "stop"]
