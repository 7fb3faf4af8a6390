"""The contract of a row format: what the rows of a task are, from the file to the tensor and back.

A row is read twice. The first pass checks each raw row and stores it, its label as written; the second turns
the labels into numbers, once the whole of the data says which labels there are. Whoever handles rows asks
their format; nobody else knows what a label is.

To write a format for rows of one text or two, derive from :class:`tinybert.tasks.text_rows.TextRows`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

from tinybert.data.fields import FieldError, field_anywhere
from tinybert.data.labels import Label, LabelScheme
from tinybert.data.pooling import Pooling
from tinybert.sources.text_files import Fault, RawRow

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from tinybert.config import DataSection

ROWS_WEIGHED = 20_000
"""So many rows may decide how the offsets of a table were counted; they are held in memory."""

Columns = Mapping[str, Sequence[Any]]
Record = Mapping[str, object]
Span = tuple[int, int]
TextRow = str | tuple[str, str] | Sequence[str] | Mapping[str, object]
"""A row to predict: a text, two texts, words, or any of these by the names of its columns."""

Converter = Callable[[Record, int], Iterable[RawRow | Fault] | None]
"""``(raw row, its number) -> rows``, or None where the row is not of the converter's format."""


@dataclass(frozen=True)
class Column:
    """One column of a format.

    Attributes:
        names: How it is usually called, in lower case; the first name wins outright.
        description: What it holds, for messages: "text", "label".
        required: No row is without it; of the second text: it is looked for even where the first is named.
        beside: Of the names, those of columns that may well be beside it without being meant.
    """

    names: tuple[str, ...]
    description: str
    required: bool = False
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColumnNames:
    """The columns of one table that are read; all but ``text`` may be None."""

    text: str
    text_pair: str | None
    label: str | None
    group: str | None = None


@dataclass(frozen=True)
class StoredRow:
    """A good row after the first pass.

    Attributes:
        texts: What makes it the same row as another: its text, or both.
        values: One for each of the format's stored columns, without the label.
        label: As it is stored: text, or a number; None where the row is not labelled.
    """

    texts: tuple[str, ...]
    values: tuple[object, ...]
    label: object


class TableReader(Protocol):
    """Reads the rows of one table."""

    def read(self, raw: Record, number: int) -> StoredRow:
        """Check one row.

        Raises:
            FieldError: The row cannot be used.
        """
        ...

    def remarks(self, file: str, unit: str) -> list[str]:
        """Return what is odd about the table as a whole, once it is read."""
        ...


@dataclass(frozen=True)
class TextPart:
    """One text of a row, as augmentation sees it.

    Attributes:
        text: The text.
        words: Where its words begin and end; None: as its language cuts them.
        tags: One number a word; a word whose tag is not 0 is never changed.
        kept: Stretches that are never changed, in characters.
    """

    text: str
    words: tuple[Span, ...] | None = None
    tags: tuple[int, ...] | None = None
    kept: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Balance:
    """How even the labels of some rows are."""

    level: Literal["ok", "warn"]
    message: str


