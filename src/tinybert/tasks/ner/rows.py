"""Rows of named entities: a text, its words and one BIO tag a word."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tinybert.data.fields import FieldError, refuse_surrogates, text_in
from tinybert.data.findings import name_some
from tinybert.data.label_cells import split_labels
from tinybert.data.labels import LabelScheme, look_alikes
from tinybert.data.row_format import (
    ROWS_WEIGHED,
    Balance,
    Column,
    ColumnNames,
    Columns,
    Converter,
    Record,
    RowFormat,
    StoredRow,
    TextPart,
    TextRow,
    find_name,
)
from tinybert.data.windows import encode_windows
from tinybert.errors import DataError, ModelError
from tinybert.sources.columns import TEXT_NAMES
from tinybert.sources.text_files import Fault, RawRow
from tinybert.tasks.classification import balance_of
from tinybert.tasks.ner.converters import CONVERTERS
from tinybert.tasks.ner.reading import TagCount, as_tokens, read_entities, span_claims
from tinybert.tasks.ner.schemes import is_tag, schemes_of, tag_names
from tinybert.tasks.ner.spans import SpanCount, span_count
from tinybert.tasks.ner.tags import entities_of
from tinybert.tasks.ner.word_rows import joined_sentences
from tinybert.tasks.ner.words import join_words, segment, tags_of_pieces, words_of_pieces
from tinybert.tasks.text_rows import EMPTY, SUBJECT, is_text

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from tinybert.config import DataSection

WORDS = ("word_starts", "word_ends")


@dataclass(frozen=True)
class EntityRows(RowFormat):
    """Texts or tokens with one BIO tag a word.

    Attributes:
        every_piece: Every piece of a word is taught its tag, not only the first.
        refuse_orphans: An I- tag without its B- is a bad row; else it begins an entity.
        text_column: The column of texts or words, where it was named.
        label_column: The column of tags or spans, where it was named.
    """

    text: ClassVar[Column] = Column(("tokens", "words", *TEXT_NAMES), "text", beside=TEXT_NAMES)
    label: ClassVar[Column] = Column(
        ("tags", "ner_tags", "spans", "entities", "label", "labels", "ner"),
        "label",
        beside=("label", "labels"),
    )
    windowed: ClassVar[bool] = True
    num_rows_weighed: ClassVar[int] = ROWS_WEIGHED
    settings: ClassVar[tuple[str, ...]] = ("label_pieces", "on_orphan_tag")
    converters: ClassVar[Mapping[str, Converter]] = CONVERTERS
    missing_label: ClassVar[str] = (
        "give each token a tag (O for none), or the row its spans ([] for none), or remove the row"
    )

    every_piece: bool = False
    refuse_orphans: bool = False
    text_column: str | None = None
    label_column: str | None = None

    def configured(self, section: DataSection) -> EntityRows:
        """Return the format with ``data.label_pieces``, ``data.on_orphan_tag`` and the columns."""
        return replace(
            self,
            every_piece=section.label_pieces == "all",
            refuse_orphans=section.on_orphan_tag == "refuse",
            text_column=section.text,
            label_column=section.label,
        )

    def unpack(self, rows: Iterable[RawRow | Fault], *, keep: str = "") -> Iterator[RawRow | Fault]:
        """Unpack other programs' formats, and join the words of a sentence where a row is one word."""
        names = self.text.names[0], self.label.names[0]
        return super().unpack(
            joined_sentences(iter(rows), text=self.text_column, label=self.label_column, names=names),
            keep=keep,
        )

    def stored_fields(self, *, is_pair: bool) -> list[pa.Field]:
        """Return the text and where its words begin and end, in characters."""
        import pyarrow as pa

        return [pa.field("text", pa.string()), *(pa.field(name, pa.list_(pa.int32())) for name in WORDS)]

    def reader(self, columns: ColumnNames, class_names: Mapping[str, Sequence[str]]) -> EntityReader:
        """Return what reads the rows of one table."""
        names = class_names.get(columns.label or self.label.names[0])
        return EntityReader(columns, names, refuse_orphans=self.refuse_orphans)

    def reader_after(
        self, head: Sequence[Record], columns: ColumnNames, class_names: Mapping[str, Sequence[str]]
    ) -> EntityReader:
        """Return the reader, which knows from the first rows how spans are counted."""
        claims = [claim for raw in head for claim in span_claims(raw, columns)]
        return replace(self.reader(columns, class_names), spans=span_count(claims))

    @property
    def label_type(self) -> pa.DataType:
        """One tag number a word."""
        import pyarrow as pa

        return pa.list_(pa.int64())

    def names_in(self, stored: str, labels: LabelScheme) -> frozenset[str]:
        """Return the tags of a row."""
        return frozenset(split_labels(stored, labels.separator))

    def scheme(self, raw_labels: Iterable[object]) -> LabelScheme:
        """Collect the types: O, then B- and I- of each."""
        return LabelScheme(tag_names(str(tag) for tag in raw_labels if tag is not None))

    def convert(self, raw: object, labels: LabelScheme) -> list[int]:
        """Return one tag number a word.

        Raises:
            DataError: A tag is unknown.
        """
        return [labels.index(name) for name in split_labels(raw, labels.separator)]

    def scheme_of_outputs(self, names: Sequence[str], *, subject: str) -> LabelScheme:
        """Return the tags of a saved model.

        Raises:
            ModelError: Its outputs are tags of no known scheme.
        """
        if not schemes_of(names):
            raise ModelError(
                subject,
                f"its outputs are {', '.join(names[:8])}; for entities they are O, B-TYPE and I-TYPE "
                "(IO, IOB1, IOB2), the letters of BIOES, BILOU or BMES, or a bare TYPE: write such names "
                "into id2label of its config.json, or distil it with --task ner",
            )
        return LabelScheme(tuple(names))

    def scheme_problem(self, labels: LabelScheme, num_labelled: int) -> str | None:
        """Say that no row has an entity."""
        none = "no row has an entity: every tag is O, or no row is labelled"
        return none if len(labels.names) == 1 else super().scheme_problem(labels, num_labelled)

    def scheme_warnings(self, labels: LabelScheme) -> list[str]:
        """Name the types that somebody may have meant to be one."""
        types = {name.partition("-")[2] for name in labels.names if "-" in name}
        groups = [", ".join(map(repr, group)) for group in look_alikes(types)]
        if not groups:
            return []
        return [
            "types of entities that differ by letter case or character width only are types of their own: "
            f"{name_some(groups, mark='; ')}; write those that mean the same alike"
        ]

    def encode(
        self, tokenizer: PreTrainedTokenizerBase, batch: Columns, *, max_length: int, offsets: bool = False
    ) -> dict[str, list[Any]]:
        """Encode windows; ``words`` is the word that each piece begins, -1 elsewhere."""
        found = encode_windows(tokenizer, batch["text"], max_length=max_length)
        firsts = words_of_pieces(found, batch)
        found["words"] = words_of_pieces(found, batch, every_piece=True) if self.every_piece else firsts
        labels = batch.get("label")
        if labels is not None:
            tags = [labels[row] or [] for row in found["example"]]
            found["labels"] = tags_of_pieces(found["words"], tags, firsts)
        return found

    @property
    def window_columns(self) -> tuple[str, ...]:
        """The word of each piece."""
        return ("words",)

    def columns_of(self, rows: Sequence[TextRow]) -> dict[str, list[Any]]:
        """Return texts and where their words begin and end.

        Raises:
            DataError: A row is no text and no list of words; all are listed.
        """
        columns: dict[str, list[Any]] = {"text": [], **{name: [] for name in WORDS}}
        problems: list[str] = []
        for number, row in enumerate(rows, 1):
            try:
                found = words_of(row, self.text.names)
            except FieldError as error:
                problems.append(f"row {number}, {error.field}: {error}")
                continue
            for name, value in zip(columns, found, strict=True):
                columns[name].append(value)
        if problems:
            raise DataError(SUBJECT, problems)
        return columns

    def rows_of(self, rows: Dataset) -> list[TextRow]:
        """Return texts with the offsets of their words."""
        names = ["text", *WORDS]
        return [{name: row[name] for name in names} for row in rows.select_columns(names).to_list()]

    def file_problem(self, lines: Iterable[str]) -> str | None:
        """Name a file of columns that ends in .txt, which here means one text a line."""
        filled = [fields for line in lines if (fields := line.split())]
        if not filled or not all(len(fields) > 1 and is_tag(fields[-1]) for fields in filled):
            return None
        return "looks like a file of columns (a token and its tag a line); let its name end in .conll"

    def writer(self, rows: Dataset, labels: LabelScheme) -> Callable[[Record], dict[str, object]]:
        """Return what writes a row as tokens and tags, or as a text with spans where spaces would be lost."""
        records = cast("Iterable[dict[str, Any]]", rows)
        as_text = any(" ".join(_tokens(row)) != row["text"] for row in records)

        def written(row: Record) -> dict[str, object]:
            label = cast("Sequence[int] | None", row["label"])
            tags = None if label is None else [labels.names[tag] for tag in label]
            if not as_text:
                return {"tokens": _tokens(row), "tags": tags}
            return {"text": row["text"], "spans": None if tags is None else _spans(row, tags)}

        return written

    def parts(self, row: Record) -> list[TextPart]:
        """Return the text with its words; those of entities are never changed."""
        words = zip(*(cast("Sequence[int]", row[name]) for name in WORDS), strict=True)
        tags = cast("Sequence[int] | None", row.get("label"))
        return [TextPart(cast(str, row["text"]), tuple(words), None if tags is None else tuple(tags))]

    def copy(self, row: Record, parts: Sequence[TextPart]) -> dict[str, Any]:
        """Return the changed text with its words and their tags."""
        words = parts[0].words or ()
        offsets = dict(zip(WORDS, ([word[side] for word in words] for side in (0, 1)), strict=True))
        label = {} if parts[0].tags is None else {"label": list(parts[0].tags)}
        return {**row, "text": parts[0].text, **offsets, **label}

    def balance(self, given: Iterable[Sequence[int]], labels: LabelScheme) -> Balance | None:
        """Compare the most frequent type of entity with the rarest; an odd tag begins one."""
        counts = Counter(labels.names[tag][2:] for tags in given for tag in tags if tag % 2)
        return balance_of(counts, "entities in train")


