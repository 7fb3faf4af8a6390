"""A field of a row, and the objects in it: what is wrong is said by its name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast


class FieldError(ValueError):
    """What is wrong with one field of a row.

    Args:
        field: The column.
        message: What is wrong, what is allowed and the fix.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def unpacked(value: object, field: str) -> object:
    """Return what a cell of a table holds as a JSON list; other values as they are.

    Raises:
        FieldError: It starts like a JSON list but is none.
    """
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise FieldError(field, f"{value!r:.60} starts like a JSON list but is none: {error.msg}") from error


def objects_in(holder: Mapping[str, object], field: str) -> list[Mapping[str, object]]:
    """Return the list of objects in a field; nothing where it is missing.

    Raises:
        FieldError: It holds something else.
    """
    given = holder.get(field)
    if given is None:
        return []
    if not isinstance(given, list):
        raise FieldError(field, f"{given!r:.60}; a list of objects is expected")
    listed = cast("list[object]", given)
    for each in listed:
        if not isinstance(each, Mapping):
            raise FieldError(field, f"{each!r:.60} stands in the list; an object is expected")
    return cast("list[Mapping[str, object]]", listed)
