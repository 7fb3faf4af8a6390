"""Which column of a table is the text, the second text, the label and the group."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from tinybert.advice import setting
from tinybert.config import NO_GROUP, DataSection
from tinybert.data.findings import name_some
from tinybert.data.row_format import Column, ColumnNames, RowFormat
from tinybert.lookup import AUTO, nearest

MAX_NAMED = 30
MAY_BE_SECOND = (
    *("title", "subject", "headline", "summary", "abstract", "description", "body", "context", "passage"),
    *("answer", "response", "reply", "premise", "标题", "摘要", "回答", "答案", "回复"),
)
"""Names of columns that often hold a text beside the text."""


@dataclass(frozen=True)
class Groups:
    """By what rows are grouped.

    Attributes:
        column: Its equal values stay in one split.
        noun: What such groups are called: contexts.
    """

    column: str
    noun: str


@dataclass(frozen=True)
class _Wish:
    setting: str
    name: str | None
    known: tuple[str, ...]
    what: str
    group: str


def find_columns(
    present: Sequence[str], settings: DataSection, *, format: RowFormat, label_required: bool
) -> tuple[ColumnNames | None, list[str]]:
    """Choose the columns; return them (None when the text or a needed label is not found) and the problems.

    What the settings name must be there. Else usual names are looked for, in any case. An optional second
    text is looked for only when the settings do not name the first: naming ``data.text`` alone means single
    texts. What groups the rows is taken for something else only where nothing else can be meant.

    Args:
        present: The table's columns.
        settings: May name some.
        format: Says how columns are usually called.
        label_required: Every row must have a label.
    """
    problems: list[str] = []
    by = settings.group
    text_wish = _Wish("data.text", settings.text, format.text.names, format.text.description, by)
    text = _find(text_wish, present, problems, required=True)
    pair = _find_pair(present, settings, format, problems)
    label_wish = _Wish("data.label", settings.label, format.label.names, format.label.description, by)
    label = _find(label_wish, present, problems, required=label_required)
    sides = format.sides(present) if text is None or label is None else []
    if settings.label is None and text in sides and len(sides) == 2:
        label, problems = next(name for name in sides if name != text), []
    elif settings.text is None and text is None and sides:
        problems = [_which_side(sides, settings.label)]
    chosen = [name for name in (text, pair, label) if name is not None]
    problems += [
        f"column {name!r} cannot be two things; name another by {setting('data.text')} or "
        f"{setting('data.label')}"
        for name in set(chosen)
        if chosen.count(name) > 1
    ]
    found = ColumnNames(text or "", pair, label)
    found = replace(found, group=_find_group(present, settings, format, found, problems))
    return (None if problems or text is None else found), problems


def _which_side(sides: Sequence[str], label: str | None) -> str:
    """Say that languages are there, and how to name the source and the target."""
    pairs = [(a, b) for a in sides for b in sides if a != b and label in (None, b, *({None} - {label}))]
    either = " or ".join(f"{setting('data.text', a)} {setting('data.label', b)}" for a, b in pairs[:2])
    return f"{name_some(list(map(repr, sides)))}: which is the source, and which the target? give {either}"


def header_problems(file: str, present: Sequence[str], format: RowFormat) -> list[str]:
    """Say that the first line of CSV or TSV may be a row, where none of its names is a usual one."""
    columns = (format.text, format.text_pair, format.label)
    known = {name for column in columns if column is not None for name in column.names}
    if not file.lower().endswith((".csv", ".tsv")) or any(each.strip().lower() in known for each in present):
        return []
    return [f"{file}: where its first line is a row: put a header line such as text,label above it"]


def choices(
    present: Sequence[str], settings: DataSection, chosen: ColumnNames, *, format: RowFormat
) -> list[str]:
    """Say which columns were chosen where others have a usual name too.

    Args:
        present: The table's columns.
        settings: May name some: those were not chosen.
        chosen: The columns that are read.
        format: Says how columns are usually called.
    """
    said: list[str] = []
    is_ambiguous = False
    for name in ("text", "text_pair", "label"):
        column, read = getattr(format, name), getattr(chosen, name)
        if column is None or read is None or getattr(settings, name) is not None:
            continue
        others = rivals(present, column, {chosen.text, chosen.text_pair, chosen.label, chosen.group})
        if others:
            is_ambiguous = is_ambiguous or name == "text"
            either, fix = " or ".join(map(repr, others)), setting(f"data.{name}", others[0])
            said.append(f"the {column.description} is read from {read!r}; to read {either} instead: {fix}")
    may_be_pairs = chosen.text_pair and settings.text_pair is None
    if is_ambiguous and may_be_pairs and format.text_pair and not format.text_pair.required:
        second = format.text_pair.description
        said.append(f"rows are read as pairs: {chosen.text!r}, and {chosen.text_pair!r} as the {second}")
    return said + _second_texts(present, settings, chosen, format)


def _second_texts(
    present: Sequence[str], settings: DataSection, chosen: ColumnNames, format: RowFormat
) -> list[str]:
    """Say which columns may hold a second text by their names, where single texts are read."""
    is_decided = chosen.text_pair is not None or settings.text is not None
    if is_decided or format.text_pair is None or format.text_pair.required:
        return []
    taken = {chosen.text, chosen.label, chosen.group}
    known = {*format.text.names, *format.label.names}
    names = (each for each in present if each not in taken and each.strip().lower() not in known)
    found = [each for each in names if each.strip().lower() in MAY_BE_SECOND]
    if not found:
        return []
    named = name_some(list(map(repr, found)))
    columns = f"column {named} is" if len(found) == 1 else f"columns {named} are"
    fix = setting("data.text_pair", found[0])
    return [f"only {chosen.text!r} is read as the text; {columns} not read (as the second text: {fix})"]


def rivals(present: Sequence[str], column: Column, taken: Collection[str | None]) -> list[str]:
    """Return the columns that are not read and have a usual name of one that is."""
    names = set(column.names) - set(column.beside)
    return [each for each in present if each not in taken and each.strip().lower() in names]


def group_setting(settings: DataSection, format: RowFormat) -> str:
    """Return ``data.group`` with auto decided: the name of a column, or ``none``."""
    return own_group(settings, format) if settings.group == AUTO else settings.group


def own_group(settings: DataSection, format: RowFormat) -> str:
    """Return the column by which a format groups its rows, as it is named or usually called; or ``none``."""
    if format.group is None:
        return NO_GROUP
    column: Column = getattr(format, format.group)
    return getattr(settings, format.group) or column.names[0]


def groups_of(every: Iterable[ColumnNames], format: RowFormat) -> Groups | None:
    """Return by what rows are grouped, from the columns of all tables; None where each text is alone."""
    columns = next((each for each in every if each.group is not None), None)
    if columns is None or columns.group is None:
        return None
    if format.group is not None and columns.group == getattr(columns, format.group):
        return Groups(columns.group, f"{getattr(format, format.group).description}s")
    return Groups(columns.group, f"groups ({columns.group})")


def _find_group(
    present: Sequence[str],
    settings: DataSection,
    format: RowFormat,
    found: ColumnNames,
    problems: list[str],
) -> str | None:
    name = group_setting(settings, format)
    if settings.group == AUTO and format.own_group in present:
        return format.own_group
    if name == NO_GROUP:
        return None
    if format.group is not None and name == own_group(settings, format):
        return getattr(found, format.group)
    if name not in present:
        problems.append(_no_such_column("data.group", name, present))
    elif name == found.label:
        problems.append(
            f"{setting('data.group', name)}: is the label; all rows of a label would be in one split"
        )
    elif name == found.text and found.text_pair is None:
        problems.append(
            f"{setting('data.group', name)}: is the text itself, and equal texts are in one split anyway; "
            f"omit it, or set {setting('data.text')} ({_there_is(present)})"
        )
    return name


def _no_such_column(of: str, name: str, present: Sequence[str]) -> str:
    return f"{setting(of, name)}: no such column{nearest(name, present)} ({_there_is(present)})"


def _there_is(present: Sequence[str]) -> str:
    return f"the columns are: {name_some(present, MAX_NAMED) or 'none'}"


def _find_pair(
    present: Sequence[str], settings: DataSection, format: RowFormat, problems: list[str]
) -> str | None:
    column = format.text_pair or Column((), "second text")
    names = column.names if column.required or not settings.text else ()
    wish = _Wish("data.text_pair", settings.text_pair, names, column.description, settings.group)
    return _find(wish, present, problems, required=column.required)


def _find(wish: _Wish, present: Sequence[str], problems: list[str], *, required: bool) -> str | None:
    if wish.name is not None:
        if wish.name in present:
            return wish.name
        if required or wish.setting != "data.label":
            problems.append(_no_such_column(wish.setting, wish.name, present))
        return None
    found = [column for column in present if column.strip().lower() in wish.known]
    first = [column for column in found if column.strip().lower() == wish.known[0]]
    found = [column for column in found if column != wish.group] or found
    if len(first) == 1 or len(found) == 1:
        return (first or found)[0]
    if found:
        either = " and ".join(repr(column) for column in found)
        problems.append(
            f"{either} could each be the {wish.what}; say which with {setting(wish.setting, found[0])}"
        )
    elif required:
        problems.append(
            f"no column is known as the {wish.what} ({_there_is(present)}); set {setting(wish.setting)}"
        )
    return None
