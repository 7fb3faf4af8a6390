"""One row of named entities, however it was written → a text, its words and one BIO tag a word.

Read are ``tokens`` and ``tags``, or a text with character spans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from tinybert.advice import is_taken, setting
from tinybert.data.fields import FieldError, unpacked
from tinybert.data.labels import kind_of, tidy
from tinybert.data.offsets import Claim
from tinybert.data.row_format import ColumnNames
from tinybert.sources.objects import plain
from tinybert.tasks.ner.schemes import OUTSIDE, is_tag, orphan_message, to_bio
from tinybert.tasks.ner.spans import SpanCount, claims_of, with_spans
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
        other = f"; {setting('data.on_orphan_tag', 'refuse')} stops instead"
        return (
            f"{file}: {share}: repaired (the first in {unit}s {numbers})"
            f"{other if is_taken('data.on_orphan_tag') else ''}"
        )


def read_entities(
    raw: Mapping[str, object],
    columns: ColumnNames,
    *,
    class_names: Sequence[str] | None,
    count: TagCount,
    number: int,
    refuse_orphans: bool,
    spans: SpanCount | None = None,
) -> EntityRow:
    """Read one row.

    Args:
        raw: The row as in the file.
        columns: Where text or tokens, and tags or spans are.
        class_names: The names of whole-number tags.
        count: Counts the row's entities.
        number: The row's, for ``count``.
        refuse_orphans: Refuse a tag that continues an entity that has not begun.
        spans: How spans are counted; counts the row's.

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
        if label is None:
            return row
        row, num_spans = with_spans(row, label, column, spans or SpanCount(), number)
        count.num_entities += num_spans
        return row
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


def span_claims(raw: Mapping[str, object], columns: ColumnNames) -> list[Claim]:
    """Return what the spans of a row say of how they were counted; nothing where it has none."""
    text, column = plain(raw.get(columns.text)), columns.label or "tags"
    try:
        label = unpacked(raw.get(columns.label), column) if columns.label else None
    except FieldError:
        return []
    return (
        claims_of(text, cast("list[object]", label))
        if isinstance(text, str) and isinstance(label, list)
        else []
    )


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