@dataclass(frozen=True)
class RowFormat(ABC):
    """What the rows of a task are. Frozen: settings of a recipe give another one, see :meth:`configured`.

    Attributes:
        text: The column of the text, or what replaces it.
        text_pair: The column of the second text; None where a row has one text only.
        label: The column of the label.
        group: The attribute of the column whose equal values stay in one split where ``data.group`` names
            none: ``text_pair`` where several rows have one second text; None where each text is alone.
        encodes_labels: Encoding a row gives its labels too, one a token or a window.
        windowed: Labels belong to offsets in the text; a long row is read in windows, nothing is truncated
            but a text that is in every window, and a changed copy of a row keeps its labels.
        settings: Names below ``data.`` that only this format reads.
        kept: Of these, the ones that a saved model keeps, as they decide how it reads a row.
        converters: Format of another program → what unpacks its rows.
        missing_label: The fix for a row without a label.
        has_numbers: A label is a number of its own, stored as one; else labels are stored as text.
        has_label_sets: A row may have several labels, also as columns of 0 and 1, one a label.
        has_one_label: A text has one right label: of two equal texts with different ones, one is wrong.
        own_group: The column of groups that a converter writes, by which rows are grouped where it is there.
        num_rows_weighed: How many of a table's first rows decide how all of it is read.
    """

    text: ClassVar[Column]
    text_pair: ClassVar[Column | None] = None
    label: ClassVar[Column]
    group: ClassVar[Literal["text", "text_pair"] | None] = None
    windowed: ClassVar[bool] = False
    encodes_labels: ClassVar[bool] = False
    settings: ClassVar[tuple[str, ...]] = ()
    kept: ClassVar[tuple[str, ...]] = ()
    converters: ClassVar[Mapping[str, Converter]] = {}
    missing_label: ClassVar[str] = "give the row one, or remove the row"
    has_numbers: ClassVar[bool] = False
    has_label_sets: ClassVar[bool] = False
    has_one_label: ClassVar[bool] = True
    own_group: ClassVar[str] = ""
    num_rows_weighed: ClassVar[int] = 0

    def configured(self, section: DataSection) -> RowFormat:
        """Return this format with the settings of a recipe."""
        return self

    def setting_problems(self, section: DataSection) -> list[str]:
        """Say which settings do not go together."""
        return []

    # reading

    def unpack(self, rows: Iterable[RawRow | Fault], *, keep: str = "") -> Iterator[RawRow | Fault]:
        """Unpack the rows of other programs' formats, with one field more; others pass unchanged."""
        for row in rows:
            number, raw = (row.number, row.raw) if isinstance(row, Fault) else row
            kept = field_anywhere(raw, keep) if keep else {}
            for each in self._unpacked(raw, number) or [row]:
                yield each if isinstance(each, Fault) or not kept else (each[0], {**kept, **each[1]})

    def _unpacked(self, raw: Record, number: int) -> Iterable[RawRow | Fault] | None:
        try:
            found = (convert(raw, number) for convert in self.converters.values())
            return next((rows for rows in found if rows is not None), None)
        except FieldError as error:
            return [Fault(number, f"{error.field}: {error}", raw)]

    def table_problem(self, columns: Sequence[str]) -> str | None:
        """Say that a table is one of another task, by its columns."""
        return None

    def sides(self, columns: Sequence[str]) -> list[str]:
        """Return columns that each may be the text or the label, such as languages; none, or several."""
        return []

    def other_columns(self, columns: Sequence[str]) -> dict[str, str]:
        """Return usual name → column of what is read of a row to predict beside its texts."""
        return {}

    @abstractmethod
    def stored_fields(self, *, is_pair: bool) -> list[pa.Field]:
        """Return the columns of a stored row, without the label."""

    @abstractmethod
    def reader(self, columns: ColumnNames, class_names: Mapping[str, Sequence[str]]) -> TableReader:
        """Return what reads the rows of one table.

        Args:
            columns: The columns of the table.
            class_names: Column → the names of its whole numbers.
        """

    def reader_after(
        self, head: Sequence[Record], columns: ColumnNames, class_names: Mapping[str, Sequence[str]]
    ) -> TableReader:
        """Return what reads the rows of one table, the first of which are given and may decide how."""
        return self.reader(columns, class_names)

    # labels

    @property
    @abstractmethod
    def label_type(self) -> pa.DataType:
        """Arrow type of a label after the second pass."""

    @abstractmethod
    def scheme(self, raw_labels: Iterable[object]) -> LabelScheme:
        """Collect the labels in these raw ones; None is an unlabelled row.

        Raises:
            DataError: A label is of another kind.
        """

    @abstractmethod
    def convert(self, raw: object, labels: LabelScheme) -> Label:
        """Turn one label as written, or as stored, into what the model is trained on.

        Raises:
            DataError: The label is missing, unknown or malformed.
        """

    def names_in(self, stored: str, labels: LabelScheme) -> frozenset[str]:
        """Return the names of labels in a stored label; only the separator of ``labels`` is read."""
        return frozenset([stored])

    def scheme_of_stored(self, stored: Sequence[str], separator: str) -> LabelScheme:
        """Collect the labels in different stored ones; see :meth:`names_in`.

        Raises:
            DataError: A label is of another kind.
        """
        written = LabelScheme((), separator)
        names = {name for each in stored for name in self.names_in(each, written)}
        return replace(self.scheme(names), separator=separator)

    def scheme_of_outputs(self, names: Sequence[str], *, subject: str) -> LabelScheme:
        """Return the labels of a saved model from the names of its outputs.

        Raises:
            ModelError: They are none of such rows.
        """
        return LabelScheme(tuple(names))

    def scheme_problem(self, labels: LabelScheme, num_labelled: int) -> str | None:
        """Say why a task cannot have these labels, which are in so many rows."""
        return None if labels.names else "no row has a label, and no teacher says which labels there are"

    def scheme_warnings(self, labels: LabelScheme) -> list[str]:
        """Say what is odd about the labels that were found."""
        return []

    def variety_problem(self, present: Sequence[str], num_labelled: int) -> str | None:
        """Say why nothing can be learned from the labels present in train: as stored, of numbers two."""
        return None

    def variety_warning(self, present: Sequence[str], num_labelled: int) -> str | None:
        """Say what is odd about the stored labels present in train."""
        return None

    # encoding

    @property
    def in_windows(self) -> bool:
        """Whether a long row is several encoded rows, which say in ``example`` whose they are."""
        return self.windowed

    @property
    def pooling(self) -> Pooling | None:
        """How the logits of a row's windows become one; None where there are none, or the task joins them."""
        return None

    @property
    def truncates(self) -> bool:
        """Whether a long row is cut at its end, as a tokenizer does it alone."""
        return not self.windowed

    def is_cut_at_its_end(self, rows: Columns) -> bool:
        """Return whether these rows are encoded as a tokenizer alone does it, where the format truncates."""
        return True

    @property
    def settings_kept(self) -> tuple[str, ...]:
        """Of the settings, those that a saved model keeps: none where rows are merely truncated."""
        return () if self.truncates else self.kept

    def truncation(self, max_length: int) -> str:
        """Say what became of texts that were not read whole, behind their number."""
        return f"texts were truncated to {max_length} tokens"

    @abstractmethod
    def encode(
        self, tokenizer: PreTrainedTokenizerBase, batch: Columns, *, max_length: int, offsets: bool = False
    ) -> dict[str, list[Any]]:
        """Encode some rows.

        Args:
            tokenizer: A fast tokenizer.
            batch: Columns of stored rows, perhaps with ``label``.
            max_length: Longest row or window in tokens.
            offsets: Keep the offsets of each piece in the text; windows always have them.

        Returns:
            The token columns; for windows ``example``, the row each belongs to. Where labels belong to
            offsets, also the columns that :attr:`window_columns` names, and ``labels`` where the rows have a
            label.
        """

    @property
    def window_columns(self) -> tuple[str, ...]:
        """Columns of whole numbers, one a piece, that windows have besides tokens, offsets and labels."""
        return ()

    def gold(self, rows: Dataset) -> Any:  # noqa: ANN401 (only the task's own metrics read it)
        """Return the labels of a split as the task's metrics read them."""
        labels = list(rows["label"])
        return labels if self.windowed else np.asarray(labels)

    # predicting

    @abstractmethod
    def columns_of(self, rows: Sequence[TextRow]) -> dict[str, list[Any]]:
        """Return rows that somebody wants predictions for as the columns that are encoded.

        Raises:
            DataError: Rows are malformed; all are listed.
        """

    @abstractmethod
    def rows_of(self, rows: Dataset) -> list[TextRow]:
        """Return rows of a split as somebody would give them; :meth:`columns_of` reads them again."""

    def file_problem(self, lines: Iterable[str]) -> str | None:
        """Say why a file of plain text, one text a line, is not one; its first lines are given."""
        return None

    # writing

    @abstractmethod
    def writer(self, rows: Dataset, labels: LabelScheme) -> Callable[[Record], dict[str, object]]:
        """Return what writes one of these rows in the columns that are read again."""

    # augmentation

    @abstractmethod
    def parts(self, row: Record) -> list[TextPart]:
        """Return the texts of a row that may be changed."""

    @abstractmethod
    def copy(self, row: Record, parts: Sequence[TextPart]) -> dict[str, Any]:
        """Return a changed copy of a row.

        Args:
            row: The row.
            parts: Its texts after the change; words, tags and kept stretches have moved with them. The label
                is None where only a teacher can know it.
        """

    # the doctor

    def balance(self, given: Iterable[Any], labels: LabelScheme) -> Balance | None:
        """Say how even the labels of the labelled train rows are; None where that is no question."""
        return None

    def label_texts(self, labels: Sequence[object]) -> list[str]:
        """Return the texts that models learn to write of some labels, which may be None."""
        return []

    def length_warning(self, rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> str | None:
        """Say what the length of tokens makes impossible."""
        return None


def find_name(row: Record, names: Sequence[str]) -> str | None:
    """Return the row's own spelling of the first of these names that it has."""
    spelled = {str(name).strip().lower(): str(name) for name in reversed(list(row))}
    return next((spelled[name] for name in names if name in spelled), None)
