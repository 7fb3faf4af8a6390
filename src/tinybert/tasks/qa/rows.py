"""Rows of questions: a question, the context it is asked of, and where its answers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray

from tinybert.data.encode import tokenise
from tinybert.data.fields import FieldError, text_in
from tinybert.data.labels import LabelScheme
from tinybert.data.offsets import AS_WRITTEN, OTHER_UNITS, SHIFTED, Verdict, find_reading
from tinybert.data.row_format import (
    ROWS_WEIGHED,
    Balance,
    Column,
    ColumnNames,
    Columns,
    Converter,
    Record,
    RowFormat,
    Span,
    StoredRow,
    TextPart,
    TextRow,
)
from tinybert.data.windows import IGNORED, OVERLAP, encode_windows
from tinybert.errors import DataError
from tinybert.tasks.qa.prediction import CONTEXT_NAMES, QUESTION_NAMES
from tinybert.tasks.qa.reading import CONVERTERS, answer_claims, as_stored, from_stored, read_answers
from tinybert.tasks.text_rows import EMPTY, SUBJECT, is_text, text_and_pair, token_table_problem

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

OUTPUTS = ("start", "end")
"""The two outputs for every piece."""
READINGS = (*OTHER_UNITS, *SHIFTED)
MAX_ANSWER_PIECES = 30
MAX_ANSWERS_COUNTED = 2000
NO_ANSWER = as_stored([])
NEED_CONTEXT = "--context TEXT, --context-file FILE, or a column context"


@dataclass(frozen=True)
class QuestionRows(RowFormat):
    """Questions and contexts; a label is a list of (start, end) in the context, empty where it holds none."""

    text: ClassVar[Column] = Column(QUESTION_NAMES, "question")
    text_pair: ClassVar[Column | None] = Column(CONTEXT_NAMES, "context", required=True)
    label: ClassVar[Column] = Column(("answers", "answer", "label"), "answer")
    group: ClassVar[Literal["text", "text_pair"] | None] = "text_pair"
    windowed: ClassVar[bool] = True
    num_rows_weighed: ClassVar[int] = ROWS_WEIGHED
    converters: ClassVar[Mapping[str, Converter]] = CONVERTERS
    missing_label: ClassVar[str] = (
        "give the row its answers ([] where the text holds none), or remove the row"
    )

    def table_problem(self, columns: Sequence[str]) -> str | None:
        """Name a file of tokens and tags."""
        return token_table_problem(columns)

    def stored_fields(self, *, is_pair: bool) -> list[pa.Field]:
        """Return question and context."""
        import pyarrow as pa

        return [pa.field("text", pa.string()), pa.field("text_pair", pa.string())]

    def reader(self, columns: ColumnNames, class_names: Mapping[str, Sequence[str]]) -> QuestionReader:
        """Return what reads the rows of one table."""
        return QuestionReader(columns)

    def reader_after(
        self, head: Sequence[Record], columns: ColumnNames, class_names: Mapping[str, Sequence[str]]
    ) -> QuestionReader:
        """Return the reader, which knows from the first rows how ``answer_start`` is counted."""
        context, column = str(columns.text_pair), columns.label or self.label.names[0]
        claims = [claim for raw in head for claim in answer_claims(raw, raw.get(context), column)]
        return QuestionReader(columns, find_reading(claims, READINGS))

    @property
    def label_type(self) -> pa.DataType:
        """A list of (start, end)."""
        import pyarrow as pa

        return pa.list_(pa.list_(pa.int64()))

    def scheme(self, raw_labels: Iterable[object]) -> LabelScheme:
        """Return the two outputs of every such model."""
        return LabelScheme(OUTPUTS, by_position=True)

    def scheme_of_outputs(self, names: Sequence[str], *, subject: str) -> LabelScheme:
        """Return the two outputs, whatever they are called."""
        return self.scheme([])

    def names_in(self, stored: str, labels: LabelScheme) -> frozenset[str]:
        """Return nothing: answers are no classes."""
        return frozenset()

    def convert(self, raw: object, labels: LabelScheme) -> list[list[int]]:
        """Return where the answers begin and end."""
        return from_stored(str(raw))

    def variety_problem(self, present: Sequence[str], num_labelled: int) -> str | None:
        """Refuse questions without a single answer among them."""
        if list(present) != [NO_ANSWER]:
            return None
        return "no question has an answer in its text (is data.label the right column?)"

    def encode(
        self, tokenizer: PreTrainedTokenizerBase, batch: Columns, *, max_length: int, offsets: bool = False
    ) -> dict[str, list[Any]]:
        """Encode windows over the context; a label is the first and the last piece of the answer."""
        found = encode_windows(tokenizer, batch["text"], batch["text_pair"], max_length=max_length)
        labels = batch.get("label")
        if labels is not None:
            found["labels"] = answer_pieces(found, batch, labels)
        return found

    def truncation(self, max_length: int) -> str:
        """Say what became of questions that do not fit beside their context, behind their number."""
        return f"questions were truncated to {max_length // OVERLAP} tokens, a third of a window"

    def columns_of(self, rows: Sequence[TextRow]) -> dict[str, list[Any]]:
        """Return questions and contexts.

        Raises:
            DataError: One of them is missing or empty; all are listed.
        """
        both = [text_and_pair(row, (*QUESTION_NAMES, "text"), CONTEXT_NAMES) for row in rows]
        problems: list[str] = []
        for number, (question, context) in enumerate(both, 1):
            if not is_text(question):
                problems.append(f"row {number}, question: {question!r:.60}; {EMPTY}")
            if context is None:
                problems.append(f"row {number}, context: None; a question needs a text: {NEED_CONTEXT}")
            elif not is_text(context):
                problems.append(f"row {number}, context: {context!r:.60}; {EMPTY}")
        if problems:
            raise DataError(SUBJECT, problems)
        return {"text": [question for question, _ in both], "text_pair": [context for _, context in both]}

    def rows_of(self, rows: Dataset) -> list[TextRow]:
        """Return pairs of question and context."""
        return list(zip(rows["text"], rows["text_pair"], strict=True))

    def writer(self, rows: Dataset, labels: LabelScheme) -> Callable[[Record], dict[str, object]]:
        """Return what writes a row as SQuAD does."""

        def written(row: Record) -> dict[str, object]:
            context, label = cast(str, row["text_pair"]), cast("Sequence[Span] | None", row["label"])
            spans = label or ()
            answers = {"text": [context[a:b] for a, b in spans], "answer_start": [a for a, _ in spans]}
            return {
                "question": row["text"],
                "context": context,
                "answers": None if label is None else answers,
            }

        return written

    def parts(self, row: Record) -> list[TextPart]:
        """Return question and context; the answers in it are never changed."""
        answers = cast("Sequence[Sequence[int]]", row.get("label") or ())
        kept = tuple((int(start), int(end)) for start, end in answers)
        return [TextPart(cast(str, row["text"])), TextPart(cast(str, row["text_pair"]), kept=kept)]

    def copy(self, row: Record, parts: Sequence[TextPart]) -> dict[str, Any]:
        """Return the changed texts with the answers where they are now."""
        question, context = parts
        label = {} if row.get("label") is None else {"label": [list(span) for span in context.kept]}
        return {**row, "text": question.text, "text_pair": context.text, **label}

    def balance(self, given: Iterable[Sequence[Span]], labels: LabelScheme) -> Balance | None:
        """Count questions with and without an answer."""
        found = Counter(bool(label) for label in given)
        return Balance("ok", f"{found[True]:,} train questions have an answer, {found[False]:,} have none")

    def length_warning(self, rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> str | None:
        """Say how many answers are longer than one that is ever predicted."""
        some = rows.select(range(min(MAX_ANSWERS_COUNTED, len(rows))))
        answers = [
            context[start:end]
            for context, spans in zip(some["text_pair"], some["label"], strict=True)
            for start, end in spans or []
        ]
        long = sum(len(pieces) > MAX_ANSWER_PIECES for pieces in tokenise(answers, tokenizer))
        if not long:
            return None
        return (
            f"{long:,} of {len(answers):,} train answers are longer than {MAX_ANSWER_PIECES} pieces, the "
            "longest answer that is ever given; they cannot be found whole: ask for shorter ones"
        )


@dataclass(frozen=True)
class QuestionReader:
    """Reads the rows of one table.

    Attributes:
        columns: The columns of the table.
        verdict: How ``answer_start`` is counted, by the first rows.
    """

    columns: ColumnNames
    verdict: Verdict = field(default_factory=Verdict)

    def read(self, raw: Record, number: int) -> StoredRow:
        """Read question, context and answers.

        Raises:
            FieldError: The row cannot be used; its id is named where it has one.
        """
        try:
            return self._read(raw)
        except FieldError as error:
            if raw.get("id") is None:
                raise
            raise FieldError(error.field, f"{error} (id {raw['id']})") from error

    def _read(self, raw: Record) -> StoredRow:
        question, context = text_in(raw, self.columns.text), text_in(raw, str(self.columns.text_pair))
        column = self.columns.label or QuestionRows.label.names[0]
        answers = read_answers(raw, context, column, self.verdict.reading)
        return StoredRow(
            (question, context), (question, context), None if answers is None else as_stored(answers)
        )

    def remarks(self, file: str, unit: str) -> list[str]:
        """Say how ``answer_start`` was read."""
        if self.verdict.reading == AS_WRITTEN:
            return []
        return [
            f"{file}: answer_start is counted {self.verdict.reading}, and is read so; as written, "
            f"{self.verdict.num_wrong:,} of {self.verdict.num_claims:,} answers would not be there"
        ]


def answer_pieces(
    windows: Mapping[str, Sequence[Any]],
    rows: Mapping[str, Sequence[Any]],
    answers: Sequence[Sequence[Sequence[int]] | None],
) -> list[list[int]]:
    """Return the first and the last piece of each window's answer.

    The first answer that lies in the window as a whole counts. Where none does, or there is none, both are 0,
    the index of the first special token; where the row is not labelled, both are -100.

    Source: BERT, arXiv:1810.04805, section 4.3.
    """
    labels: list[list[int]] = []
    for index, example in enumerate(windows["example"]):
        given = answers[example]
        if given is None:
            labels.append([IGNORED, IGNORED])
            continue
        starts = np.asarray(windows["piece_starts"][index])
        ends = np.asarray(windows["piece_ends"][index])
        shift = len(rows["text"][example]) + 1
        labels.append(
            _first_inside(starts, ends, [(start + shift, end + shift) for start, end in given], shift)
        )
    return labels


def _first_inside(
    starts: NDArray[np.int64], ends: NDArray[np.int64], answers: Sequence[tuple[int, int]], shift: int
) -> list[int]:
    context = np.flatnonzero(starts >= shift)
    for start, end in answers:
        if len(context) and starts[context[0]] <= start and end <= ends[context[-1]]:
            touching = context[(starts[context] < end) & (ends[context] > start)]
            if len(touching):
                return [int(touching[0]), int(touching[-1])]
    return [0, 0]
