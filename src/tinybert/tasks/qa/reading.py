"""Where the answers to a question are, however that was written: SQuAD 1.1 and 2.0, tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import cast

from tinybert.data.fields import FieldError, objects_in, value_in
from tinybert.data.labels import kind_of
from tinybert.data.offsets import AS_WRITTEN, Claim, Reading, as_offset
from tinybert.data.row_format import Converter, Record
from tinybert.sources.text_files import Fault, RawRow
from tinybert.tasks.qa.prediction import QUESTION_NAMES

MAX_CHARS_SHOWN = 60


def as_stored(answers: Sequence[Sequence[int]]) -> str:
    """Return where answers are as text, as it is kept between the two passes of reading."""
    return json.dumps(answers)


def from_stored(text: str) -> list[list[int]]:
    """Return what :func:`as_stored` was given."""
    return cast("list[list[int]]", json.loads(text))


def read_answers(
    raw: Mapping[str, object], context: str, column: str, reading: Reading = AS_WRITTEN
) -> list[list[int]] | None:
    """Return where a row's answers are; None where it has no such field.

    An empty cell says nothing. Read are ``{"text": […], "answer_start": […]}``, a list of ``{"text": …,
    "answer_start": …}``, both also as JSON in a cell, a text alone that occurs in the context once or has its
    ``answer_start`` beside it, a list of such texts, and ``is_impossible``.

    Args:
        raw: The row as in the file.
        context: Its context.
        column: Of the answers.
        reading: How ``answer_start`` is counted.

    Raises:
        FieldError: An answer is not where its row puts it.
    """
    is_impossible = str(raw.get("is_impossible")).strip().lower() in ("true", "1")
    given = _listed(raw, context, column)
    if given is None:
        return [] if is_impossible else None
    if is_impossible and given:
        raise FieldError(
            column, "holds an answer, but is_impossible says that there is none; fix one of them"
        )
    if not isinstance(given, list):
        raise FieldError(
            column, f"a {kind_of(given)} where answers are expected: a list of {{text, answer_start}}"
        )
    spans = [_span(each, context, column, reading) for each in cast("list[object]", given)]
    return [list(span) for span in dict.fromkeys(spans)]


def _listed(raw: Mapping[str, object], context: str, column: str) -> object:
    """Return the answers as a list, however they were written; what is none unchanged."""
    given = raw.get(column)
    if isinstance(given, str):
        given = _cell(given, raw, context, column)
    return _paired(cast(Mapping[str, object], given), column) if isinstance(given, Mapping) else given


def answer_claims(raw: Mapping[str, object], context: object, column: str) -> list[Claim]:
    """Return what the answers of a row say of how ``answer_start`` was counted."""
    if not isinstance(context, str):
        return []
    try:
        given = _listed(raw, context, column)
    except FieldError:
        return []
    claims: list[Claim] = []
    for each in cast("list[object]", given) if isinstance(given, list) else ():
        spot = cast(Mapping[str, object], each) if isinstance(each, Mapping) else {}
        text, start = spot.get("text"), as_offset(spot.get("answer_start"))
        if isinstance(text, str) and isinstance(start, int) and text.strip():
            claims.append(partial(_placed, context=context, text=text, start=start))
    return claims


def _placed(reading: Reading, *, context: str, text: str, start: int) -> tuple[int | None, bool]:
    """Return where an answer begins, and whether it is there."""
    found = reading.character(context, start)
    return found, found is not None and context.startswith(text, found)


def squad(raw: Record, number: int) -> Iterator[RawRow | Fault] | None:
    """Read one article of SQuAD as one row a question.

    Raises:
        FieldError: Its paragraphs are null.
    """
    if "paragraphs" not in raw or any(name in raw for name in QUESTION_NAMES):
        return None
    paragraphs = raw["paragraphs"]
    if paragraphs is None:
        raise FieldError("paragraphs", "null; a list of objects is expected, [] for none")
    return _article(cast("list[object]", paragraphs), raw, number) if isinstance(paragraphs, list) else None


def _article(paragraphs: list[object], raw: Record, number: int) -> Iterator[RawRow | Fault]:
    for index, paragraph in enumerate(paragraphs, start=1):
        try:
            yield from ((number, question) for question in _questions(paragraph, raw.get("title")))
        except FieldError as error:
            yield Fault(number, f"paragraph {index}, {error.field}: {error}", {"": paragraph})


CONVERTERS: Mapping[str, Converter] = {"squad": squad}


def _questions(paragraph: object, title: object) -> list[Mapping[str, object]]:
    if not isinstance(paragraph, Mapping):
        raise FieldError("paragraphs", f"{paragraph!r:.60} is in the list; an object is expected")
    given = cast(Mapping[str, object], paragraph)
    both = {"title": title, "context": given.get("context")}
    return [
        {**both, **({"answers": []} if question.get("is_impossible") is True else {}), **question}
        for question in objects_in(given, "qas")
    ]


def _cell(given: str, raw: Mapping[str, object], context: str, column: str) -> object:
    """Return the answers in one cell of a table: a text of the context, else a list or a mapping."""
    if not given.strip():
        return None
    if given.lstrip()[0] in "[{" and given.strip() not in context:
        try:
            return value_in(given, column)
        except FieldError as error:
            raise FieldError(column, f"occurs in the context 0 times, and {error}") from error
    start = raw.get("answer_start")
    return [{"text": given, "answer_start": None if start == "" else start}]


def _paired(given: Mapping[str, object], column: str) -> list[object]:
    texts, starts = given.get("text"), given.get("answer_start")
    if isinstance(texts, str):
        texts, starts = [texts], [starts]
    if not isinstance(texts, list):
        raise FieldError(column, "expected text and answer_start, each a list")
    if not isinstance(starts, list) or len(cast("list[object]", starts)) != len(cast("list[object]", texts)):
        raise FieldError(column, "text and answer_start are of different length; give each answer its offset")
    return [
        {"text": text, "answer_start": start}
        for text, start in zip(cast("list[object]", texts), cast("list[object]", starts), strict=True)
    ]


def _span(raw: object, context: str, column: str, reading: Reading) -> tuple[int, int]:
    spot = cast(Mapping[str, object], raw) if isinstance(raw, Mapping) else {"text": raw}
    text, start = spot.get("text"), as_offset(spot.get("answer_start"))
    if not isinstance(text, str) or not text.strip():
        raise FieldError(
            column, f"answer {raw!r:.60}: a text with visible characters is needed; none at all: []"
        )
    shown = text if len(text) <= MAX_CHARS_SHOWN else text[:MAX_CHARS_SHOWN] + "…"
    if start is None:
        return _found(text, shown, context, column)
    if not isinstance(start, int) or isinstance(start, bool):
        raise FieldError(column, f"answer_start {start!r}: a whole number is expected")
    found, fits = _placed(reading, context=context, text=text, start=start)
    if found is None or not fits:
        offset = context.find(text)
        hint = f"it is at {offset}" if offset >= 0 else "it is nowhere in the context"
        how = "" if reading == AS_WRITTEN else f", counted {reading}"
        raise FieldError(column, f"the answer {shown!r} is not at character {start}{how}; {hint}")
    start = found + len(text) - len(text.lstrip())
    return start, start + len(text.strip())


def _found(text: str, shown: str, context: str, column: str) -> tuple[int, int]:
    text = text.strip()
    times = context.count(text)
    if times != 1:
        raise FieldError(
            column,
            f"the answer {shown!r} occurs in the context {times} times"
            f"{'; say where with answer_start' if times else ''}",
        )
    return context.index(text), context.index(text) + len(text)
