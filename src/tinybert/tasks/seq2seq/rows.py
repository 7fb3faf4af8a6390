"""Rows of a source and its target: a text to translate, to sum up or to reply to, and what is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tinybert.data.encode import encode
from tinybert.data.fields import FieldError, is_missing, refuse_rejected, text_in, unpacked
from tinybert.data.labels import LabelScheme, kind_of
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
from tinybert.sources.objects import plain
from tinybert.tasks.text_rows import EMPTY, SUBJECT, is_text, token_table_problem

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

SOURCE_NAMES = (
    *("source", "src", "text", "document", "article", "body", "input", "dialogue", "prompt", "question"),
    *("原文", "源文", "正文", "文本", "输入"),
)
TARGET_NAMES = (
    *("target", "tgt", "translation", "summary", "headline", "highlights", "title", "reply", "response"),
    *("output", "answer", "label", "译文", "摘要", "标题", "回复", "输出"),
)
REFERENCES = "references"
"""A column of several targets of one source; it is read where it is there."""
OUTPUTS = LabelScheme(("text",), by_position=True)


@dataclass(frozen=True)
class SequenceRows(RowFormat):
    """Sources and targets; a label is a list of texts, of which the first is learnt and all are references.

    Attributes:
        max_target_length: Longest target in tokens, its end included.
    """

    text: ClassVar[Column] = Column(SOURCE_NAMES, "source")
    label: ClassVar[Column] = Column(TARGET_NAMES, "target")
    missing_label: ClassVar[str] = "give the row its target, or remove the row"
    encodes_labels: ClassVar[bool] = True

    max_target_length: int = 128

    def table_problem(self, columns: Sequence[str]) -> str | None:
        """Name a file of tokens and tags."""
        return token_table_problem(columns)

    def stored_fields(self, *, is_pair: bool) -> list[pa.Field]:
        """Return the source."""
        import pyarrow as pa

        return [pa.field("text", pa.string())]

    def reader(self, columns: ColumnNames, class_names: Mapping[str, Sequence[str]]) -> SequenceReader:
        """Return what reads the rows of one table."""
        return SequenceReader(columns)

    @property
    def label_type(self) -> pa.DataType:
        """A list of texts."""
        import pyarrow as pa

        return pa.list_(pa.string())

    def scheme(self, raw_labels: Iterable[object]) -> LabelScheme:
        """Return the one output of every such model: a text."""
        return OUTPUTS

    def scheme_of_outputs(self, names: Sequence[str], *, subject: str) -> LabelScheme:
        """Return the same, whatever a config says of labels."""
        return OUTPUTS

    def names_in(self, stored: str, labels: LabelScheme) -> frozenset[str]:
        """Return nothing: texts are no classes."""
        return frozenset()

    def convert(self, raw: object, labels: LabelScheme) -> list[str]:
        """Return the targets."""
        return cast("list[str]", json.loads(str(raw)))

    def encode(
        self, tokenizer: PreTrainedTokenizerBase, batch: Columns, *, max_length: int, offsets: bool = False
    ) -> dict[str, list[Any]]:
        """Encode sources, and targets with the token that ends them; what is too long is truncated."""
        found = cast("dict[str, list[Any]]", encode(tokenizer, batch["text"], max_length=max_length))
        if "label" in batch:
            found["labels"] = target_tokens(tokenizer, batch["label"], max_length=self.max_target_length)
        return found

    def gold(self, rows: Dataset) -> list[list[str] | None]:
        """Return the targets of each row; None where it has none."""
        return list(rows["label"])

    def columns_of(self, rows: Sequence[TextRow]) -> dict[str, list[Any]]:
        """Return the sources.

        Raises:
            DataError: One is missing or empty; all are listed.
        """
        texts = [_source_of(row) for row in rows]
        problems = [
            f"row {number}, source: {text!r:.60}; {EMPTY}"
            for number, text in enumerate(texts, 1)
            if not is_text(text)
        ]
        if problems:
            raise DataError(SUBJECT, problems)
        return {"text": texts}

    def rows_of(self, rows: Dataset) -> list[TextRow]:
        """Return the sources."""
        return list(rows["text"])

    def writer(self, rows: Dataset, labels: LabelScheme) -> Callable[[Record], dict[str, object]]:
        """Return what writes a row in the columns that are read again."""

        def written(row: Record) -> dict[str, object]:
            targets = cast("list[str] | None", row["label"])
            several = {REFERENCES: targets} if targets and len(targets) > 1 else {}
            return {"source": row["text"], "target": targets[0] if targets else None, **several}

        return written

    def parts(self, row: Record) -> list[TextPart]:
        """Return the source."""
        return [TextPart(cast(str, row["text"]))]

    def copy(self, row: Record, parts: Sequence[TextPart]) -> dict[str, Any]:
        """Return the changed source without a target: a teacher writes it."""
        return {**row, "text": parts[0].text, **({"label": None} if "label" in row else {})}


@dataclass(frozen=True)
class SequenceReader:
    """Reads the rows of one table: see :class:`tinybert.data.row_format.TableReader`."""

    columns: ColumnNames

    def read(self, raw: Record, number: int) -> StoredRow:
        """Check source and targets."""
        refuse_rejected(raw)
        source = text_in(raw, self.columns.text)
        targets = _targets(raw, self.columns.label)
        stored = json.dumps(targets, ensure_ascii=False) if targets else None
        return StoredRow((source,), (source,), stored)

    def remarks(self, file: str, unit: str) -> list[str]:
        """Return nothing: each row is alone."""
        return []


def _targets(raw: Record, column: str | None) -> list[str]:
    """Return a row's targets, the one that is learnt first; none where the row has none.

    Raises:
        FieldError: One of them is no text.
    """
    several = unpacked(plain(raw.get(REFERENCES)), REFERENCES)
    given = None if column is None else plain(raw.get(column))
    if isinstance(given, list):
        several, given = given, None
    found: list[str] = []
    if given is not None and not is_missing(given):
        if not isinstance(given, str):
            raise FieldError(str(column), f"a {kind_of(given)} where a text is expected")
        found.append(text_in(raw, str(column)))
    if several is None or several == "":
        return found
    if not isinstance(several, list):
        raise FieldError(REFERENCES, f"a {kind_of(several)} where a list of texts is expected")
    others = [text_in({REFERENCES: each}, REFERENCES) for each in cast("list[object]", several)]
    return list(dict.fromkeys([*found, *others]))


def target_tokens(
    tokenizer: PreTrainedTokenizerBase, targets: Sequence[Sequence[str] | None], *, max_length: int
) -> list[list[int]]:
    """Return the tokens of each row's first target and the one that ends it; −100 where a row has none.

    A token that the tokenizer puts before every text, ``[CLS]`` or ``<s>``, is left out: a decoder begins by
    itself.
    """
    texts = [each[0] if each else "" for each in targets]
    found = tokenizer(text_target=texts, truncation=True, max_length=max_length + 1, padding=False)
    first = [tokenizer.cls_token_id, tokenizer.bos_token_id]
    rows = cast("list[list[int]]", found["input_ids"])
    return [
        (ids[1:] if ids and ids[0] in first else ids[-max_length:]) if each else [-100]
        for ids, each in zip(rows, targets, strict=True)
    ]


def _source_of(row: TextRow) -> object:
    if isinstance(row, Mapping):
        name = find_name(row, SOURCE_NAMES)
        return row[name] if name else None
    return row
