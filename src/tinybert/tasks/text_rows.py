"""Rows of one text or two with one label for the whole: what classification and regression have in common.

A task of such rows derives its format from :class:`TextRows` and says how a label is read, stored and turned
into a number.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from tinybert.data.encode import encode_text
from tinybert.data.fields import FieldError, choices_in, class_named, is_missing, refuse_rejected, text_in
from tinybert.data.findings import name_some
from tinybert.data.labels import MISSING_NAMES, LabelScheme, equal_numbers, look_alikes
from tinybert.data.long_text import encode_head_tail, encode_text_windows
from tinybert.data.pooling import Pooling
from tinybert.data.row_format import (
    Column,
    ColumnNames,
    Columns,
    Record,
    RowFormat,
    StoredRow,
    TextPart,
    TextRow,
    find_name,
)
from tinybert.errors import DataError
from tinybert.language import SURROGATE
from tinybert.sources.columns import TEXT_NAMES
from tinybert.sources.objects import plain

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from tinybert.config import DataSection

PAIR_NAMES = (
    *("text_pair", "sentence2", "sentence_b", "text2", "text_b", "hypothesis", "question2", "文本2", "句子2"),
)
LABEL_NAMES = (
    *("label", "labels", "intent", "category", "class", "target", "score", "sentiment", "rating", "stars"),
    *("emotion", "topic", "similarity", "tags", "标签", "类别", "情感", "分类"),
)

TOKEN_COLUMNS = {"tokens", "tags"}
SUBJECT = "texts to predict"
CURLY_QUOTED = re.compile("[“”„].+[“”]|[‘’].+’|«.+»|».+«|「.+」|『.+』", re.DOTALL)
QUOTED = re.compile(r"([\"']).+\1", re.DOTALL)
EMPTY = "give a text, a str with a visible character"
OF_WINDOWS = ("window_pooling", "max_windows")
"""Settings below ``data.`` that are read with ``data.long_text=windows`` alone."""


@dataclass(frozen=True)
class TextRows(RowFormat):
    """Texts or pairs of texts, one label each.

    Attributes:
        long_text: What is read of a row that is longer than the model reads.
        window_pooling: How the logits of a row's windows become one.
        max_windows: Most windows of a row.
    """

    text: ClassVar[Column] = Column(TEXT_NAMES, "text")
    text_pair: ClassVar[Column | None] = Column(PAIR_NAMES, "second text")
    label: ClassVar[Column] = Column(LABEL_NAMES, "label")
    settings: ClassVar[tuple[str, ...]] = ("long_text", *OF_WINDOWS)
    kept: ClassVar[tuple[str, ...]] = ("long_text", *OF_WINDOWS)

    long_text: Literal["truncate", "head_tail", "windows"] = "truncate"
    window_pooling: Pooling = "mean"
    max_windows: int = 8

    def configured(self, section: DataSection) -> TextRows:
        """Return the format with what is read of long rows."""
        return replace(self, **{name: getattr(section, name) for name in self.kept})

    def setting_problems(self, section: DataSection) -> list[str]:
        """Refuse settings of windows where no row is read in windows."""
        if section.long_text == "windows":
            return []
        default = type(section)()
        return [
            f"data.{name}: only data.long_text=windows uses it; omit it, or set that"
            for name in OF_WINDOWS
            if name in self.settings and getattr(section, name) != getattr(default, name)
        ]

    @property
    def in_windows(self) -> bool:
        """Whether a long row is several windows."""
        return self.long_text == "windows"

    @property
    def pooling(self) -> Pooling | None:
        """How the logits of a row's windows become one."""
        return self.window_pooling if self.in_windows else None

    @property
    def truncates(self) -> bool:
        """Whether a long row is cut at its end."""
        return self.long_text == "truncate"

    def table_problem(self, columns: Sequence[str]) -> str | None:
        """Name a file of tokens and tags."""
        return token_table_problem(columns)

    def stored_fields(self, *, is_pair: bool) -> list[pa.Field]:
        """Return ``text``, and ``text_pair`` for pairs."""
        import pyarrow as pa

        return [pa.field(name, pa.string()) for name in ("text", "text_pair")[: 1 + is_pair]]

    def reader(self, columns: ColumnNames, class_names: Mapping[str, Sequence[str]]) -> TextReader:
        """Return what reads the rows of one table."""
        return TextReader(self, columns, class_names.get(columns.label or ""))

    @abstractmethod
    def stored_label(self, raw: object) -> object:
        """Return a label that is given as it is stored: text, or a number where ``has_numbers``.

        Raises:
            ValueError: It is malformed.
        """

    @abstractmethod
    def label_of(self, raw: object, labels: LabelScheme) -> int | float | list[Any]:
        """Turn one label into what the model is trained on.

        Raises:
            ValueError: It is missing or malformed.
            DataError: It is unknown.
        """

    def convert(self, raw: object, labels: LabelScheme) -> int | float | list[Any]:
        """Turn one label as written, or as stored, into what the model is trained on.

        Raises:
            DataError: It is missing, unknown or malformed.
        """
        try:
            return self.label_of(raw, labels)
        except ValueError as error:
            raise DataError("label", str(error)) from error

    def scheme_warnings(self, labels: LabelScheme) -> list[str]:
        """Name the labels that somebody may have meant to be one, or none, and those in quotes."""
        warnings: list[str] = []
        if groups := [", ".join(map(repr, group)) for group in look_alikes(labels.names)]:
            warnings.append(
                f"labels that differ by letter case or character width only are labels of their own: "
                f"{name_some(groups, mark='; ')}; write those that mean the same alike"
            )
        if groups := [", ".join(map(repr, group)) for group in equal_numbers(labels.names)]:
            warnings.append(
                "labels that are equal as numbers or truth values are labels of their own: "
                f"{name_some(groups, mark='; ')}; write those that mean the same alike"
            )
        if missing := [name for name in labels.names if name in MISSING_NAMES]:
            warnings.append(
                f"labels that look like missing values: {name_some([*map(repr, missing)])}; where a row has "
                "no label, leave the cell empty, or remove the row"
            )
        if curly := [name for name in labels.names if CURLY_QUOTED.fullmatch(name)]:
            warnings.append(
                f"labels with curly quotes around them: {name_some(curly)}; where they are none of the "
                "label, remove them"
            )
        if quoted := [name for name in labels.names if QUOTED.fullmatch(name)]:
            warnings.append(
                f"labels with quotes around them: {name_some(quoted)}; where they are none of the label, "
                "remove the space before the quotes: in CSV they are right behind the separator"
            )
        return warnings

    def one_value_problem(self, present: Sequence[str], num_labelled: int, *, kind: str) -> str | None:
        """Refuse training rows that all have the same label or number; ``kind`` is the word for it."""
        if len(present) != 1:
            return None
        return (
            f"all {num_labelled:,} labelled rows have the {kind} {present[0]!r}; at least two different ones "
            "are needed (is data.label the right column? are data.max_train_rows and data.max_labelled_rows "
            "large enough?)"
        )

    def truncation(self, max_length: int) -> str:
        """Say what became of texts that were not read whole, behind their number."""
        if self.long_text == "windows":
            return (
                f"texts were read in part: in windows of {max_length} tokens, at most {self.max_windows} of "
                "each text"
            )
        if self.long_text == "head_tail":
            return f"texts were read in part: {max_length} tokens of the beginning and the end of each"
        return super().truncation(max_length)

    def encode(
        self, tokenizer: PreTrainedTokenizerBase, batch: Columns, *, max_length: int, offsets: bool = False
    ) -> dict[str, list[Any]]:
        """Encode texts or pairs; ``long_text`` says what is read of those that are too long."""
        texts, pairs = batch["text"], batch.get("text_pair")
        if self.long_text == "windows":
            return encode_text_windows(
                tokenizer, texts, pairs, max_length=max_length, max_windows=self.max_windows
            )
        if self.long_text == "head_tail":
            return encode_head_tail(tokenizer, texts, pairs, max_length=max_length)
        return encode_text(tokenizer, batch, max_length=max_length, offsets=offsets)

    def columns_of(self, rows: Sequence[TextRow]) -> dict[str, list[Any]]:
        """Return ``text``, and ``text_pair`` where all rows are pairs.

        Raises:
            DataError: A row is empty or none, or only some are pairs; all are listed.
        """
        both = [text_and_pair(row, self.text.names, PAIR_NAMES) for row in rows]
        problems: list[str] = []
        for number, (text, pair) in enumerate(both, 1):
            if not is_text(text):
                problems.append(f"row {number}, text: {text!r:.60}; {EMPTY}")
            if pair is not None and not is_text(pair):
                problems.append(f"row {number}, text_pair: {pair!r:.60}; {EMPTY}")
        pairs = [pair for _, pair in both]
        num_pairs = sum(pair is not None for pair in pairs)
        if 0 < num_pairs < len(pairs):
            problems.append("some rows have a text_pair and some have none; give it for all or for none")
        if problems:
            raise DataError(SUBJECT, problems)
        return {"text": [text for text, _ in both], **({"text_pair": pairs} if num_pairs else {})}

    def rows_of(self, rows: Dataset) -> list[TextRow]:
        """Return texts, or pairs of texts."""
        if "text_pair" in rows.column_names:
            return list(zip(rows["text"], rows["text_pair"], strict=True))
        return list(rows["text"])

    def written_label(self, label: object, labels: LabelScheme) -> object:
        """Return a label as people write it."""
        return label

    def writer(self, rows: Dataset, labels: LabelScheme) -> Callable[[Record], dict[str, object]]:
        """Return what writes a row with its texts and its label."""

        def written(row: Record) -> dict[str, object]:
            texts = {name: row[name] for name in ("text", "text_pair") if name in row}
            label = row["label"]
            return {**texts, "label": None if label is None else self.written_label(label, labels)}

        return written

    def parts(self, row: Record) -> list[TextPart]:
        """Return both texts."""
        texts = [row["text"], row.get("text_pair")]
        return [TextPart(cast(str, text)) for text in texts if text is not None]

    def copy(self, row: Record, parts: Sequence[TextPart]) -> dict[str, Any]:
        """Return the changed texts without a label: a teacher gives it."""
        texts = dict(zip(("text", "text_pair"), (part.text for part in parts), strict=False))
        return {**row, **texts, **({"label": None} if "label" in row else {})}


