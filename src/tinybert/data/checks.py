"""What only the whole of the data shows: unknown labels, leakage, duplicates, empty splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinybert.advice import setting
from tinybert.data.columns import Groups
from tinybert.data.findings import Findings, name_rows
from tinybert.data.labels import LabelScheme, whole_numbers
from tinybert.data.reading import Part
from tinybert.data.row_format import RowFormat
from tinybert.errors import DataError


@dataclass(frozen=True)
class Split:
    """Some rows of a part, and their labels as written.

    Attributes:
        name: train, validation or test.
        part: Where the rows are.
        rows: int64 (n,), indices into the part, rising.
        codes: int64 (N,), for every row of the part its index in ``raw_labels``, -1 unlabelled; for numbers
            float64 (N,), NaN unlabelled.
        raw_labels: The different labels as written, sorted; empty for numbers.
        leaked: bool (n,), rows that are in train too; None where none does.
    """

    name: str
    part: Part
    rows: NDArray[np.int64]
    codes: NDArray[np.int64] | NDArray[np.float64]
    raw_labels: Sequence[str]
    leaked: NDArray[np.bool_] | None = None

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """Hashes of this split's rows."""
        return self.part.hashes[self.rows]

    def labels_present(self) -> list[str]:
        """Return the labels as written that occur in these rows."""
        present = np.unique(self.codes[self.rows]) if self.raw_labels else []
        return [self.raw_labels[int(code)] for code in present if code >= 0]

    def without(self, drop: NDArray[np.bool_]) -> Split:
        """Return the split without some of its rows."""
        leaked = None if self.leaked is None else self.leaked[~drop]
        return replace(self, rows=self.rows[~drop], leaked=leaked)

    def set_aside(self, drop: NDArray[np.bool_], why: Sequence[str], field: str, findings: Findings) -> Split:
        """Note rows as bad, and return the split without them."""
        for row in self.part.bad_rows(self.rows[drop], field=field, why=why):
            findings.add_bad_row(row)
        return self.without(drop)


def code_labels(part: Part, format: RowFormat) -> tuple[NDArray[np.int64] | NDArray[np.float64], list[str]]:
    """Return the labels of a part as numbers, and for names the name of each number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = part.rows.column("label")
    if format.has_numbers:
        return column.to_numpy().astype(np.float64), []
    raw_labels = sorted(text for text in column.unique().to_pylist() if text is not None)
    if not raw_labels:
        return np.full(len(column), -1, dtype=np.int64), []
    codes = pc.call_function("index_in", [column], pc.SetLookupOptions(pa.array(raw_labels, pa.string())))
    return codes.fill_null(-1).to_numpy().astype(np.int64), raw_labels


def as_whole_numbers(splits: list[Split], known: Sequence[str] = ()) -> list[Split]:
    """Return the splits with labels such as ``1.0`` as ``1``, where all labels are whole numbers.

    Args:
        splits: All of them: a label is the same in each.
        known: The names of a model that is used on them; where it knows ``1.0`` itself, nothing changes.
    """
    digits = whole_numbers([*known, *(raw for split in splits for raw in split.raw_labels)])
    if not digits or any(digits[name] != name for name in known):
        return splits
    return [_renamed(split, digits) for split in splits]


def _renamed(split: Split, names: Mapping[str, str]) -> Split:
    if not split.raw_labels:
        return split
    new = sorted({names[raw] for raw in split.raw_labels})
    codes = np.array([*(new.index(names[raw]) for raw in split.raw_labels), -1])
    return replace(split, codes=codes[split.codes.astype(np.int64)], raw_labels=new)


def labelled_rows(split: Split) -> NDArray[np.bool_]:
    """Return which rows of the split's part have a label."""
    return split.codes >= 0 if split.codes.dtype.kind == "i" else ~np.isnan(split.codes)


def first_label(splits: Sequence[Split]) -> str:
    """Return where the first label is, and that, for a message about all of them."""
    split = next(split for split in splits if split.labels_present())
    row = int(split.rows[labelled_rows(split)[split.rows]][0])
    return f"{split.part.place(row)}, label: {split.raw_labels[int(split.codes[row])]!r:.60}"


def refuse_unknown_labels(
    split: Split, scheme: LabelScheme, findings: Findings, *, format: RowFormat, owner: str
) -> Split:
    """Set rows aside whose label the scheme does not know."""
    reasons: dict[int, str] = {}
    for code, raw in enumerate(split.raw_labels):
        try:
            format.convert(raw, scheme)
        except DataError as error:
            reasons[code] = error.problems[0].replace("unknown label", f"unknown to {owner}: label", 1)
    drop = np.isin(split.codes[split.rows], list(reasons)) if reasons else np.zeros(len(split.rows), bool)
    why = [reasons[int(code)] for code in split.codes[split.rows[drop]]]
    return split.set_aside(drop, why, "label", findings)


