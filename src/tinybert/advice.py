"""How the fix in a message is written: as the reader of the message sets it.

A recipe, and a command that takes its settings, is given ``data.text=COLUMN``; ``evaluate``, ``bench`` and
``predict`` have options, ``--text COLUMN``; their functions have arguments, ``text='COLUMN'``.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

ROWS = ("data.text", "data.text_pair", "data.label", "data.encoding", "data.on_bad_row")
"""What a command takes that reads labelled rows and makes no recipe of its own."""


@dataclass(frozen=True)
class Spelling:
    """How settings are written.

    Attributes:
        kind: As a setting of a recipe, an option of a command or an argument of a function.
        names: Of the settings that are taken; None: all.
    """

    kind: Literal["recipe", "option", "argument"] = "recipe"
    names: Collection[str] | None = None

    def write(self, name: str, value: str) -> str:
        """Return a setting with its value.

        Example:
            >>> Spelling("option").write("data.on_bad_row", "skip")
            '--on-bad-row skip'
            >>> Spelling("argument").write("data.on_bad_row", "skip"), Spelling().write("task", "ner")
            ("on_bad_row='skip'", 'task=ner')
            >>> Spelling("option", ["data.text"]).write("data.group", "none")  # set where rows are split
            'data.group=none'
        """
        if self.names is not None and name not in self.names:
            return f"{name}={value}"
        own = name.rpartition(".")[2]
        if self.kind == "option":
            return f"--{own.replace('_', '-')} {value}"
        return f"{own}={value!r}" if self.kind == "argument" else f"{name}={value}"


AS_RECIPE = Spelling()
_spelling: ContextVar[Spelling] = ContextVar("spelling", default=AS_RECIPE)


@contextmanager
def advise(kind: Literal["option", "argument"], names: Collection[str] = ROWS) -> Generator[None]:
    """Write settings in messages as options or arguments, of which there are these."""
    token = _spelling.set(Spelling(kind, names))
    try:
        yield
    finally:
        _spelling.reset(token)


def setting(name: str, value: str = "COLUMN") -> str:
    """Return a setting as the user gives it, for a message.

    Example:
        >>> setting("data.text")
        'data.text=COLUMN'
    """
    return _spelling.get().write(name, value)


def is_taken(name: str) -> bool:
    """Return whether the user can give a setting: what cannot be given is no advice."""
    names = _spelling.get().names
    return names is None or name in names
