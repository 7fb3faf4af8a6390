"""Rows of a source and its target: a text to translate, to sum up or to reply to, and what is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tinybert.advice import setting
from tinybert.data.fields import FieldError, is_missing, refuse_rejected, text_in, unpacked
from tinybert.data.labels import LabelScheme, kind_of
from tinybert.data.row_format import (
    Column,
    ColumnNames,
    Columns,
    Converter,
    Record,
    StoredRow,
    TextPart,
    TextRow,
    find_name,
)
from tinybert.errors import DataError
from tinybert.lookup import nearest
from tinybert.sources.objects import plain
from tinybert.sources.sides import LANGUAGE
from tinybert.tasks.referenced_rows import ReferencedRows, as_stored
from tinybert.tasks.seq2seq.turns import (
    CONVERTERS,
    DIALOGUE_ID,
    HISTORY,
    MAYBE_HISTORY,
    TURN,
    earlier_turns,
    encode_turns,
    source_of_turns,
    turns_in,
)
from tinybert.tasks.text_rows import EMPTY, SUBJECT, is_text

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from tinybert.config import DataSection

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
MAX_ROWS_READ = 2000
WHOLE = 1 << 20
"""Tokens; no target is as long."""


@dataclass(frozen=True)
class SequenceRows(ReferencedRows):
    """Sources and targets; a label is a list of texts, of which the first is learnt and all are references.

    Attributes:
        max_target_length: Longest target in tokens, its end included.
        history: The column of earlier turns; None: one with a usual name.
        max_turns: Most earlier turns that stand before a source.
    """

    text: ClassVar[Column] = Column(SOURCE_NAMES, "source")
    label: ClassVar[Column] = Column(TARGET_NAMES, "target")
    missing_label: ClassVar[str] = "give the row its target, or remove the row"
    encodes_labels: ClassVar[bool] = True
    has_one_label: ClassVar[bool] = False
    settings: ClassVar[tuple[str, ...]] = ("history", "max_turns")
    kept: ClassVar[tuple[str, ...]] = ("history", "max_turns")
    converters: ClassVar[Mapping[str, Converter]] = CONVERTERS
    own_group: ClassVar[str] = DIALOGUE_ID

    max_target_length: int = 128
    history: str | None = None
    max_turns: int = 3

    def configured(self, section: DataSection) -> SequenceRows:
        """Return the format with the earlier turns that it reads."""
        return replace(self, history=section.history, max_turns=section.max_turns)

    @property
    def settings_kept(self) -> tuple[str, ...]:
        """What a saved model keeps: the turns that it reads."""
        return self.kept

    def table_problem(self, columns: Sequence[str]) -> str | None:
        """Name a file of tokens and tags, and a column of earlier turns that is not there."""
        if self.history is not None and columns and self.history not in columns:
            there_is = ", ".join(columns)
            return (
                f"{setting('data.history', self.history)}: no such column"
                f"{nearest(self.history, columns)} (the columns are: {there_is})"
            )
        return super().table_problem(columns)

    def sides(self, columns: Sequence[str]) -> list[str]:
        """Return the columns that are called by their language."""
        found = [name for name in columns if LANGUAGE.fullmatch(name)]
        return found if len(found) > 1 else []

    def other_columns(self, columns: Sequence[str]) -> dict[str, str]:
        """Return the columns of earlier turns."""
        names = [find_name(dict.fromkeys(columns), (each,)) for each in (HISTORY, MAYBE_HISTORY)]
        found = [self.history] if self.history else [name for name in names if name]
        return {name: name for name in found if name in columns}

    def stored_fields(self, *, is_pair: bool) -> list[pa.Field]:
        """Return the source."""
        import pyarrow as pa

        return [pa.field("text", pa.string())]

    def reader(self, columns: ColumnNames, class_names: Mapping[str, Sequence[str]]) -> SequenceReader:
        """Return what reads the rows of one table."""
        return SequenceReader(self, columns)

    def scheme(self, raw_labels: Iterable[object]) -> LabelScheme:
        """Return the one output of every such model: a text."""
        return OUTPUTS

    def scheme_of_outputs(self, names: Sequence[str], *, subject: str) -> LabelScheme:
        """Return the same, whatever a config says of labels."""
        return OUTPUTS

    def encode(
        self, tokenizer: PreTrainedTokenizerBase, batch: Columns, *, max_length: int, offsets: bool = False
    ) -> dict[str, list[Any]]:
        """Encode sources, and targets with the token that ends them; what is too long is truncated."""
        found = cast("dict[str, list[Any]]", encode_turns(tokenizer, batch["text"], max_length=max_length))
        if "label" in batch:
            found["labels"] = target_tokens(tokenizer, batch["label"], max_length=self.max_target_length)
        return found

    def is_cut_at_its_end(self, rows: Columns) -> bool:
        """Return whether none of these rows is in turns, of which the oldest are cut."""
        return not any(TURN in text for text in rows["text"])

    def columns_of(self, rows: Sequence[TextRow]) -> dict[str, list[Any]]:
        """Return the sources.

        Raises:
            DataError: One is missing or empty; all are listed.
        """
        texts: list[object] = []
        problems: list[str] = []
        for number, row in enumerate(rows, 1):
            try:
                texts.append(self._source_of(row))
            except FieldError as error:
                problems.append(f"row {number}, {error.field}: {error}")
                continue
            if not is_text(texts[-1]):
                problems.append(f"row {number}, source: {texts[-1]!r:.60}; {EMPTY}")
        if problems:
            raise DataError(SUBJECT, problems)
        return {"text": texts}

    def _source_of(self, row: TextRow) -> object:
        if not isinstance(row, Mapping):
            return row
        name = find_name(row, SOURCE_NAMES)
        value = plain(row[name]) if name else None
        turns = turns_in(value, str(name)) if isinstance(value, list) else [value]
        if not all(map(is_text, turns)) or not turns:
            return value
        return source_of_turns(
            [*earlier_turns(row, self.history), *map(str, turns)], max_turns=self.max_turns
        )

    def writer(self, rows: Dataset, labels: LabelScheme) -> Callable[[Record], dict[str, object]]:
        """Return what writes a row in the columns that are read again."""

        def written(row: Record) -> dict[str, object]:
            targets = cast("list[str] | None", row["label"])
            several = {REFERENCES: targets} if targets and len(targets) > 1 else {}
            *earlier, source = str(row["text"]).split(TURN)
            history = {HISTORY: earlier} if earlier else {}
            return {**history, "source": source, "target": targets[0] if targets else None, **several}

        return written

    def parts(self, row: Record) -> list[TextPart]:
        """Return the source, of one in turns the last."""
        return [TextPart(str(row["text"]).rpartition(TURN)[2])]

    def copy(self, row: Record, parts: Sequence[TextPart]) -> dict[str, Any]:
        """Return the changed source without a target: a teacher writes it."""
        *earlier, _ = str(row["text"]).split(TURN)
        text = TURN.join([*earlier, parts[0].text])
        return {**row, "text": text, **({"label": None} if "label" in row else {})}

    def label_texts(self, labels: Sequence[object]) -> list[str]:
        """Return the first target of each row that has one."""
        return [each[0] for each in cast("Sequence[Sequence[str] | None]", labels) if each]

    def length_warning(self, rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> str | None:
        """Count the targets that are longer than what a model writes at most."""
        some = rows[range(0, len(rows), max(1, len(rows) // MAX_ROWS_READ))]
        texts = self.label_texts(some["label"])
        lengths = [len(ids) for ids in target_tokens(tokenizer, [[text] for text in texts], max_length=WHOLE)]
        num_long = sum(length > self.max_target_length for length in lengths)
        if not num_long:
            return None
        return (
            f"{num_long:,} of {len(lengths):,} train targets ({num_long / len(lengths):.1%}) are longer than "
            f"{self.max_target_length} tokens, and a model learns their beginning only; the longest has "
            f"{max(lengths):,}; raise generation.max_new_tokens to keep them"
        )


@dataclass(frozen=True)
class SequenceReader:
    """Reads the rows of one table: see :class:`tinybert.data.row_format.TableReader`."""

    format: SequenceRows
    columns: ColumnNames

    def read(self, raw: Record, number: int) -> StoredRow:
        """Check source and targets."""
        refuse_rejected(raw)
        turns = self._turns(raw)
        source = source_of_turns(turns, max_turns=self.format.max_turns)
        targets = _targets(raw, self.columns.label)
        return StoredRow((source,), (source,), as_stored(targets))

    def _turns(self, raw: Record) -> list[str]:
        """Return earlier turns and the source; a source that is a list holds turns itself."""
        column = self.columns.text
        given = plain(raw.get(column))
        turns = turns_in(given, column) if isinstance(given, list) else [text_in(raw, column)]
        if not turns:
            raise FieldError(column, "an empty list; a text, or a list of at least one turn, is needed")
        is_own = column == self.format.history
        return [*([] if is_own else earlier_turns(raw, self.format.history)), *turns]

    def remarks(self, file: str, unit: str) -> list[str]:
        """Return nothing: each row is alone."""
        return []


def _targets(raw: Record, column: str | None) -> list[str]:
    """Return a row's targets, the one that is learnt first; none where the row has none.

    Raises:
        FieldError: One of them is no text.
    """
    name, several = REFERENCES, unpacked(plain(raw.get(REFERENCES)), REFERENCES)
    given = None if column is None else plain(raw.get(column))
    if isinstance(given, list):
        name, several, given = str(column), cast("list[object]", given), None
    found: list[str] = []
    if given is not None and not is_missing(given):
        if not isinstance(given, str):
            raise FieldError(str(column), _no_text(given))
        found.append(text_in(raw, str(column)))
    if several is None or several == "":
        return found
    if not isinstance(several, list):
        kind = "text" if isinstance(several, str) else kind_of(several)
        raise FieldError(REFERENCES, f"a {kind} where a list of texts is expected")
    others = [text_in({name: each}, name) for each in cast("list[object]", several)]
    return list(dict.fromkeys([*found, *others]))


def _no_text(given: object) -> str:
    return f"a {kind_of(given)} where a text is expected; write the text itself, in quotes"


def target_tokens(
    tokenizer: PreTrainedTokenizerBase, targets: Sequence[Sequence[str] | None], *, max_length: int
) -> list[list[int]]:
    """Return the tokens of each row's first target and the one that ends it; −100 where a row has none.

    A token that the tokenizer puts before every text, ``[CLS]`` or ``<s>``, is left out: a decoder begins by
    itself.
    """
    texts = [each[0] if each else "" for each in targets]
    found = tokenizer(
        text_target=texts, truncation=True, max_length=max_length + 1, padding=False, verbose=False
    )
    first = [tokenizer.cls_token_id, tokenizer.bos_token_id]
    rows = cast("list[list[int]]", found["input_ids"])
    return [
        (ids[1:] if ids and ids[0] in first else ids[-max_length:]) if each else [-100]
        for ids, each in zip(rows, targets, strict=True)
    ]
