"""What may be asked: a text, two texts, words, a question and its context → the columns that are encoded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from tinybert.data.columns import CONTEXT_NAMES, PAIR_NAMES, QUESTION_NAMES, TEXT_NAMES, TOKEN_NAMES
from tinybert.data.entities import as_tokens, join_words, segment
from tinybert.data.fields import FieldError
from tinybert.errors import DataError
from tinybert.tasks import Task

TextRow = str | tuple[str, str] | Sequence[str] | Mapping[str, object]
"""A text; a pair, or a question and its context; words; or any of these by the names of its columns."""

SUBJECT = "texts to predict"
SURROGATE = re.compile("[\ud800-\udfff]")
EMPTY = "give a text that is not empty"
NEED_CONTEXT = "--context TEXT, --context-file FILE, or a column context"


@dataclass(frozen=True)
class Names:
    """How a task's columns may be called, in any case, the usual name first."""

    text: tuple[str, ...]
    pair: tuple[str, ...]


NAMES = {
    "qa": Names((*QUESTION_NAMES, "text"), CONTEXT_NAMES),
    "ner": Names(TOKEN_NAMES, ()),
}
PLAIN = Names(TEXT_NAMES, PAIR_NAMES)


def columns_of(rows: Sequence[TextRow], task: Task) -> dict[str, list[Any]]:
    """Return rows as the columns that a task's rows have.

    Raises:
        DataError: A row is of another form or empty, or only some rows are pairs; all are listed.
    """
    problems: list[str] = []
    columns = _entity_columns(rows, problems) if task.label_kind == "tags" else _texts(rows, task, problems)
    if problems:
        raise DataError(SUBJECT, problems)
    return columns


def names_of(task: Task) -> Names:
    """Return how a task's columns may be called."""
    return NAMES.get(task.name, PLAIN)


def _texts(rows: Sequence[TextRow], task: Task, problems: list[str]) -> dict[str, list[Any]]:
    texts: list[object] = []
    pairs: list[object] = []
    names, need_pair = names_of(task), task.label_kind == "span"
    for number, row in enumerate(rows, 1):
        text, pair = _text_and_pair(row, names)
        for name, value in ((names.text[0], text), (names.pair[0], pair)):
            if need_pair and name == names.pair[0] and value is None:
                problems.append(f"row {number}, {name}: None; a question needs a text: {NEED_CONTEXT}")
            elif not _is_text(value) and (name == names.text[0] or need_pair or not _is_second(value)):
                problems.append(f"row {number}, {name}: {value!r:.60}; {EMPTY}")
        texts.append(text)
        pairs.append(pair)
    given = [pair for pair in pairs if pair is not None]
    if given and len(given) != len(pairs) and not need_pair:
        problems.append("some rows have a text_pair and some have none; give it for all or for none")
    return {"text": texts, "text_pair": pairs} if given else {"text": texts}


def _entity_columns(rows: Sequence[TextRow], problems: list[str]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {"text": [], "word_starts": [], "word_ends": []}
    for number, row in enumerate(rows, 1):
        try:
            text, starts, ends = words_of(row)
        except FieldError as error:
            problems.append(f"row {number}, {error.field}: {error}")
            continue
        for name, value in zip(columns, (text, starts, ends), strict=True):
            columns[name].append(value)
    return columns


def words_of(row: TextRow) -> tuple[str, list[int], list[int]]:
    """Return a text and where its words begin and end; words that are given stay as they are.

    Raises:
        FieldError: It is no text.
    """
    value: object = row
    if isinstance(row, Mapping):
        found = find_name(row, NAMES["ner"].text)
        value = as_tokens(row[found], found) if found else None
        if found and isinstance(row.get("word_starts"), list):
            return (
                cast(str, value),
                cast("list[int]", row["word_starts"]),
                cast("list[int]", row["word_ends"]),
            )
    if isinstance(value, str):
        if not _is_text(value):
            raise FieldError("text", f"{value!r:.60}; {EMPTY}")
        return value, *segment(value)
    if isinstance(value, tuple) and any(" " in str(part) for part in cast("tuple[object, ...]", value)):
        raise FieldError("text", f"{value!r:.60}; a model of named entities reads one text at a time")
    words = list(cast("Sequence[object]", value)) if isinstance(value, list | tuple) else []
    if not words or not all(_is_text(word) for word in words):
        raise FieldError("tokens", f"{value!r:.60}; give a text, or a list of words that are not empty")
    joined = join_words([cast(str, word).strip() for word in words])
    return joined.text, joined.starts, joined.ends


def _is_text(value: object) -> bool:
    """Return whether a value is a text with something in it, and no half of a surrogate pair."""
    return isinstance(value, str) and bool(value.strip()) and not SURROGATE.search(value)


def _is_second(value: object) -> bool:
    """Return whether a value may stand as a second text: any text, or none at all."""
    return value is None or (isinstance(value, str) and not SURROGATE.search(value))


def _text_and_pair(row: TextRow, names: Names) -> tuple[object, object]:
    if isinstance(row, Mapping):
        text = find_name(row, names.text)
        pair = find_name(row, [name for name in names.pair if text is None or name != text.lower()])
        return (row[text] if text else None), (row[pair] if pair else None)
    return (row[0], row[1]) if isinstance(row, tuple) and len(row) == 2 else (row, None)


def find_name(row: Mapping[str, object], names: Sequence[str]) -> str | None:
    """Return the row's own spelling of the first of these names that it has."""
    spelled = {str(name).strip().lower(): str(name) for name in reversed(list(row))}
    return next((spelled[name] for name in names if name in spelled), None)
