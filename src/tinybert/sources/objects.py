"""Python objects → plain rows or texts that can be read more than once.

Known are tables (of pandas; of polars, pyarrow and whatever else gives an Arrow stream), the data sets of
``datasets``, columns of a table and arrays, and all that can be iterated over. Nothing is copied but what can
be read only once. A missing value (None, NaN, NaT, ``pandas.NA``) is None, a number of numpy is Python's,
bytes are text in UTF-8. An index of pandas is not a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Protocol, cast

from tinybert.errors import DataError
from tinybert.sources.columns import SPLIT_NAMES

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 2000
ROWS_PEEKED = 100
SUBJECT = "rows"
EXPECTED = (
    "expected a list of rows (each a mapping of column to value) or of texts, a table of pandas, polars or "
    "pyarrow, one of its columns, or a data set of datasets"
)
READ_AS_THEY_ARE = (str, int, bool, NoneType)
MISSING = ("NAType", "NaTType")
FIXES = {
    "toPandas": "give .toPandas() of it",
    "to_pandas": "give .to_pandas() of it",
    "collect": "give .collect() of it",
    "compute": "give .compute() of it",
    "readlines": "an open file; give its path",
}
"""Method of an object that is not read → how it is given."""


class ArrowStream(Protocol):
    """A table of pandas, polars or pyarrow, or one of its columns."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> object:  # noqa: ANN401 (a capsule)
        """Return its content as a stream."""
        ...


class LibraryDataset(Protocol):
    """A data set of ``datasets``, or the splits of one."""

    def with_format(self, type: str | None = None) -> object:
        """Return it with its cells in another form."""
        ...


@dataclass(frozen=True)
class ObjectRows:
    """What a Python object holds: rows (mappings of column to value) or texts, read anew each time.

    Attributes:
        given: The object.
        read: Begins to read it.
        columns: Names, in order; None where there is no table.
        class_names: Column → names of the classes of its whole numbers.
        mark: Changes when the content does; an empty string where nobody knows.
    """

    given: object
    read: Callable[[], Iterator[object]]
    columns: Sequence[str] | None = None
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    mark: str = ""

    def __iter__(self) -> Iterator[object]:
        return self.read()


class DatasetSplits(dict[str, ObjectRows]):
    """Those of a ``DatasetDict``, which may have splits that are not used."""


Readable = str | Path | ObjectRows | Mapping[str, ObjectRows]


def source_of(given: object) -> Readable:
    """Return data as given in Python in a form that can be read more than once; paths and names unchanged.

    Raises:
        DataError: It is none that can be read.
    """
    if isinstance(given, str | Path):
        return given
    return splits_of(cast("Mapping[Any, object]", given)) if isinstance(given, Mapping) else rows_of(given)


def splits_of(given: Mapping[Any, object]) -> dict[str, ObjectRows]:
    """Return the rows of each split.

    Raises:
        DataError: No key is a split, or a value holds no rows.
    """
    is_dataset_dict = isinstance(given, DatasetSplits) or _library(given) == "datasets"
    splits = DatasetSplits() if is_dataset_dict else dict[str, ObjectRows]()
    names = list(map(str, given))
    if names and not is_dataset_dict and not any(name.lower() in SPLIT_NAMES for name in names):
        raise DataError(SUBJECT, _no_split(names))
    problems: list[str] = []
    for name, rows in zip(names, given.values(), strict=True):
        try:
            splits[name] = rows_of(rows)
        except DataError as error:
            problems += [f"{name!r}: {problem}" for problem in error.problems]
    if problems:
        raise DataError(SUBJECT, problems)
    return splits


