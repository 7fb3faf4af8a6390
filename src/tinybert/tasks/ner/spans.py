"""Entities as spans of characters → one BIO tag a word; spans that were counted otherwise are recognised."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import cast

from tinybert.data.fields import FieldError
from tinybert.data.labels import kind_of, tidy
from tinybert.data.offsets import (
    AS_WRITTEN,
    INCLUSIVE,
    OTHER_UNITS,
    Claim,
    Reading,
    Verdict,
    as_offset,
    find_reading,
)
from tinybert.language import cuts_word
from tinybert.tasks.ner.schemes import OUTSIDE
from tinybert.tasks.ner.words import EntityRow

MAX_EXAMPLES = 3
READINGS = (*OTHER_UNITS, *INCLUSIVE, Reading(first=1), Reading(first=1, is_inclusive=True))


@dataclass(frozen=True)
class Span:
    """An entity by its characters, and whether its text was given, and is the same."""

    start: int
    end: int
    kind: str
    is_quoted: bool = False


@dataclass
class SpanCount:
    """Spans seen, how they are counted, and those that cut words.

    Attributes:
        verdict: How offsets are counted, by the first rows.
        num_spans: All.
        num_cut: Those that begin or end amid a word, without a text that says so.
        examples: The first of these.
    """

    verdict: Verdict = field(default_factory=Verdict)
    num_spans: int = 0
    num_cut: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def add(self, text: str, spans: Sequence[Span], number: int, column: str) -> None:
        """Count the spans of one row."""
        self.num_spans += len(spans)
        for span in spans:
            if span.is_quoted or not (cuts_word(text, span.start) or cuts_word(text, span.end)):
                continue
            self.num_cut += 1
            if len(self.examples) < MAX_EXAMPLES:
                around = text[max(0, span.start - 10) : span.end + 10]
                shown = f"{text[span.start : span.end]!r:.60} in {around!r:.80}"
                self.examples.append((number, f"{column}: {shown}"))

    def describe(self, file: str, unit: str) -> list[str]:
        """Say how spans were counted, and which cut words."""
        found: list[str] = []
        if self.verdict.reading != AS_WRITTEN:
            wrong = f"{self.verdict.num_wrong:,} of {self.verdict.num_claims:,}"
            found.append(
                f"{file}: its spans are counted {self.verdict.reading}, and are read so; as written, {wrong} "
                "would cut words, differ from their text or lie outside it"
            )
        if self.num_cut:
            first = "; ".join(f"{unit} {number:,}, {shown}" for number, shown in self.examples)
            found.append(
                f"{file}: {self.num_cut:,} of {self.num_spans:,} spans ({self.num_cut / self.num_spans:.1%}) "
                f"cut words, whose parts are words of their own now: {first}; offsets are counted in "
                "characters from 0, the end behind the last one"
            )
        return found


def span_count(claims: Sequence[Claim]) -> SpanCount:
    """Find how the spans of a table are counted."""
    return SpanCount(find_reading(claims, READINGS))


def claims_of(text: str, label: Sequence[object]) -> list[Claim]:
    """Return what the spans of a text say of how they were counted."""
    claims: list[Claim] = []
    for raw in label:
        start, end, _ = _span_parts(raw)
        if isinstance(start, int) and isinstance(end, int):
            claims.append(partial(_placed, text=text, start=start, end=end, quoted=_quoted(raw)))
    return claims


def _placed(
    reading: Reading, *, text: str, start: int, end: int, quoted: str | None
) -> tuple[tuple[int, int] | None, bool]:
    """Return where a span is, and whether its text is there; without one, whether it cuts no word."""
    found = reading.span(text, start, end)
    if found is None:
        return None, False
    inside = text[found[0] : found[1]]
    if quoted is not None:
        return found, quoted.split() == inside.split()
    first, last = found[0] + len(inside) - len(inside.lstrip()), found[1] - len(inside) + len(inside.rstrip())
    has_spaces = (first, last) != found and reading != AS_WRITTEN
    return found, first < last and not (has_spaces or cuts_word(text, first) or cuts_word(text, last))


def with_spans(
    row: EntityRow, label: object, column: str, count: SpanCount, number: int
) -> tuple[EntityRow, int]:
    """Tag the words that spans cover, and say how many there are; a word that a span cuts becomes two.

    Raises:
        FieldError: They are no spans of the text, or overlap.
    """
    spans = sorted(_spans(label, row.text, column, count.verdict.reading), key=lambda span: span.start)
    for one, other in pairwise(spans):
        if other.start < one.end:
            raise FieldError(
                column,
                f"{row.text[one.start : one.end]!r} ({one.kind}, {one.start}–{one.end}) and "
                f"{row.text[other.start : other.end]!r} ({other.kind}, {other.start}–{other.end}) overlap; "
                "keep one: a word has one tag",
            )
    starts, ends = _cut_words(row, spans)
    tags = [OUTSIDE] * len(starts)
    index = 0
    for span in spans:
        while starts[index] < span.start:
            index += 1
        tags[index] = f"B-{span.kind}"
        index += 1
        while index < len(starts) and starts[index] < span.end:
            tags[index] = f"I-{span.kind}"
            index += 1
    count.add(row.text, spans, number, column)
    return EntityRow(row.text, starts, ends, tags), len(spans)


def _cut_words(row: EntityRow, spans: Sequence[Span]) -> tuple[list[int], list[int]]:
    borders = sorted({border for span in spans for border in (span.start, span.end)})
    starts: list[int] = []
    ends: list[int] = []
    for start, end in zip(row.starts, row.ends, strict=True):
        cuts = [start, *borders[bisect_right(borders, start) : bisect_left(borders, end)], end]
        starts += cuts[:-1]
        ends += cuts[1:]
    return starts, ends


def _spans(label: object, text: str, column: str, reading: Reading) -> list[Span]:
    if not isinstance(label, list):
        raise FieldError(
            column, f"a {kind_of(label)} where a list of spans is expected: {{start, end, label}} each"
        )
    return [_span(each, text, column, reading) for each in cast("list[object]", label)]


def _span(raw: object, text: str, column: str, reading: Reading) -> Span:
    """Read one span, without white space at its ends."""
    start, end, kind = _span_parts(raw)
    if isinstance(kind, list):
        raise FieldError(
            column, f"span {start}–{end} has the labels {kind!r:.60}; keep one: a word has one tag"
        )
    if not isinstance(start, int) or not isinstance(end, int) or not isinstance(kind, str) or not tidy(kind):
        raise FieldError(column, f"span {raw!r:.80}: expected whole numbers start and end, and a label")
    found = None if isinstance(start, bool) or isinstance(end, bool) else reading.span(text, start, end)
    if found is None:
        how = "" if reading == AS_WRITTEN else f", counted {reading}"
        empty = "; an end is the offset behind the last character" if start == end else ""
        raise FieldError(
            column,
            f"span {start}–{end} ({kind}) does not lie in the text of {len(text):,} characters{how}{empty}",
        )
    start, end = found
    inside = text[start:end]
    _compare(inside, raw, text, column)
    start, end = start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
    if start >= end:
        raise FieldError(column, f"the span at {start} ({kind}) holds white space only")
    return Span(start, end, tidy(kind), is_quoted=_quoted(raw) is not None)


def _compare(inside: str, raw: object, text: str, column: str) -> None:
    """Refuse a span whose text is not the text at its offsets."""
    given = _quoted(raw)
    if given is None or given.split() == inside.split():
        return
    offset = text.find(given)
    hint = f"it is at {offset}" if offset >= 0 else "it is nowhere in the text"
    raise FieldError(
        column,
        f"a span's text is {given!r:.60}, but {inside!r:.60} is there; {hint} "
        "(are the offsets counted in bytes or UTF-16? they are to be characters)",
    )


def _quoted(raw: object) -> str | None:
    """Return the text that a span says it has."""
    spot = cast(Mapping[str, object], raw) if isinstance(raw, Mapping) else {}
    given = (spot.get(name) for name in ("text", "surface"))
    return next((each for each in given if isinstance(each, str)), None)


def _span_parts(raw: object) -> tuple[object, object, object]:
    """Return where a span begins and ends, and its label or list of labels."""
    start, end, kind = _written_parts(raw)
    return as_offset(start), as_offset(end), kind


def _written_parts(raw: object) -> tuple[object, object, object]:
    if isinstance(raw, list | tuple) and len(cast("list[object]", raw)) == 3:
        start, end, kind = cast("list[object]", raw)
        return start, end, kind
    if isinstance(raw, Mapping):
        spot = cast(Mapping[str, object], raw)
        start, end = (spot.get(name, spot.get(f"{name}_offset")) for name in ("start", "end"))
        labels = spot.get("labels")
        if isinstance(labels, list):
            named = cast("list[object]", labels)
            return start, end, named[0] if len(named) == 1 else named
        return start, end, spot.get("label")
    return None, None, None