@dataclass(frozen=True)
class TextReader:
    """Reads the rows of one table: see :class:`tinybert.data.row_format.TableReader`."""

    format: TextRows
    columns: ColumnNames
    class_names: Sequence[str] | None

    def read(self, raw: Record, number: int) -> StoredRow:
        """Check the texts, then the label."""
        refuse_rejected(raw)
        names = [name for name in (self.columns.text, self.columns.text_pair) if name is not None]
        texts = tuple(text_in(raw, name) for name in names)
        column = self.columns.label
        label = choices_in(plain(raw.get(column))) if column else None
        try:
            label = class_named(label, self.class_names) if self.class_names else label
            stored = None if is_missing(label) else self.format.stored_label(label)
        except ValueError as error:
            raise FieldError(column or "label", str(error)) from error
        return StoredRow(texts, texts, stored)

    def remarks(self, file: str, unit: str) -> list[str]:
        """Return nothing: each row is alone."""
        return []


def token_table_problem(columns: Sequence[str]) -> str | None:
    """Say that a table holds tokens and tags where texts are expected."""
    if not set(columns) - {"text", "question"} >= TOKEN_COLUMNS:
        return None
    return (
        "holds tokens and tags, which --task ner reads; texts with one label belong in .csv, .tsv, .jsonl, "
        ".json or .parquet"
    )


def is_text(value: object) -> bool:
    """Return whether a value is a text with something in it, and no half of a surrogate pair."""
    return isinstance(value, str) and bool(value.strip()) and not SURROGATE.search(value)


def text_and_pair(row: TextRow, texts: Iterable[str], pairs: Iterable[str]) -> tuple[object, object]:
    """Return a row's first and second text, by their usual names where the row is a mapping."""
    if isinstance(row, Mapping):
        text = find_name(row, list(texts))
        pair = find_name(row, [name for name in pairs if text is None or name != text.lower()])
        return (row[text] if text else None), (row[pair] if pair else None)
    return (row[0], row[1]) if isinstance(row, tuple) and len(row) == 2 else (row, None)
