"""First pass: every raw row is checked and written to Arrow, with a hash of its text and where it stood."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from tinybert.data.columns import Columns
from tinybert.data.entities import TagCount, read_entities, tags_as_json
from tinybert.data.fields import FieldError
from tinybert.data.findings import BadRow, Findings, TooManyBadRowsError, Unit
from tinybert.data.labels import LabelKind, kind_of, label_name, parse_value, plain
from tinybert.data.questions import QuestionRow, read_answers
from tinybert.errors import DataError
from tinybert.sources.arrow import write_rows
from tinybert.sources.readers import Table
from tinybert.sources.text_files import Fault, RawRow

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 10_000
PART_SEPARATOR = "\0"  # stands in no text: such rows are refused


@dataclass(frozen=True)
class Chosen:
    """A table and the columns that are read from it."""

    table: Table
    columns: Columns


@dataclass(frozen=True)
class Part:
    """The good rows of one split, on disk, and what is kept of each in memory (21 bytes and the label).

    Attributes:
        file: Arrow stream with ``text``, perhaps ``text_pair`` or ``word_starts`` and ``word_ends``, and the
            raw ``label``.
        origins: The tables the rows came from: their names and what their row numbers count.
        hashes: uint64 (N,), of the text or both texts of a pair.
        numbers: int64 (N,), row numbers in their tables.
        tables: uint16 (N,), index into ``origins``.
    """

    file: Path
    origins: Sequence[tuple[str, Unit]]
    hashes: NDArray[np.uint64]
    numbers: NDArray[np.int64]
    tables: NDArray[np.uint16]

    @cached_property
    def rows(self) -> pa.Table:
        """The rows, memory-mapped."""
        import pyarrow as pa

        return pa.ipc.open_stream(pa.memory_map(str(self.file))).read_all()

    def take(self, indices: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
        """Yield rows by rising index, batch by batch: taking from the table would first copy it whole."""
        import pyarrow as pa

        start = 0
        for batch in self.rows.to_batches():
            first, last = np.searchsorted(indices, [start, start + batch.num_rows])
            if last > first:
                yield batch.take(pa.array(indices[first:last] - start))
            start += batch.num_rows

    def place(self, index: int) -> str:
        """Return where a row stands, as a person would say it."""
        file, unit = self.origins[int(self.tables[index])]
        return f"{file}, {unit} {int(self.numbers[index]):,}"

    def bad_rows(self, indices: NDArray[np.int64], *, field: str, why: Sequence[str]) -> Iterator[BadRow]:
        """Yield these rows as bad rows, for a reason that only the whole of the data shows."""
        raw = (values for batch in self.take(indices) for values in batch.to_pylist())
        for index, reason, values in zip(indices.tolist(), why, raw, strict=True):
            file, unit = self.origins[int(self.tables[index])]
            yield BadRow(file, int(self.numbers[index]), field, reason, values, unit)


_GoodRow = tuple[int, bytes, tuple[object, ...]]  # number, hash, values


@dataclass
class _Memory:
    """What is kept of each row that was written."""

    hashes: bytearray
    numbers: array[int]
    tables: array[int]

    def keep(self, names: Sequence[str], rows: Sequence[_GoodRow]) -> dict[str, list[object]]:
        """Remember the rows of one batch; return their columns."""
        for number, digest, _ in rows:
            self.numbers.append(number)
            self.hashes += digest
        columns = zip(*(values for _, _, values in rows), strict=True)
        return {name: list(column) for name, column in zip(names, columns, strict=True)}


@dataclass
class RowReader:
    """Reads tables into parts.

    Attributes:
        label_kind: What a label is.
        unlabelled: Whether a row may lack its label.
        findings: Where bad rows go.
        refuse_orphans: Refuse an I- tag without its B-.
    """

    label_kind: LabelKind
    unlabelled: bool
    findings: Findings
    refuse_orphans: bool = False

    def read(self, chosen: Sequence[Chosen], file: Path, *, is_pair: bool) -> Part:
        """Read tables one after another into one Arrow file."""
        memory = _Memory(bytearray(), array("q"), array("H"))
        schema = self._schema(is_pair=is_pair)
        write_rows(file, schema, self._batches(chosen, memory, schema.names))
        return Part(
            file=file,
            origins=[(each.table.file, each.table.unit) for each in chosen],
            hashes=np.frombuffer(bytes(memory.hashes), dtype="<u8"),
            numbers=np.array(memory.numbers, dtype=np.int64),
            tables=np.array(memory.tables, dtype=np.uint16),
        )

    def _schema(self, *, is_pair: bool) -> pa.Schema:
        import pyarrow as pa

        label = pa.float64() if self.label_kind == "value" else pa.string()
        fields = [pa.field("text", pa.string())]
        if is_pair:
            fields.append(pa.field("text_pair", pa.string()))
        if self.label_kind == "tags":
            fields += [pa.field(name, pa.list_(pa.int32())) for name in ("word_starts", "word_ends")]
        return pa.schema([*fields, pa.field("label", label)])

    def _batches(
        self, chosen: Sequence[Chosen], memory: _Memory, names: Sequence[str]
    ) -> Iterator[dict[str, list[object]]]:
        for index, each in enumerate(chosen):
            try:
                for batch in self._table_batches(each, memory, names):
                    memory.tables.extend([index] * len(batch["text"]))
                    yield batch
            except DataError as error:
                self.findings.add_problems(error)
            except TooManyBadRowsError:
                return

    def _table_batches(
        self, chosen: Chosen, memory: _Memory, names: Sequence[str]
    ) -> Iterator[dict[str, list[object]]]:
        good: list[_GoodRow] = []
        count = TagCount()
        for row in chosen.table.rows:
            checked = self._check(row, chosen, count)
            if checked is not None:
                good.append(checked)
            if len(good) == ROWS_AT_ONCE:
                yield memory.keep(names, good)
                good = []
        if good:
            yield memory.keep(names, good)
        if told := count.describe(chosen.table.file, chosen.table.unit):
            self.findings.warnings.append(told)

    def _check(self, row: RawRow | Fault, chosen: Chosen, count: TagCount) -> _GoodRow | None:
        """Return a good row; note a bad one."""
        table, columns = chosen.table, chosen.columns
        if isinstance(row, Fault):
            self._note_fault(row, table)
            return None
        number, raw = row
        try:
            if self.label_kind == "tags":
                return self._entities(number, raw, chosen, count)
            if self.label_kind == "span":
                return self._question(number, raw, columns)
        except ValueError as error:
            field = error.field if isinstance(error, FieldError) else columns.label or "label"
            named = f" (id {raw['id']})" if self.label_kind == "span" and raw.get("id") is not None else ""
            self.findings.add_bad_row(BadRow(table.file, number, field, f"{error}{named}", raw, table.unit))
            return None
        column = columns.text
        try:
            texts = [_text(raw.get(column))]
            if columns.text_pair is not None:
                column = columns.text_pair
                texts.append(_text(raw.get(column)))
            digest = hash_texts(texts)
            column = columns.label or "label"
            label = self._label(raw.get(column) if columns.label else None, table.class_names.get(column))
        except ValueError as error:
            self.findings.add_bad_row(BadRow(table.file, number, column, str(error), raw, table.unit))
            return None
        return number, digest, (*texts, label)

    def _entities(self, number: int, raw: Mapping[str, object], chosen: Chosen, count: TagCount) -> _GoodRow:
        columns, column = chosen.columns, chosen.columns.label or "tags"
        row = read_entities(
            raw,
            columns,
            class_names=chosen.table.class_names.get(column),
            count=count,
            number=number,
            refuse_orphans=self.refuse_orphans,
        )
        if row.tags is None and not self.unlabelled:
            raise FieldError(column, NO_LABEL + NO_LABEL_FIX["tags"])
        _refuse(columns.text, row.text)
        hash_texts(row.tags or [])
        return number, hash_texts([row.text]), (row.text, row.starts, row.ends, tags_as_json(row.tags))

    def _question(self, number: int, raw: Mapping[str, object], columns: Columns) -> _GoodRow:
        assert columns.text_pair is not None
        question = _refuse(columns.text, raw.get(columns.text))
        context = _refuse(columns.text_pair, raw.get(columns.text_pair))
        column = columns.label or "answers"
        row = QuestionRow(question, context, read_answers(raw, context, column))
        if row.answers is None and not self.unlabelled:
            raise FieldError(column, NO_LABEL + NO_LABEL_FIX["span"])
        return number, hash_texts([question, context]), (question, context, row.label)

    def _note_fault(self, fault: Fault, table: Table) -> None:
        row = BadRow(table.file, fault.number, "", fault.why, fault.raw, table.unit)
        if fault.is_fatal:
            self.findings.problems.append(str(row))
        else:
            self.findings.add_bad_row(row)

    def _label(self, raw: object, class_names: Sequence[str] | None) -> object:
        """Return the label as it is stored: a name, several as a JSON list or as written, or a number."""
        raw = plain(raw)
        if class_names:
            raw = _named(raw, class_names)
        if _is_missing(raw):
            if self.unlabelled:
                return None
            raise ValueError(NO_LABEL + NO_LABEL_FIX[self.label_kind])
        if self.label_kind == "value":
            return parse_value(raw)
        return label_name(raw) if self.label_kind == "single" else _several(raw)


NO_LABEL = "no label"
NO_LABEL_FIX: dict[LabelKind, str] = {
    "single": "; give the row one, or remove the row",
    "multi": "; give the row one, or write [] when none applies",
    "value": "; give the row a number, or remove the row",
    "tags": "; give each token a tag (O for none), or the row its spans ([] for none), or remove the row",
    "span": "; give the row its answers ([] where the text holds none), or remove the row",
}


def hash_texts(texts: Sequence[str]) -> bytes:
    """Return 8 bytes that stand for a text or a pair of texts.

    Raises:
        ValueError: A text holds half of a surrogate pair, which UTF-8 cannot write.
    """
    try:
        joined = PART_SEPARATOR.join(texts).encode()
    except UnicodeEncodeError as error:
        raise ValueError("half of a surrogate pair (a broken emoji?); remove it") from error
    return hashlib.blake2b(joined, digest_size=8).digest()


def _refuse(column: str, raw: object) -> str:
    """Return a text that can be used.

    Raises:
        FieldError: It cannot.
    """
    try:
        text = _text(raw)
        hash_texts([text])
    except ValueError as error:
        raise FieldError(column, str(error)) from error
    return text


def _text(raw: object) -> str:
    if isinstance(raw, str):
        if not raw or raw.isspace():
            raise ValueError("empty; a text with at least one visible character is needed")
        if PART_SEPARATOR in raw:
            raise ValueError("a NUL byte stands in the text; remove it (is the file binary, or UTF-16?)")
        return raw
    if raw is None:
        raise ValueError("missing; a text is needed")
    raise ValueError(f"a {kind_of(plain(raw))} where a text is expected; write the text itself, in quotes")


def _is_missing(raw: object) -> bool:
    return (
        raw is None or (isinstance(raw, str) and not raw.strip()) or (isinstance(raw, float) and raw != raw)
    )


def _named(raw: object, class_names: Sequence[str]) -> object:
    """Return the name that a class number stands for; -1 says that there is no label."""
    if isinstance(raw, list):
        return [_named(part, class_names) for part in cast(list[object], raw)]
    if isinstance(raw, int):
        return class_names[raw] if 0 <= raw < len(class_names) else None
    return raw


def _several(raw: object) -> str:
    if isinstance(raw, str):
        return raw
    parts = raw.tolist() if hasattr(raw, "tolist") else raw  # type: ignore[attr-defined]
    listed = cast(list[object], list(parts)) if isinstance(parts, list | tuple | set) else [parts]
    names = [label_name(part) for part in listed]
    if any(name is None for name in names):
        raise ValueError("an empty name in the list of labels; remove it")
    return json.dumps(names, ensure_ascii=False)
