"""First pass: every raw row is checked and written to Arrow, with a hash of its text and where it stood."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinybert.data.fields import FieldError, group_in, hash_texts, refuse_rejected
from tinybert.data.findings import BadRow, Findings, TooManyBadRowsError
from tinybert.data.row_format import ColumnNames, RowFormat, TableReader
from tinybert.errors import DataError
from tinybert.sources.arrow import write_rows
from tinybert.sources.readers import Table
from tinybert.sources.text_files import Fault, RawRow, Unit

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 10_000
NO_GROUP = bytes(8)


def unpack_accepted(
    rows: Iterator[RawRow | Fault], *, format: RowFormat, keep: str
) -> Iterator[RawRow | Fault]:
    """Unpack rows of other programs' formats, but for those of Prodigy whose labels nobody accepted.

    They are refused here, as an unpacked row does not say so any more; to predict one nothing is wrong.
    """
    return format.unpack(map(_accepted, rows), keep=keep)


def _accepted(row: RawRow | Fault) -> RawRow | Fault:
    if isinstance(row, Fault):
        return row
    try:
        refuse_rejected(row[1])
    except FieldError as error:
        return Fault(row[0], f"{error.field}: {error}", {"": row[1]})  # so that nobody unpacks it
    return row


@dataclass(frozen=True)
class Chosen:
    """A table and the columns that are read from it."""

    table: Table
    columns: ColumnNames


@dataclass(frozen=True)
class Part:
    """The good rows of one split, on disk, and what is kept of each in memory (21 bytes and the label).

    A group takes 8 bytes more.

    Attributes:
        file: Arrow stream with the format's stored columns and the ``label`` as it is stored.
        origins: The tables the rows came from: their names and what their row numbers count.
        hashes: uint64 (N,), of the text or both texts of a pair.
        numbers: int64 (N,), row numbers in their tables.
        tables: uint16 (N,), index into ``origins``.
        groups: uint64 (N,), hash of what names the row's group, 0 where it stands alone; None where rows have
            no groups.
    """

    file: Path
    origins: Sequence[tuple[str, Unit]]
    hashes: NDArray[np.uint64]
    numbers: NDArray[np.int64]
    tables: NDArray[np.uint16]
    groups: NDArray[np.uint64] | None = None

    @property
    def keys(self) -> NDArray[np.uint64]:
        """What decides on the split of each row: its group, or its text where it stands alone."""
        return self.hashes if self.groups is None else np.where(self.groups > 0, self.groups, self.hashes)

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
        """Return where a row is, for people."""
        file, unit = self.origins[int(self.tables[index])]
        return f"{file}, {unit} {int(self.numbers[index]):,}"

    def bad_rows(self, indices: NDArray[np.int64], *, field: str, why: Sequence[str]) -> Iterator[BadRow]:
        """Yield these rows as bad rows, for a reason that only the whole of the data shows."""
        raw = (values for batch in self.take(indices) for values in batch.to_pylist())
        for index, reason, values in zip(indices.tolist(), why, raw, strict=True):
            file, unit = self.origins[int(self.tables[index])]
            yield BadRow(file, int(self.numbers[index]), field, reason, values, unit)


_GoodRow = tuple[int, bytes, bytes, tuple[object, ...]]  # number, hash, hash of the group, values


@dataclass
class _Memory:
    """What is kept of each row that was written."""

    hashes: bytearray
    numbers: array[int]
    tables: array[int]
    groups: bytearray | None

    def keep(self, names: Sequence[str], rows: Sequence[_GoodRow]) -> dict[str, list[object]]:
        """Remember the rows of one batch; return their columns."""
        for number, digest, group, _ in rows:
            self.numbers.append(number)
            self.hashes += digest
            if self.groups is not None:
                self.groups += group
        columns = zip(*(values for *_, values in rows), strict=True)
        return {name: list(column) for name, column in zip(names, columns, strict=True)}


@dataclass
class RowReader:
    """Reads tables into parts.

    Attributes:
        format: What a row is.
        unlabelled: Whether a row may lack its label.
        findings: Where bad rows go.
    """

    format: RowFormat
    unlabelled: bool
    findings: Findings

    def read(self, chosen: Sequence[Chosen], file: Path, *, is_pair: bool) -> Part:
        """Read tables one after another into one Arrow file."""
        has_groups = any(each.columns.group for each in chosen)
        memory = _Memory(bytearray(), array("q"), array("H"), bytearray() if has_groups else None)
        schema = self._schema(is_pair=is_pair)
        write_rows(file, schema, self._batches(chosen, memory, schema.names))
        return Part(
            file=file,
            origins=[(each.table.file, each.table.unit) for each in chosen],
            hashes=np.frombuffer(bytes(memory.hashes), dtype="<u8"),
            numbers=np.array(memory.numbers, dtype=np.int64),
            tables=np.array(memory.tables, dtype=np.uint16),
            groups=None if memory.groups is None else np.frombuffer(bytes(memory.groups), dtype="<u8"),
        )

    def _schema(self, *, is_pair: bool) -> pa.Schema:
        import pyarrow as pa

        label = pa.float64() if self.format.has_numbers else pa.string()
        return pa.schema([*self.format.stored_fields(is_pair=is_pair), pa.field("label", label)])

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
        head = list(islice(chosen.table.rows, self.format.num_rows_weighed))
        sound = [row[1] for row in head if not isinstance(row, Fault)]
        reader = self.format.reader_after(sound, chosen.columns, chosen.table.class_names)
        for row in chain(head, chosen.table.rows):
            checked = self._check(row, chosen, reader)
            if checked is not None:
                good.append(checked)
            if len(good) == ROWS_AT_ONCE:
                yield memory.keep(names, good)
                good = []
        if good:
            yield memory.keep(names, good)
        for remark in reader.remarks(chosen.table.file, chosen.table.unit):
            self.findings.warn(remark)

    def _check(self, row: RawRow | Fault, chosen: Chosen, reader: TableReader) -> _GoodRow | None:
        """Return a good row; note a bad one."""
        table, column = chosen.table, chosen.columns.label or self.format.label.names[0]
        if isinstance(row, Fault):
            self._note_fault(row, table)
            return None
        number, raw = row
        try:
            stored = reader.read(raw, number)
            if stored.label is None and not self.unlabelled:
                raise FieldError(column, f"no label; {self.format.missing_label}")
            group = group_in(raw, chosen.columns.group) if chosen.columns.group else ""
        except ValueError as error:
            field = error.field if isinstance(error, FieldError) else column
            self.findings.add_bad_row(BadRow(table.file, number, field, str(error), raw, table.unit))
            return None
        digest = hash_texts([group]) if group else NO_GROUP
        return number, hash_texts(stored.texts), digest, (*stored.values, stored.label)

    def _note_fault(self, fault: Fault, table: Table) -> None:
        row = BadRow(table.file, fault.number, "", fault.why, fault.raw, table.unit)
        if fault.is_fatal:
            self.findings.problems.append(str(row))
        else:
            self.findings.add_bad_row(row)
