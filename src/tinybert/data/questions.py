"""Rows of questions, the texts they are asked of, and where the answers stand: SQuAD 1.1 and 2.0."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from tinybert.data.fields import FieldError, objects_in
from tinybert.data.labels import kind_of
from tinybert.data.text_files import Fault, RawRow

MAX_CHARS_SHOWN = 60


@dataclass(frozen=True)
class QuestionRow:
    """A question and its text.

    Attributes:
        question: What is asked.
        context: The text that holds the answer, or does not.
        answers: Where answers stand in the context, in characters; empty says that there is none, None that
            nobody has said.
    """

    question: str
    context: str
    answers: list[list[int]] | None

    @property
    def label(self) -> str | None:
        """The answers as they are kept between the two passes of reading."""
        return None if self.answers is None else json.dumps(self.answers)


def read_answers(raw: Mapping[str, object], context: str, column: str) -> list[list[int]] | None:
    """Return where a row's answers stand; None where it has no such field.

    Read are ``{"text": […], "answer_start": […]}``, a list of ``{"text": …, "answer_start": …}``, a text
    alone that stands in the context once or a list of such texts, and ``is_impossible``.

    Raises:
        FieldError: An answer does not stand where it says.
    """
    if raw.get("is_impossible") is True:
        return []
    given = raw.get(column)
    if given is None:
        return None
    if isinstance(given, Mapping):
        given = _paired(cast(Mapping[str, object], given), column)
    if isinstance(given, str):
        given = [{"text": given}] if given.strip() else []
    if not isinstance(given, list):
        raise FieldError(
            column, f"a {kind_of(given)} where answers are expected: a list of {{text, answer_start}}"
        )
    spans = [_span(each, context, column) for each in cast("list[object]", given)]
    return [list(span) for span in dict.fromkeys(spans)]


def nested_rows(rows: Iterable[RawRow | Fault]) -> Iterator[RawRow | Fault]:
    """Lay SQuAD's articles out as one row a question; other rows stay."""
    for row in rows:
        if isinstance(row, Fault) or not isinstance(row[1].get("paragraphs"), list):
            yield row
            continue
        number, article = row
        try:
            for paragraph in objects_in(article, "paragraphs"):
                given = {"title": article.get("title"), "context": paragraph.get("context")}
                yield from ((number, {**given, **question}) for question in objects_in(paragraph, "qas"))
        except FieldError as error:
            yield Fault(number, f"{error.field}: {error}", article)


def _paired(given: Mapping[str, object], column: str) -> list[object]:
    texts, starts = given.get("text"), given.get("answer_start")
    if isinstance(texts, str):
        texts, starts = [texts], [starts]
    if not isinstance(texts, list):
        raise FieldError(column, "expected text and answer_start, each a list")
    if not isinstance(starts, list) or len(cast("list[object]", starts)) != len(cast("list[object]", texts)):
        raise FieldError(column, "text and answer_start are of different length; give each answer its place")
    return [
        {"text": text, "answer_start": start}
        for text, start in zip(cast("list[object]", texts), cast("list[object]", starts), strict=True)
    ]


def _span(raw: object, context: str, column: str) -> tuple[int, int]:
    spot = cast(Mapping[str, object], raw) if isinstance(raw, Mapping) else {"text": raw}
    text, start = spot.get("text"), spot.get("answer_start")
    if not isinstance(text, str) or not text.strip():
        raise FieldError(
            column, f"answer {raw!r:.60}: a text with visible characters is needed; none at all: []"
        )
    shown = text if len(text) <= MAX_CHARS_SHOWN else text[:MAX_CHARS_SHOWN] + "…"
    if start is None:
        return _found(text, shown, context, column)
    if not isinstance(start, int) or isinstance(start, bool):
        raise FieldError(column, f"answer_start {start!r}: a whole number is expected")
    if start < 0 or context[start : start + len(text)] != text:
        place = context.find(text)
        hint = f"it stands at {place}" if place >= 0 else "it stands nowhere in the context"
        raise FieldError(column, f"the answer {shown!r} does not stand at character {start}; {hint}")
    start += len(text) - len(text.lstrip())
    return start, start + len(text.strip())


def _found(text: str, shown: str, context: str, column: str) -> tuple[int, int]:
    text = text.strip()
    times = context.count(text)
    if times != 1:
        raise FieldError(
            column,
            f"the answer {shown!r} stands in the context {times} times"
            f"{'; say where with answer_start' if times else ''}",
        )
    return context.index(text), context.index(text) + len(text)
