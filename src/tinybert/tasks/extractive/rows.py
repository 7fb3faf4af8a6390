"""Rows of documents: a document, where its sentences are, and its reference summaries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tinybert.data.fields import FieldError, is_missing, refuse_rejected, refuse_surrogates, text_in, value_in
from tinybert.data.labels import LabelScheme, kind_of
from tinybert.data.row_format import (
    Column,
    ColumnNames,
    Columns,
    Record,
    StoredRow,
    TextPart,
    TextRow,
    find_name,
)
from tinybert.data.windows import IGNORED, encode_windows
from tinybert.errors import DataError, ModelError
from tinybert.language import sentence_spans
from tinybert.sources.objects import plain
from tinybert.tasks.extractive.oracle import oracle
from tinybert.tasks.lead import NUM_SENTENCES
from tinybert.tasks.ner.words import words_of_pieces
from tinybert.tasks.referenced_rows import ReferencedRows, as_stored
from tinybert.tasks.text_rows import EMPTY, SUBJECT, is_text

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

DOCUMENT_NAMES = (
    *("document", "article", "source", "text", "body", "dialogue", "content", "passage", "story"),
    *("正文", "原文", "文本", "文章", "内容", "文档", "对话"),
)
SUMMARY_NAMES = (
    *("references", "summary", "target", "highlights", "headline", "abstract", "title", "summaries"),
    *("摘要", "标题", "总结", "概要"),
)
OTHER, SUMMARY = OUTPUTS = ("other", "summary")
"""The two outputs for the first piece of every sentence."""
SENTENCES = "sentences"
"""Column of windows: the sentence that each piece begins, -1 elsewhere."""
OFFSETS = ("sentence_starts", "sentence_ends")


@dataclass(frozen=True)
class SummaryRows(ReferencedRows):
    """Documents and their sentences; a label is a list of reference summaries."""

    text: ClassVar[Column] = Column(DOCUMENT_NAMES, "document")
    label: ClassVar[Column] = Column(SUMMARY_NAMES, "summary")
    windowed: ClassVar[bool] = True
    missing_label: ClassVar[str] = "give the row its summary, or several as a list, or remove the row"

    def stored_fields(self, *, is_pair: bool) -> list[pa.Field]:
        """Return the document and where its sentences begin and end, in characters."""
        import pyarrow as pa

        return [pa.field("text", pa.string()), *(pa.field(name, pa.list_(pa.int32())) for name in OFFSETS)]

    def reader(self, columns: ColumnNames, class_names: Mapping[str, Sequence[str]]) -> SummaryReader:
        """Return what reads the rows of one table."""
        return SummaryReader(columns)

    def scheme(self, raw_labels: Iterable[object]) -> LabelScheme:
        """Return the two outputs of every such model."""
        return LabelScheme(OUTPUTS)

    def scheme_of_outputs(self, names: Sequence[str], *, subject: str) -> LabelScheme:
        """Return the two outputs in a saved model's order.

        Raises:
            ModelError: They are others.
        """
        if sorted(names) != sorted(OUTPUTS):
            raise ModelError(
                subject,
                f"its outputs are {', '.join(names[:8])}; for sentences they are {OTHER} and {SUMMARY}: "
                "write these names into id2label of its config.json, or fine-tune it with --task extractive",
            )
        return LabelScheme(tuple(names))

    def encode(
        self, tokenizer: PreTrainedTokenizerBase, batch: Columns, *, max_length: int, offsets: bool = False
    ) -> dict[str, list[Any]]:
        """Encode windows; ``sentences`` is the sentence that each piece begins, -1 elsewhere."""
        found = encode_windows(tokenizer, batch["text"], max_length=max_length)
        starts, ends = (batch[name] for name in OFFSETS)
        found[SENTENCES] = words_of_pieces(found, {"word_starts": starts, "word_ends": ends})
        labels = batch.get("label")
        if labels is not None:
            rows = zip(batch["text"], starts, ends, labels, strict=True)
            found["labels"] = labels_of_pieces(found, [sentence_labels(*row) for row in rows])
        return found

    @property
    def window_columns(self) -> tuple[str, ...]:
        """The sentence that each piece begins."""
        return (SENTENCES,)

    def columns_of(self, rows: Sequence[TextRow]) -> dict[str, list[Any]]:
        """Return documents and where their sentences begin and end.

        Raises:
            DataError: A row is no text; all are listed.
        """
        given = [_joined(_document_of(row)) for row in rows]
        problems = [
            f"row {number}, document: {text!r:.60}; {EMPTY}"
            for number, text in enumerate(given, 1)
            if not is_text(text)
        ]
        if problems:
            raise DataError(SUBJECT, problems)
        return columns_of_documents(cast("list[str]", given))

    def writer(self, rows: Dataset, labels: LabelScheme) -> Callable[[Record], dict[str, object]]:
        """Return what writes a row with its summary, or all rows with lists where one has several."""
        given = cast("Iterable[list[str] | None]", rows["label"])
        name = "references" if any(len(each or ()) > 1 for each in given) else "summary"

        def written(row: Record) -> dict[str, object]:
            label = cast("list[str] | None", row["label"])
            return {"document": row["text"], name: label[0] if label and name == "summary" else label}

        return written

    def parts(self, row: Record) -> list[TextPart]:
        """Return the document."""
        return [TextPart(cast(str, row["text"]))]

    def copy(self, row: Record, parts: Sequence[TextPart]) -> dict[str, Any]:
        """Return the changed document with its sentences as they are now; its summary stays."""
        changed = {name: column[0] for name, column in columns_of_documents([parts[0].text]).items()}
        return {**row, **changed}

    def length_warning(self, rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> str | None:
        """Say that most documents have one sentence: there is nothing to choose."""
        num_short = sum(len(starts) < 2 for starts in rows["sentence_starts"])
        if 2 * num_short <= len(rows):
            return None
        return (
            f"{num_short:,} of {len(rows):,} train documents have one sentence, which is their summary: a "
            "sentence ends at . ! ? 。！？； or with its line"
        )


@dataclass(frozen=True)
class SummaryReader:
    """Reads the rows of one table."""

    columns: ColumnNames

    def read(self, raw: Record, number: int) -> StoredRow:
        """Read document and summaries.

        Raises:
            FieldError: The row cannot be used.
        """
        refuse_rejected(raw)
        column = self.columns.text
        text = text_in({column: _joined(plain(raw.get(column)))}, column)
        references = references_in(raw, self.columns.label) if self.columns.label else None
        stored = as_stored(references)
        values = tuple(column[0] for column in columns_of_documents([text]).values())
        return StoredRow((text,), values, stored)

    def remarks(self, file: str, unit: str) -> list[str]:
        """Return nothing: each row is alone."""
        return []


def references_in(raw: Record, column: str) -> list[str] | None:
    """Return the reference summaries of a row: of one text, or of a list of several; None for none.

    Raises:
        FieldError: One of them is no text, or empty.
    """
    given = plain(raw.get(column))
    listed = _list_of_texts(given)
    if is_missing(given) or given == [] or listed == []:
        return None
    texts = [given] if listed is None else listed
    for number, text in enumerate(texts, 1):
        which = "" if listed is None else f"summary {number}: "
        if not isinstance(text, str):
            raise FieldError(
                column,
                f"{which}a {kind_of(text)} where a summary is expected; write its text, or a list of texts",
            )
        if is_missing(text):
            raise FieldError(column, f"{which}empty; give its text, or leave it out of the list")
    refuse_surrogates(cast("list[str]", texts), column)
    return [cast(str, text).strip() for text in texts]


def columns_of_documents(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Return documents and where their sentences begin and end, as they are stored."""
    spans = [sentence_spans(text) for text in texts]
    starts, ends = ([[span[side] for span in each] for each in spans] for side in (0, 1))
    return {"text": list(texts), **dict(zip(OFFSETS, (starts, ends), strict=True))}


