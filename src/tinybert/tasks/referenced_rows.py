"""Rows whose label is one text or several: the references that a summary or a translation is scored by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from tinybert.data.labels import LabelScheme
from tinybert.data.row_format import RowFormat, TextRow
from tinybert.tasks.text_rows import token_table_problem

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset


def as_stored(references: Sequence[str] | None) -> str | None:
    """Return references as they are kept between the two passes of reading; None where there is none."""
    return json.dumps(references, ensure_ascii=False) if references else None


@dataclass(frozen=True)
class ReferencedRows(RowFormat):
    """Rows of one text; a label is a list of references."""

    def table_problem(self, columns: Sequence[str]) -> str | None:
        """Name a file of tokens and tags."""
        return token_table_problem(columns)

    @property
    def label_type(self) -> pa.DataType:
        """A list of texts."""
        import pyarrow as pa

        return pa.list_(pa.string())

    def names_in(self, stored: str, labels: LabelScheme) -> frozenset[str]:
        """Return nothing: references are no classes."""
        return frozenset()

    def convert(self, raw: object, labels: LabelScheme) -> list[str]:
        """Return the references."""
        return cast("list[str]", json.loads(str(raw)))

    def gold(self, rows: Dataset) -> list[list[str] | None]:
        """Return the references of each row; None where it has none."""
        return list(rows["label"])

    def rows_of(self, rows: Dataset) -> list[TextRow]:
        """Return the texts."""
        return list(rows["text"])