def find_leakage(train: Split, other: Split) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which rows of another split are in train too, and for each of those where."""
    order = np.argsort(train.hashes, kind="stable")
    ranked = train.hashes[order]
    indices = np.searchsorted(ranked, other.hashes)
    found = indices < len(ranked)
    found[found] = ranked[indices[found]] == other.hashes[found]
    where = [train.part.place(int(train.rows[index])) for index in order[indices[found]]]
    return found, where


def check_leakage(train: Split, other: Split, findings: Findings, *, max_leakage: float | None) -> Split:
    """Look for rows of a held-out split in train.

    Args:
        train: The training rows.
        other: Validation or test rows.
        findings: Where bad rows, problems and warnings go.
        max_leakage: Share of rows above which it is a problem, or None where it is only ever a warning.

    Returns:
        The split with its ``leaked`` rows marked, or, where bad rows are skipped, without them.
    """
    leaked, where = find_leakage(train, other)
    if not leaked.any():
        return other
    if findings.skip and max_leakage is not None:
        return other.set_aside(leaked, [f"is in train too ({place})" for place in where], "text", findings)
    message = _describe_leakage(other, leaked, where)
    share = float(leaked.mean())
    if max_leakage is None or share <= max_leakage:
        findings.warn(message, kind="leakage")
    else:
        findings.problems.append(
            f"{message}; that is more than {setting('data.max_leakage', f'{max_leakage:g}')}: "
            f"remove them from one, or set {setting('data.on_bad_row', 'skip')} to skip them in the test"
        )
    return replace(other, leaked=leaked)


def warn_of_shared_groups(train: Split, other: Split, findings: Findings, *, noun: str) -> None:
    """Warn of groups of another split, such as contexts, of which rows are in train too."""
    in_train, groups = train.part.groups, other.part.groups
    if other.name == train.name or in_train is None or groups is None:
        return
    own = groups[other.rows]
    different = np.unique(own[own > 0])
    shared = different[np.isin(different, in_train[train.rows])]
    if len(shared):
        num_rows = int(np.isin(own, shared).sum())
        findings.warn(
            f"{len(shared):,} of {len(different):,} {other.name} {noun} also in train ({num_rows:,} of "
            f"{len(own):,} {other.name} rows)",
            kind="leakage",
        )


def _describe_leakage(other: Split, leaked: NDArray[np.bool_], where: Sequence[str]) -> str:
    rows = other.rows[leaked]
    return (
        f"{other.name}: {len(rows):,} of {len(leaked):,} rows ({leaked.mean():.1%}) are in train too "
        f"({_say_places(other.part, rows)}; the first is {where[0]})"
    )


def _say_places(part: Part, rows: NDArray[np.int64]) -> str:
    first = int(part.tables[rows[0]])
    file, unit = part.origins[first]
    return f"{file}, {unit}s {name_rows(part.numbers[rows].tolist())}"


def warn_of_duplicates(train: Split, format: RowFormat, findings: Findings) -> None:
    """Warn of equal texts in train, and of equal texts with different labels where a text has one label."""
    hashes = train.hashes
    order = np.argsort(hashes, kind="stable")
    same = hashes[order][1:] == hashes[order][:-1]
    if not same.any():
        return
    again = np.sort(train.rows[order[1:][same]])
    places = _say_places(train.part, again)
    findings.warn(f"train: {len(again):,} rows repeat the text of an earlier row ({places})")
    if not format.has_one_label:
        return
    codes = train.codes[train.rows][order]
    labelled = (codes >= 0) if train.raw_labels else ~np.isnan(codes.astype(np.float64))
    differ = same & (codes[1:] != codes[:-1]) & labelled[1:] & labelled[:-1]
    if differ.any():
        rows = np.sort(train.rows[order[1:][differ]])
        findings.warn(
            f"train: {len(rows):,} rows repeat an earlier text with another label "
            f"({_say_places(train.part, rows)}); a model can only be wrong on one of the two"
        )


def empty_problem(name: str, splits: Sequence[Split], groups: Groups | None) -> str:
    """Say that a split is empty, why, and what to do."""
    cut = _cut_with(name, splits)
    different, num_rows = _num_different(cut)
    if groups is None and 0 < different < len(cut):
        texts = "only one text" if different == 1 else f"only {different} different texts"
        rows = f"{num_rows:,} rows" if num_rows > 1 else "1 row"
        return (
            f"the {name} split is empty: {texts} in {rows}, and equal texts are in one split; {len(cut)} "
            f"different ones are needed (where another column is the text, name it: {setting('data.text')}; "
            f"where it is a second text: {setting('data.text_pair')}), or a folder with a file for each split"
        )
    needed = f"the {name} split is empty; one good row at least is needed, outside train with a label, three"
    if groups is None:
        return f"{needed} different texts in one file"
    return (
        f"{needed} different {groups.noun} in one file, as all rows of one are in one split; name another "
        f"column with {setting('data.group')}, or split text by text with {setting('data.group', 'none')}"
    )


def _cut_with(name: str, splits: Sequence[Split]) -> list[Split]:
    """Return the splits that hold rows of the same table as one of them, itself among them."""
    parts = [split.part for split in splits if split.name == name]
    return [split for split in splits if parts and split.part is parts[0]]


def _num_different(splits: Sequence[Split]) -> tuple[int, int]:
    """Return how many different texts splits hold, and how many rows."""
    hashes = [each for split in splits for each in split.hashes.tolist()]
    return len(set(hashes)), len(hashes)


def check_variety(train: Split, format: RowFormat, findings: Findings) -> None:
    """Refuse training rows that teach nothing, and doubt odd ones, as their format says."""
    is_labelled = labelled_rows(train)[train.rows]
    num_labelled = int(is_labelled.sum())
    if not num_labelled:
        return
    numbers = train.codes[train.rows][is_labelled]
    present = train.labels_present() if train.raw_labels else [f"{each:g}" for each in np.unique(numbers)[:2]]
    if problem := format.variety_problem(present, num_labelled):
        findings.problems.append(f"train: {problem}")
    elif warning := format.variety_warning(present, num_labelled):
        findings.add_odd([f"train: {warning}"])