def rows_of(given: object) -> ObjectRows:
    """Return the rows or texts of one object; what can be read only once is read now.

    Raises:
        DataError: It holds none.
    """
    rows = opened(given)
    if rows is None:
        items = cast("Iterable[object]", given)
        items = list(items) if iter(items) is items else items
        rows = ObjectRows(items, partial(items_in, items))
    if rows.columns is not None:
        return rows
    head = [item for item in islice(rows, ROWS_PEEKED) if item is not None]
    if head and not any(isinstance(item, Mapping | str) for item in head):
        raise DataError(SUBJECT, _no_row(head[0]))
    return rows


def opened(given: object) -> ObjectRows | None:
    """Open a table, a column or an array; return None for other objects that can be iterated over.

    Raises:
        DataError: Nothing in it is a row or a text.
    """
    if isinstance(given, ObjectRows):
        return given
    if isinstance(given, str | bytes | bytearray | memoryview | Mapping):
        raise DataError(SUBJECT, f"{EXPECTED}; got {_kind(given)}")
    found = _table(given) or _column(given)
    if found is None and (problem := _why_closed(given)):
        raise DataError(SUBJECT, problem)
    return found


def items_in(given: Iterable[object]) -> Iterator[object]:
    """Yield rows or texts as plain values; a table among them, such as a part of a large one, row by row."""
    for item in given:
        if isinstance(item, str | Mapping | list | tuple | NoneType):
            yield plain(item)
        elif (table := _table(item)) is not None:
            yield from table
        else:
            yield _record(item) if hasattr(item, "keys") else plain(item)


def plain(value: object) -> object:
    """Return a value as Python has it.

    Example:
        >>> import numpy as np
        >>> plain({"text": b"fine", "label": np.float32("nan"), "tokens": np.array(["a", "b"])})
        {'text': 'fine', 'label': None, 'tokens': ['a', 'b']}
    """
    kind = type(value)
    if kind in READ_AS_THEY_ARE:
        return value
    if kind is float:
        return None if value != value else value
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        parts = [plain(each) for each in cast("Iterable[object]", value)]
        return parts if isinstance(value, list) else tuple(parts)
    for name in ("tolist", "as_py"):  # of numpy, pandas and torch; of pyarrow
        if (convert := getattr(value, name, None)) is not None:
            return plain(convert())
    if isinstance(value, bytes | bytearray):
        return _decoded(bytes(value))
    return None if kind.__name__ in MISSING else value


def class_names_of(schema: pa.Schema) -> dict[str, Sequence[str]]:
    """Read the names that ``datasets`` keeps beside whole-number class columns."""
    if not schema.metadata or b"huggingface" not in schema.metadata:
        return {}
    from datasets import Features

    features = Features.from_arrow_schema(schema)
    inner = {name: getattr(feature, "feature", feature) for name, feature in features.items()}
    return {name: feature.names for name, feature in inner.items() if hasattr(feature, "names")}


def _table(given: object) -> ObjectRows | None:
    if hasattr(given, "with_format") and hasattr(given, "features"):
        return _of_dataset(given)
    if _library(given) == "pandas":
        is_frame = getattr(given, "ndim", 0) == 2 and hasattr(given, "columns")
        return _of_frame(given) if is_frame else None
    return _of_arrow(given) if hasattr(given, "__arrow_c_stream__") else None


def _of_dataset(dataset: Any) -> ObjectRows:  # noqa: ANN401 (Dataset or IterableDataset)
    if not hasattr(dataset, "_fingerprint"):  # an IterableDataset, which may be read only once
        rows = list(dataset.with_format(None))
        if not dataset.features or not rows:
            return ObjectRows(rows, partial(items_in, rows), dataset.column_names)
        from datasets import Dataset

        dataset = Dataset.from_list(rows, features=dataset.features)

    def read() -> Iterator[object]:
        for batch in dataset.with_format("arrow").iter(ROWS_AT_ONCE):
            yield from map(plain, batch.to_pylist())

    names = class_names_of(dataset.features.arrow_schema)
    return ObjectRows(dataset, read, dataset.column_names, names, str(dataset._fingerprint))