@dataclass
class EntityReader:
    """Reads the rows of one table, and counts tags that begin no entity, and spans that cut words."""

    columns: ColumnNames
    class_names: Sequence[str] | None
    refuse_orphans: bool
    count: TagCount = field(default_factory=TagCount)
    spans: SpanCount = field(default_factory=SpanCount)

    def read(self, raw: Record, number: int) -> StoredRow:
        """Read text and tags.

        Raises:
            FieldError: The row cannot be used.
        """
        row = read_entities(
            raw,
            self.columns,
            class_names=self.class_names,
            count=self.count,
            number=number,
            refuse_orphans=self.refuse_orphans,
            spans=self.spans,
        )
        column = self.columns.text
        text = text_in({column: row.text}, column)
        refuse_surrogates(row.tags or [], self.columns.label or "tags")
        label = None if row.tags is None else json.dumps(row.tags, ensure_ascii=False)
        return StoredRow((text,), (text, row.starts, row.ends), label)

    def remarks(self, file: str, unit: str) -> list[str]:
        """Say how tags without a beginning were read, and how spans."""
        note = self.count.describe(file, unit)
        return [*([note] if note else []), *self.spans.describe(file, unit)]


def words_of(row: TextRow, names: Sequence[str]) -> tuple[str, list[int], list[int]]:
    """Return a text and where its words begin and end; words that are given are kept.

    Raises:
        FieldError: It is no text.
    """
    value: object = row
    if isinstance(row, Mapping):
        found = find_name(row, names)
        value = as_tokens(row[found], found) if found else None
        if found and isinstance(row.get("word_starts"), list):
            starts, ends = (cast("list[int]", row[name]) for name in WORDS)
            return cast(str, value), starts, ends
    if isinstance(value, str):
        if not is_text(value):
            raise FieldError("text", f"{value!r:.60}; {EMPTY}")
        return value, *segment(value)
    if isinstance(value, tuple) and any(" " in str(part) for part in cast("tuple[object, ...]", value)):
        raise FieldError("text", f"{value!r:.60}; a model of named entities reads one text at a time")
    words = list(cast("Sequence[object]", value)) if isinstance(value, list | tuple) else []
    if not words or not all(is_text(word) for word in words):
        raise FieldError("tokens", f"{value!r:.60}; give a text, or a list of words that are not empty")
    joined = join_words([cast(str, word).strip() for word in words])
    return joined.text, joined.starts, joined.ends


def _tokens(row: Record) -> list[str]:
    text, (starts, ends) = cast(str, row["text"]), (cast("Sequence[int]", row[name]) for name in WORDS)
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def _spans(row: Record, tags: Sequence[str]) -> list[dict[str, object]]:
    starts, ends = (cast("Sequence[int]", row[name]) for name in WORDS)
    return [
        {"start": starts[first], "end": ends[behind - 1], "label": kind}
        for first, behind, kind in entities_of(tags)
    ]
