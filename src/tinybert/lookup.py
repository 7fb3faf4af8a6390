"""Name → built-in, or ``package.module:attr`` → whatever the user wrote there."""

from __future__ import annotations

import difflib
import importlib
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from tinybert.errors import RecipeError

T = TypeVar("T")
AUTO = "auto"
"""A setting that is decided by what is found."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the closest other name that is allowed, or an empty string.

    Example:
        >>> nearest("hiden_state_mse", ["hidden_state_mse", "mse_logits"])
        "; did you mean 'hidden_state_mse'?"
    """
    close = difflib.get_close_matches(name, [other for other in allowed if other != name], n=1)
    if not close:
        return ""
    is_same = unicodedata.normalize("NFC", close[0]) == unicodedata.normalize("NFC", name)
    return f"; did you mean '{close[0]}'{', which is the same in another Unicode form' if is_same else ''}?"


def find(table: Mapping[str, T], name: str, *, kind: str, trusted: bool = True) -> T:
    """Look a name up in a room's ``BUILTIN`` table, or import ``package.module:attr``.

    Args:
        table: The room's literal table.
        name: A key of the table, or a dotted name with one colon: of an installed module or one in the
            current folder.
        kind: What is looked up, for the error message ("loss", "task", …).
        trusted: A dotted name runs code. Pass False when the name comes from a saved run
            that somebody else may have made: then only the table is read.

    Raises:
        RecipeError: The name is unknown, cannot be imported, or is dotted but not trusted.
    """
    if name in table:
        return table[name]
    if ":" not in name:
        allowed = ", ".join(sorted(table))
        hint = nearest(name, table)
        raise RecipeError(name, f"unknown {kind}{hint} (allowed: {allowed}; or package.module:attr)")
    if not trusted:
        raise RecipeError(name, f"a saved run may not name code of its own as its {kind}")
    module_name, _, attribute = name.partition(":")
    if not module_name or module_name.startswith("."):
        raise RecipeError(name, f"this {kind} needs its whole name: package.module:attr")
    here = str(Path.cwd())
    if not {"", here} & set(sys.path):
        sys.path.append(here)  # what is installed comes first
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # the user's own code: whatever it raises, at its import, is theirs to fix
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise RecipeError(name, f"cannot import this {kind}: {reason}") from error
