"""What reading found: bad rows, problems of a file as a whole, and warnings; all reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tinybert.advice import setting
from tinybert.errors import DataError
from tinybert.sources.text_files import Unit

MAX_BAD_ROWS = 100_000
NoticeKind = Literal["leakage", "rare_labels", "other"]
"""What a warning is about, for those who do not only print it."""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used.

    Attributes:
        file: The file as the user named it, or the split of data given as Python objects.
        row: Counted as a person would: the line of a text file (the header is line 1), else the row from 1.
        field: The column, or an empty string when the row as a whole is wrong.
        why: What is wrong, what is allowed and the fix.
        raw: The row as it was read.
        unit: What ``row`` counts.
    """

    file: str
    row: int
    field: str
    why: str
    raw: Mapping[str, object]
    unit: Unit = "line"

    def __str__(self) -> str:
        column = f", {self.field}" if self.field else ""
        return f"{self.file}, {self.unit} {self.row:,}{column}: {self.why}"


@dataclass(frozen=True)
class Notice:
    """A warning.

    Attributes:
        text: One line.
        kind: ``leakage``: rows, or groups of rows, are in train and in another split. ``rare_labels``:
            held-out rows went to train, as it had none of their labels.
    """

    text: str
    kind: NoticeKind = "other"


class TooManyBadRowsError(Exception):
    """Reading further would only find more of the same."""


@dataclass
class Findings:
    """Collects while reading; :meth:`stop_if_any` reports.

    Attributes:
        skip: True: bad rows are set aside and reading continues; False: they are problems.
        problems: What stops, one line each.
        bad_rows: Rows that were set aside, or in the way.
        notices: What does not stop.
        label_hint: Where labels may be, in case none are found.
    """

    skip: bool
    problems: list[str] = field(default_factory=list[str])
    bad_rows: list[BadRow] = field(default_factory=list[BadRow])
    notices: list[Notice] = field(default_factory=list[Notice])
    label_hint: str = ""

    def add_bad_row(self, row: BadRow) -> None:
        """Note a bad row.

        Raises:
            TooManyBadRowsError: There are so many that the file as a whole must be wrong.
        """
        self.bad_rows.append(row)
        if not self.skip:
            first = len(self.bad_rows) == 1
            hint = f" (or set {setting('data.on_bad_row', 'skip')} to set such rows aside)"
            self.problems.append(f"{row}{hint if first else ''}")
        if len(self.bad_rows) >= MAX_BAD_ROWS:
            self.problems.append(f"{row.file}: {MAX_BAD_ROWS:,} bad rows; the rest was not read")
            raise TooManyBadRowsError

    def add_odd(self, warnings: Sequence[str]) -> None:
        """Note what is odd: warnings, or problems where there are others, as it may be why the run stops."""
        if self.problems:
            self.problems.extend(warnings)
        else:
            self.notices += map(Notice, warnings)

    def warn(self, text: str, *, kind: NoticeKind = "other") -> None:
        """Note what does not stop."""
        self.notices.append(Notice(text, kind))

    def warn_once(self, texts: Sequence[str]) -> None:
        """Note what does not stop, unless another file of the data had the same."""
        known = {each.text for each in self.notices}
        self.notices += [Notice(each) for each in texts if each not in known]

    def add_problems(self, error: DataError) -> None:
        """Note what is wrong with a file as a whole."""
        self.problems += [f"{error.subject}: {problem}" for problem in error.problems]

    @property
    def has_whole_problems(self) -> bool:
        """Whether a problem is one of a file as a whole, so that what was read may be incomplete."""
        return len(self.problems) > (0 if self.skip else len(self.bad_rows))

    def stop_if_any(self, subject: str) -> None:
        """Raise one error that lists every problem, if there is any.

        Raises:
            DataError: There is.
        """
        if self.problems:
            raise DataError(subject, self.problems)


def name_rows(rows: list[int], limit: int = 5) -> str:
    """Return row numbers as one phrase.

    Example:
        >>> name_rows([3, 7]), name_rows(list(range(1, 9)))
        ('3, 7', '1, 2, 3, 4, 5, … and 3 more')
    """
    return name_some([f"{row:,}" for row in rows], limit)


def name_some(names: Sequence[str], limit: int = 5, *, mark: str = ", ") -> str:
    """Return the first of some names as one phrase, and how many more there are."""
    more = len(names) - limit
    return mark.join(names[:limit]) + (f"{mark}… and {more:,} more" if more > 0 else "")
