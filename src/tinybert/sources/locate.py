"""A source as the user names it → the tables of each split."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from tinybert.advice import setting
from tinybert.errors import DataError
from tinybert.lookup import AUTO
from tinybert.sources.bundled import fetch, is_bundled
from tinybert.sources.columns import SPLIT_NAMES
from tinybert.sources.encoding import SourceFile
from tinybert.sources.file_kinds import kind_of_file
from tinybert.sources.hub import ADDRESS, NAME, hub_problem, missing
from tinybert.sources.objects import DatasetSplits, ObjectRows, rows_of, source_of
from tinybert.sources.readers import NOT_TEXT, READERS, Table, from_rows, from_splits, open_file
from tinybert.sources.sides import Sides, is_whole, lone_sides, open_sides, side_problems, sides_in

Tables = dict[str, list[Table]]
STDIN = "-"
"""Names standard input, from which raw text may come."""
PLAIN_ENDINGS = (".txt", ".text", ".md", ".raw")
SHARD = re.compile(r"^(.+)-\d+-of-\d+$")


def name_source(source: object) -> str:
    """Return what an error message calls this source."""
    return str(source) if isinstance(source, str | Path) else "rows"


def locate(source: object, need: Sequence[str], warnings: list[str], *, encoding: str = AUTO) -> Tables:
    """Open the tables of a source, by split; one table that is not split yet has an empty string as its name.

    What is skipped on purpose is noted in ``warnings``. Where ``need`` lacks ``train`` and everything in it
    is there, nothing else is opened. ``encoding`` is that of files of text.

    Raises:
        DataError: There is no such file, folder, bundled name or hub data set, or its format is unknown.
    """
    source = source_of(source)
    if not isinstance(source, str | Path) and encoding != AUTO:
        raise DataError(
            "rows",
            f"{setting('data.encoding', encoding)}: is of files, and rows in memory have none; omit it",
        )
    if isinstance(source, ObjectRows):
        return {"": [from_rows(source, "rows")]}
    if isinstance(source, Mapping):
        return _chosen(_as_lists(from_splits(source, "rows", warnings)), need)
    path = fetch(str(source)) if is_bundled(source) else Path(source).expanduser()
    if path.is_dir():
        return _open_folder(path, need, warnings, encoding)
    if path.is_file():
        return _chosen(_as_lists(open_file(_file(path, encoding))), need)
    if path.exists() or looks_like_path(source):
        raise DataError(str(source), missing(source))
    return _chosen(open_hub(str(source), warnings), need)


def _as_lists(tables: Mapping[str, Table]) -> Tables:
    return {split: [table] for split, table in tables.items()}


def _chosen(tables: Tables, need: Sequence[str]) -> Tables:
    if "" in tables or not is_enough(tables, need):
        return tables
    return {split: tables[split] for split in need}


def is_enough(present: Iterable[str], need: Sequence[str]) -> bool:
    """Return whether the needed splits are there and train, with what depends on it, is not among them."""
    return "train" not in need and set(need) <= set(present)


def _file(path: Path, encoding: str) -> SourceFile:
    return SourceFile(path, path.name, encoding, "data.encoding")


def _open_folder(folder: Path, need: Sequence[str], warnings: list[str], encoding: str) -> Tables:
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        shard = SHARD.match(path.stem)
        split = SPLIT_NAMES.get((shard[1] if shard else path.stem).lower())
        if split is not None and path.suffix.lower() in READERS:
            files.setdefault(split, []).append(path)
    every = {split: found for split, found in sides_in(folder).items() if split not in files}
    sides = {split: found for split, found in every.items() if is_whole(split, found)}
    present = [*files, *sides]
    problems = [_two_files(split, paths) for split, paths in files.items() if not _is_one(paths)]
    missing = [
        split for split in need if split not in present and (split == "train" or "train" not in present)
    ]
    problems += [*side_problems(sides), *_missing(missing, folder)]
    unread = [*_unread(folder, present), *(lone_sides(every) if sides or missing else [])]
    (problems if missing else warnings).extend(unread)
    wanted = need if is_enough(present, need) else present
    tables: Tables = {}
    for split in wanted if not problems else []:
        if split in sides:
            tables[split] = [_open_sides(sides[split], encoding)]
        for path in files.get(split, []):
            try:
                own = AUTO if path.suffix.lower() in NOT_TEXT else encoding
                tables.setdefault(split, []).append(_open_plain(_file(path, own)))
            except DataError as error:
                problems += [f"{path.name}: {problem}" for problem in error.problems]
    if problems:
        raise DataError(str(folder), problems)
    return tables


def _open_sides(sides: Sides, encoding: str) -> Table:
    return open_sides({side: _file(paths[0], encoding) for side, paths in sides.items()})


def _open_plain(file: SourceFile) -> Table:
    tables = open_file(file)
    if "" not in tables:
        raise DataError(file.name, "holds splits itself; give this file alone, or one list of rows a file")
    return tables[""]


def _is_one(paths: Sequence[Path]) -> bool:
    return len(paths) == 1 or all(SHARD.match(path.stem) for path in paths)


def _two_files(split: str, paths: Sequence[Path]) -> str:
    return f"{', '.join(path.name for path in paths)}: each could be the {split} split; keep one"


def _unread(folder: Path, read: Collection[str]) -> list[str]:
    """Name the files that are called like a missing split, and are no tables."""
    named = {path: SPLIT_NAMES.get(path.name.partition(".")[0].lower()) for path in sorted(folder.iterdir())}
    other = [path for path, split in named.items() if split is not None and split not in read]
    files = [path for path in other if path.is_file()]
    return [f"{path.name} is not read: {kind}" for path in files if (kind := kind_of_file(path))]


def _missing(splits: Sequence[str], folder: Path) -> list[str]:
    """Say which splits a folder lacks, and how a file in it may be given that is none of them."""
    files = sorted(folder.iterdir())
    there_is = ", ".join(path.name for path in files[:20]) or "nothing"
    endings = ", ".join(ending.removeprefix(".") for ending in READERS)
    readable = [path for path in files if path.suffix.lower() in READERS and path.is_file()]
    fixes: list[str] = []
    if len(readable) == 1 and readable[0].stem.lower() not in SPLIT_NAMES:
        fixes = [f"to read {readable[0].name}, give it instead of its folder: {readable[0]}"]
    return [
        *(
            f"no {split} split; expected a file {split}.* ({endings}); the folder holds: {there_is}"
            for split in splits
        ),
        *(fixes if splits else []),
    ]


def looks_like_path(source: str | Path) -> bool:
    """Return whether a name that is not there was meant as a path, not as a name on the hub."""
    if isinstance(source, Path) or ADDRESS.match(source):
        return True
    repository, _, _ = source.partition(":")
    return Path(source).suffix.lower() in READERS or not NAME.match(repository) or source.startswith(".")


def refuse_missing(source: object) -> None:
    """Say that there is no such data, before anything is read: for plans.

    Raises:
        DataError: It is no file, no folder, and no data set of the hub.
    """
    if not isinstance(source, str | Path) or str(source) == STDIN or is_bundled(source):
        return
    path = Path(source).expanduser()
    if path.exists():
        return
    is_path = looks_like_path(source) or path.suffix.lower() in (*PLAIN_ENDINGS, ".gz")
    problem = missing(source) if is_path else None
    if problem := problem or hub_problem(str(source).partition(":")[0], "dataset"):
        raise DataError(str(source), problem)


def open_hub(name: str, warnings: list[str]) -> Tables:
    """Load a data set from the hub; ``name:configuration`` where it has several."""
    from datasets import load_dataset

    repository, _, configuration = name.partition(":")
    if problem := hub_problem(repository, "dataset"):
        raise DataError(name, problem)
    try:
        loaded = load_dataset(repository, configuration or None)
    except Exception as error:  # the hub library raises many kinds: network, missing, gated, malformed
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            name,
            f"the hub did not give this data set ({first_line[:300]}); download the data and give its path",
        ) from error
    splits = DatasetSplits((str(key), rows_of(rows)) for key, rows in loaded.items())
    return _as_lists(from_splits(splits, name, warnings))