def _of_frame(frame: Any) -> ObjectRows:  # noqa: ANN401 (pandas is not imported)
    names = _checked(list(map(str, frame.columns)))

    def read() -> Iterator[object]:
        for start in range(0, len(frame), ROWS_AT_ONCE):
            part = frame.iloc[start : start + ROWS_AT_ONCE]
            columns = [map(plain, part.iloc[:, place].tolist()) for place in range(len(names))]
            yield from (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))

    return ObjectRows(frame, read, names)


def _of_arrow(given: object) -> ObjectRows:
    import pyarrow as pa

    try:
        held: Any = pa.table(given)
    except pa.ArrowInvalid:  # one column
        held = pa.chunked_array(given)
    is_table = isinstance(held, pa.Table)

    def read() -> Iterator[object]:
        try:
            for start in range(0, len(held), ROWS_AT_ONCE):
                yield from map(plain, held.slice(start, ROWS_AT_ONCE).to_pylist())
        except (pa.ArrowException, ValueError) as error:  # ValueError: a text that is not UTF-8
            raise DataError(SUBJECT, f"the table is damaged: {error}") from error

    if not is_table:
        return ObjectRows(held, read)
    return ObjectRows(held, read, _checked(held.schema.names), class_names_of(held.schema))


def _column(given: Any) -> ObjectRows | None:  # noqa: ANN401 (duck typing)
    """Open a Series, an index, an array of numpy or pyarrow."""
    if not hasattr(given, "tolist"):
        return None
    if (num_axes := getattr(given, "ndim", 1)) != 1:
        raise DataError(SUBJECT, f"an array of {num_axes} dimensions; one of texts has one")
    return ObjectRows(given, lambda: map(plain, given.tolist()))


def _checked(columns: list[str]) -> list[str]:
    """Refuse two columns of the same name: a row would hold the last of them."""
    twice = dict.fromkeys(name for name in columns if columns.count(name) > 1)
    if twice:
        raise DataError(SUBJECT, [f"two columns are called {name!r}; rename one" for name in twice])
    return columns


def _record(item: Any) -> object:  # noqa: ANN401 (duck typing)
    """Return a row that is read like a mapping without being one: of sqlite3, of a pandas table."""
    return {str(name): plain(item[name]) for name in item.keys()}  # noqa: SIM118 (it is no mapping)


def _decoded(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _library(given: object) -> str:
    """Return the package of an object's type, or of the one it is derived from: datasets, pandas, or none."""
    packages = {each.__module__.partition(".")[0] for each in type(given).__mro__}
    return next((name for name in ("datasets", "pandas") if name in packages), "")


def _why_closed(given: object) -> str:
    """Say why an object is not iterated over; nothing where it is."""
    fix = next((fix for method, fix in FIXES.items() if hasattr(given, method)), "")
    if isinstance(given, set | frozenset):
        fix = "a set has no order; give sorted(...) of it"
    elif callable(given):
        fix = "give what it returns"
    if not fix and isinstance(given, Iterator):
        return ""
    if not fix and isinstance(given, Iterable) and not hasattr(given, "columns"):  # else another's table
        return ""
    return f"{EXPECTED}; got {_kind(given)}{f': {fix}' if fix else ''}"


def _kind(given: object) -> str:
    return f"an object of type {type(given).__name__!r}"


def _no_split(names: Sequence[str]) -> str:
    keys = ", ".join(map(repr, names[:5])) + (", …" if len(names) > 5 else "")
    allowed = ", ".join(dict.fromkeys(SPLIT_NAMES.values()))
    return (
        f"a mapping with the keys {keys}: not a split (allowed: {allowed}); one row goes into a list, "
        "columns go into a table, such as datasets.Dataset.from_dict(...)"
    )


def _no_row(item: object) -> str:
    fix = "; write {'text': text, 'label': label}" if isinstance(item, tuple | list) else ""
    return f"row 1: expected a mapping of column to value, or a text, got {_kind(item)} ({item!r:.60}){fix}"
