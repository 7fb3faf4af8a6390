"""A field of a row, and what it may hold: a text, a class, objects; what is wrong is reported by its name."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import cast

from tinybert.data.label_cells import LIST, listed
from tinybert.data.labels import kind_of, tidy
from tinybert.sources.objects import plain

PART_SEPARATOR = "\0"  # occurs in no text: such rows are refused
STRING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
ADJACENT = re.compile(r"\0\s*\0")
AS_JSON = 'write the table with df.to_json("FILE.jsonl", orient="records", lines=True)'


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
    """Return what a cell of a table holds as a list in JSON or Python; other values unchanged.

    Raises:
        FieldError: It starts like a list but is none.
    """
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    return value_in(value, field)


def value_in(text: str, field: str) -> object:
    """Return the list or the mapping that a cell holds as JSON, or as ``to_csv`` of pandas writes it.

    Example:
        >>> value_in('["Ann", "left"]', "tokens"), value_in("['Ann', 'left']", "tokens")
        (['Ann', 'left'], ['Ann', 'left'])
        >>> value_in("{'text': ['Ann'], 'answer_start': [0]}", "answers")
        {'text': ['Ann'], 'answer_start': [0]}

    Raises:
        FieldError: It holds none.
    """
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        why = str(getattr(error, "msg", "nested too deeply"))
    is_list = text.lstrip().startswith("[")
    try:
        return listed(text) if is_list and LIST.fullmatch(tidy(text)) else _literal(text)
    except ValueError as error:
        kind = "list" if is_list else "object"
        raise FieldError(
            field, f"{text!r:.60} starts like a JSON {kind} but is none: {why}; {AS_JSON}"
        ) from error


def _literal(text: str) -> object:
    """Return a list or a mapping of plain values that Python writes.

    Raises:
        ValueError: It is none; two texts beside each other, which Python would join, are the items of an
            array of numpy.
    """
    if ADJACENT.search(STRING.sub("\0", text)):
        raise ValueError("no mark between two texts")
    try:
        value: object = ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(value, list | dict) or not _is_plain(cast(object, value)):
        raise ValueError("no list or mapping of plain values")
    return cast(object, value)


def _is_plain(value: object) -> bool:
    """Return whether a value is one that JSON has too."""
    if isinstance(value, list):
        return all(map(_is_plain, cast("list[object]", value)))
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        return all(isinstance(name, str) and _is_plain(each) for name, each in items)
    return value is None or isinstance(value, str | int | float)


def refuse_rejected(raw: Mapping[str, object]) -> None:
    """Refuse a row of Prodigy whose annotation nobody accepted: what it says is wrong, or not known.

    Raises:
        FieldError: Its answer is ``reject`` or ``ignore``.
    """
    if raw.get("answer") in ("reject", "ignore") and is_of_prodigy(raw):
        raise FieldError(
            "answer", f"Prodigy's answer is {raw['answer']!r}: its label was not accepted; remove the row"
        )


def is_of_prodigy(raw: Mapping[str, object]) -> bool:
    """Return whether a row was written by Prodigy, which numbers its tasks."""
    return "_task_hash" in raw or "_input_hash" in raw


def objects_in(holder: Mapping[str, object], field: str) -> list[Mapping[str, object]]:
    """Return the list of objects in a field.

    Raises:
        FieldError: It is missing, or holds something else: what it held would be lost in silence.
    """
    given = holder.get(field)
    if given is None:
        what = "null" if field in holder else f"missing (there is: {', '.join(holder)})"
        raise FieldError(field, f"{what}; a list of objects is expected, [] for none")
    if not isinstance(given, list):
        raise FieldError(field, f"{given!r:.60}; a list of objects is expected")
    listed = cast("list[object]", given)
    for each in listed:
        if not isinstance(each, Mapping):
            raise FieldError(field, f"{each!r:.60} is in the list; an object is expected")
    return cast("list[Mapping[str, object]]", listed)


def text_in(raw: Mapping[str, object], column: str) -> str:
    """Return a field's text.

    Raises:
        FieldError: It is missing, empty, no text, or one that UTF-8 cannot write.
    """
    value = raw.get(column)
    if value is None:
        raise FieldError(column, "missing; a text is needed")
    if not isinstance(value, str):
        raise FieldError(
            column, f"a {kind_of(plain(value))} where a text is expected; write the text itself, in quotes"
        )
    if not value or value.isspace():
        raise FieldError(column, "empty; a text with at least one visible character is needed")
    if PART_SEPARATOR in value:
        raise FieldError(column, "a NUL byte in the text; remove it (is the file binary, or UTF-16?)")
    refuse_surrogates([value], column)
    return value


def refuse_surrogates(texts: Sequence[str], column: str) -> None:
    """Refuse half of a surrogate pair.

    Raises:
        FieldError: One of the texts holds one.
    """
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise FieldError(column, "half of a surrogate pair (a broken emoji?); remove it") from error


def hash_texts(texts: Sequence[str]) -> bytes:
    """Return 8 bytes that identify a text or a pair of texts."""
    return hashlib.blake2b(PART_SEPARATOR.join(texts).encode(), digest_size=8).digest()


def field_anywhere(raw: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return one field of a row, or of an object in it, by its name; nothing where there is none."""
    inner = (cast("Mapping[str, object]", value) for value in raw.values() if isinstance(value, Mapping))
    return next(({name: part[name]} for part in (raw, *inner) if name in part), {})


def group_in(raw: Mapping[str, object], column: str) -> str:
    """Return what names the group of a row; nothing where its field is empty.

    Raises:
        FieldError: It holds several values, or a text that UTF-8 cannot write.
    """
    value = plain(raw.get(column))
    if is_missing(value):
        return ""
    if isinstance(value, list | tuple | Mapping):
        kind = kind_of(cast(object, value))
        raise FieldError(column, f"a {kind} where one value that names a group is expected")
    if isinstance(value, float) and value.is_integer():  # a column with gaps turns whole numbers into these
        value = int(value)
    name = tidy(str(value))
    refuse_surrogates([name], column)
    return name


def class_named(raw: object, class_names: Sequence[str]) -> object:
    """Return the name of a class number, None for -1; a list's one by one; others unchanged.

    Raises:
        ValueError: There is no class of this number.
    """
    if isinstance(raw, list):
        return [class_named(part, class_names) for part in cast("list[object]", raw)]
    if isinstance(raw, int):
        if not -1 <= raw < len(class_names):
            raise ValueError(
                f"class {raw}, but the file names {len(class_names)} classes, from 0; -1: no label"
            )
        return class_names[raw] if raw >= 0 else None
    return raw


def choices_in(raw: object) -> object:
    """Return the list in a cell of several choices as Label Studio writes it; other labels unchanged.

    A text that holds another JSON object is returned as a mapping, which is no label.

    Example:
        >>> choices_in('{"choices": ["joy", "fear"]}'), choices_in("joy"), choices_in("{joy}")
        (['joy', 'fear'], 'joy', '{joy}')
    """
    if isinstance(raw, str) and raw.lstrip().startswith("{"):
        try:
            raw = json.loads(raw)
        except json.JSONDecodeError:
            return raw
    if isinstance(raw, Mapping):
        given = cast(Mapping[str, object], raw)
        return given["choices"] if set(given) == {"choices"} else given
    return raw


def is_missing(raw: object) -> bool:
    """Return whether a label is not given: nothing, nothing to be seen, or NaN."""
    return raw is None or (isinstance(raw, str) and not tidy(raw)) or (isinstance(raw, float) and raw != raw)