def sentence_labels(
    text: str, starts: Sequence[int], ends: Sequence[int], references: Sequence[str] | None
) -> list[int]:
    """Return 1 for the sentences of a document that a summary should have, else 0; empty without a label."""
    if references is None:
        return []
    sentences = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    chosen = oracle(sentences, references, num_sentences=NUM_SENTENCES)
    return [OUTPUTS.index(SUMMARY if index in chosen else OTHER) for index in range(len(sentences))]


def labels_of_pieces(
    windows: Mapping[str, Sequence[Any]], of_rows: Sequence[Sequence[int]]
) -> list[list[int]]:
    """Give the first piece of each sentence its label, -100 to all others and where a row is not labelled."""
    return [
        [of_rows[row][sentence] if sentence >= 0 and of_rows[row] else IGNORED for sentence in sentences]
        for row, sentences in zip(windows["example"], windows[SENTENCES], strict=True)
    ]


def _document_of(row: TextRow) -> object:
    if not isinstance(row, Mapping):
        return row
    name = find_name(row, DOCUMENT_NAMES)
    return row[name] if name else None


def _joined(value: object) -> object:
    """Return a document as one text: of a list of its sentences, paragraphs or turns a line each."""
    listed = _list_of_texts(value)
    is_whole = listed is not None and all(isinstance(each, str) for each in listed)
    return "\n".join(cast("list[str]", listed)) if is_whole else value


def _list_of_texts(value: object) -> list[object] | None:
    """Return a list, also one that a cell of a table holds as text; None for anything else."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = value_in(value, "")
        except FieldError:
            return None
        if isinstance(value, list) and not all(isinstance(each, str) for each in cast("list[object]", value)):
            return None
    return cast("list[object]", value) if isinstance(value, list) else None
