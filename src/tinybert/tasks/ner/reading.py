"""One row of named entities, however it was written → a text, its words and one BIO tag a word.

Read are ``tokens`` and ``tags``, or a text with character spans.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import cast

from tinybert.data.fields import FieldError, unpacked
from tinybert.data.labels import kind_of, plain, tidy
from tinybert.data.row_format import ColumnNames
from tinybert.tasks.ner.schemes import OUTSIDE, is_tag, orphan_message, to_bio
from tinybert.tasks.ner.words import EntityRow, join_words, segment


@dataclass
class TagCount:
    """Entities seen, and those that begin with a tag that should only continue one.

    Attributes:
        num_entities: All.
        num_orphans: Those without their B-.
        rows: Where the first orphans are.
    """

    num_entities: int = 0
    num_orphans: int = 0
    rows: list[int] = field(default_factory=list[int])

    def describe(self, file: str, unit: str) -> str | None:
        """Say how orphans were read: all of them mean IOB1, a few are mistakes."""
        if not self.num_orphans:
            return None
        share = f"{self.num_orphans:,} of {self.num_entities:,} entities begin with I- and no B- before it"
        if 2 * self.num_orphans > self.num_entities:
            return f"{file}: {share}: read as IOB1"
        numbers = ", ".join(f"{row:,}" for row in self.rows[:5])
        return (
            f"{file}: {share}: repaired (the first in {unit}s {numbers}); "
            "data.on_orphan_tag=refuse stops instead"
        )


def read_entities(
    raw: Mapping[str, object],
    columns: ColumnNames,
    *,
    class_names: Sequence[str] | None,
    count: TagCount,
    number: int,
    refuse_orphans: bool,
) -> EntityRow:
    """Read one row.

    Args:
        raw: The row as in the file.
        columns: Where text or tokens, and tags or spans are.
        class_names: The names of whole-number tags.
        count: Counts the row's entities.
        number: The row's, for ``count``.
        refuse_orphans: Refuse a tag that continues an entity that has not begun.

    Raises:
        FieldError: The row cannot be used.
    """
    value = as_tokens(plain(raw.get(columns.text)), columns.text)
    column = columns.label or "tags"
    label = unpacked(raw.get(columns.label), column) if columns.label else None
    label = None if isinstance(label, str) and not label.strip() else label
    if isinstance(value, str) and not _are_tags(label):
        starts, ends = segment(_visible(value, columns.text))
        row = EntityRow(value, starts, ends, None)
        return row if label is None else _with_spans(row, label, column, count)
    words = value.split() if isinstance(value, str) else _words(value, columns.text)
    row = join_words(words)
    if isinstance(value, str):  # words in one cell, parted by spaces
        row = _located(_visible(value, columns.text), words)
    tags = label.split() if isinstance(label, str) else label
    if tags is None:
        return row
    names = _tag_names(tags, class_names, column)
    if len(names) == 1 < len(words) and not is_tag(names[0]):
        raise FieldError(
            column,
            f"{names[0]!r} is one label for the whole text, which --task classification learns; "
            "for entities each token has its tag, or the text its spans",
        )
    if len(names) != len(words):
        raise FieldError(column, f"{len(names)} tags for {len(words)} tokens; give each token one tag")
    bio, num_orphans = to_bio(names, column)
    if num_orphans and refuse_orphans:
        raise FieldError(column, orphan_message(names))
    _note(count, bio, num_orphans, number)
    return EntityRow(row.text, row.starts, row.ends, bio)


def as_tokens(value: object, column: str) -> object:
    """Return the list of words that a cell of a table holds as JSON; other values unchanged.

    Raises:
        FieldError: It starts like a list of words but is none.
    """
    is_list = isinstance(value, str) and value.lstrip().startswith(('["', "['"))
    return unpacked(value, column) if is_list else value


def _are_tags(label: object) -> bool:
    """Return whether a label has a tag a word, and no spans."""
    if isinstance(label, list):
        return bool(label) and all(isinstance(each, str) for each in cast("list[object]", label))
    return isinstance(label, str)


def _visible(text: str, column: str) -> str:
    if not text.strip():
        raise FieldError(column, "empty; a text with at least one visible character is needed")
    return text


def _words(value: object, column: str) -> list[str]:
    if value is None:
        raise FieldError(column, "missing; a text or a list of tokens is needed")
    if not isinstance(value, list):
        raise FieldError(column, f"a {kind_of(value)} where a text or a list of tokens is expected")
    words = cast("list[object]", value)
    if not words:
        raise FieldError(column, "no tokens; remove the row")
    for index, word in enumerate(words):
        if not isinstance(word, str) or not word.strip():
            raise FieldError(
                column, f"token {index + 1} is {word!r}; a token is a text with visible characters"
            )
    return [cast(str, word).strip() for word in words]


def _located(text: str, words: Sequence[str]) -> EntityRow:
    starts: list[int] = []
    offset = 0
    for word in words:
        offset = text.index(word, offset)
        starts.append(offset)
        offset += len(word)
    return EntityRow(
        text, starts, [start + len(word) for start, word in zip(starts, words, strict=True)], None
    )


def _tag_names(tags: object, class_names: Sequence[str] | None, column: str) -> list[str]:
    if not isinstance(tags, list):
        raise FieldError(column, f"a {kind_of(tags)} where a list of tags is expected")
    names: list[str] = []
    for tag in cast("list[object]", tags):
        if isinstance(tag, int) and class_names and 0 <= tag < len(class_names):
            names.append(class_names[tag])
        elif isinstance(tag, str):
            names.append(tidy(tag) or OUTSIDE)
        else:
            raise FieldError(column, f"tag {tag!r}; write its name, such as B-PER")
    return names


def _note(count: TagCount, bio: Sequence[str], num_orphans: int, number: int) -> None:
    count.num_entities += sum(tag.startswith("B-") for tag in bio)
    if num_orphans:
        count.num_orphans += num_orphans
        if len(count.rows) < 5:
            count.rows.append(number)


@dataclass(frozen=True)
class Span:
    """An entity by its characters."""

    start: int
    end: int
    kind: str


def _with_spans(row: EntityRow, label: object, column: str, count: TagCount) -> EntityRow:
    """Tag the words that spans cover; a word that a span cuts becomes two."""
    spans = sorted(_spans(label, row.text, column), key=lambda span: span.start)
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
    count.num_entities += len(spans)
    return EntityRow(row.text, starts, ends, tags)


def _cut_words(row: EntityRow, spans: Sequence[Span]) -> tuple[list[int], list[int]]:
    borders = sorted({border for span in spans for border in (span.start, span.end)})
    starts: list[int] = []
    ends: list[int] = []
    for start, end in zip(row.starts, row.ends, strict=True):
        cuts = [start, *borders[bisect_right(borders, start) : bisect_left(borders, end)], end]
        starts += cuts[:-1]
        ends += cuts[1:]
    return starts, ends


def _spans(label: object, text: str, column: str) -> list[Span]:
    if not isinstance(label, list):
        raise FieldError(
            column, f"a {kind_of(label)} where a list of spans is expected: {{start, end, label}} each"
        )
    return [_span(each, text, column) for each in cast("list[object]", label)]


def _span(raw: object, text: str, column: str) -> Span:
    """Read one span, without white space at its ends."""
    start, end, kind = _span_parts(raw)
    if isinstance(kind, list):
        raise FieldError(
            column, f"span {start}–{end} has the labels {kind!r:.60}; keep one: a word has one tag"
        )
    if not isinstance(start, int) or not isinstance(end, int) or not isinstance(kind, str) or not tidy(kind):
        raise FieldError(column, f"span {raw!r:.80}: expected whole numbers start and end, and a label")
    if isinstance(start, bool) or isinstance(end, bool) or not 0 <= start < end <= len(text):
        raise FieldError(
            column, f"span {start}–{end} ({kind}) does not lie in the text of {len(text):,} characters"
        )
    inside = text[start:end]
    _compare(inside, raw, text, column)
    start, end = start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
    if start >= end:
        raise FieldError(column, f"the span at {start} ({kind}) holds white space only")
    return Span(start, end, tidy(kind))


def _compare(inside: str, raw: object, text: str, column: str) -> None:
    """Refuse a span whose text is not the text at its offsets."""
    given = cast(Mapping[str, object], raw).get("text") if isinstance(raw, Mapping) else None
    if not isinstance(given, str) or given.split() == inside.split():
        return
    offset = text.find(given)
    hint = f"it is at {offset}" if offset >= 0 else "it is nowhere in the text"
    raise FieldError(
        column,
        f"a span's text is {given!r:.60}, but {inside!r:.60} is there; {hint} "
        "(are the offsets counted in bytes or UTF-16? they are to be characters)",
    )


def _span_parts(raw: object) -> tuple[object, object, object]:
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
