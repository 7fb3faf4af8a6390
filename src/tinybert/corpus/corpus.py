"""Raw text → clean documents on disk, none of them twice, some of them held out.

The text is read once, batch by batch. In memory stay a few numbers a document, whatever its length; all else
lies in files: the text once more, and while near duplicates are looked for some hundred bytes a document.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinybert.checksums import describe_damage, find_damage, names_below, write_checksums
from tinybert.config import CorpusSection
from tinybert.console import warn
from tinybert.corpus.cleaning import REPLACEMENT
from tinybert.corpus.collect import Collected, collect, schema
from tinybert.corpus.documents import look_further, usable
from tinybert.corpus.duplicates import Flags, Hashes
from tinybert.corpus.places import Found, find_places
from tinybert.errors import DataError
from tinybert.language import Language
from tinybert.sources.arrow import temporary_folder, write_batches
from tinybert.storage import remove

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

FORMAT = 1
"""Counts up when the same text would give other documents than before."""
MAX_HELD_OUT = 2000
NOTES = "corpus.json"
SCRATCH = ".reading-"


@dataclass(frozen=True)
class Corpus:
    """Documents that are ready to be cut into blocks.

    Attributes:
        train: Column ``text``, one document a row; memory-mapped.
        validation: Held-out documents, likewise; none of them is in ``train``, nor a near duplicate where
            these are looked for.
        language: As set, or as detected.
        source: As the user named it.
        key: Which text it is, and how it was read.
        counts: Documents ``read``; skipped as ``empty``, ``short``, ``damaged``, ``duplicates`` or
            ``near_duplicates``; ``kept``, and of these ``held_out``. ``characters`` of those kept.
        warnings: What is odd but does not stop.
    """

    train: Dataset
    validation: Dataset
    language: Language
    source: str
    key: str
    counts: dict[str, int]
    warnings: list[str]


def load_corpus(
    source: object, *, settings: CorpusSection, text: str | None, work_dir: Path | None = None
) -> Corpus:
    """Read, clean and de-duplicate raw text.

    A document is cleaned: Unicode NFC, control characters out, runs of white space one space. Of equal and
    nearly equal ones the first is kept. Held out is a share, by a hash of the text, or the ``validation.*``
    file of a folder; ``test.*`` is never read there. Of a folder with ``train.*`` or ``unlabelled.*``, only
    these and ``validation.*`` are read; else all that is text in it and in its folders.

    Args:
        source: File or folder of plain text, .jsonl, .json, .csv, .tsv, .parquet, each also .gz; ``-`` for
            standard input; a hub name, ``bundled:NAME``, a list of texts, a list of rows, or a mapping of
            split to rows.
        settings: How it is read.
        text: Column of the text in tables; detected when not given.
        work_dir: Where it is kept and, while the files are the same, found again; else a temporary folder
            that disappears at exit.

    Raises:
        DataError: Anything is wrong with a file, a row or a column; all problems are listed.
    """
    name = str(source) if isinstance(source, str | Path) else "rows"
    home = Path(tempfile.mkdtemp(dir=temporary_folder())) if work_dir is None else work_dir
    try:
        home.mkdir(parents=True, exist_ok=True)
        _remove_left_overs(home)
        with tempfile.TemporaryDirectory(prefix=_scratch_name(os.getpid()), dir=home) as scratch:
            folder = _found_or_made(source, name, settings, text, home, Path(scratch))
    except OSError as error:
        raise DataError(name, f"cannot be read, or not be written to {home}: {error}") from error
    return _opened(folder, name)


def _found_or_made(
    source: object, name: str, settings: CorpusSection, column: str | None, home: Path, scratch: Path
) -> Path:
    """Return the folder of a whole corpus: an earlier one of the same text, or a new one."""
    found = Found()
    places = find_places(source, home=home, found=found)
    marks = [(place.name, place.part, place.mark) for place in places]
    key = _key(settings, column, marks) if all(place.mark for place in places) else ""
    if key and not found.problems and _is_whole(home / key):
        return home / key
    places = usable(places, column, found)
    if found.problems:
        look_further(places, settings.documents, column, scratch, found)
    _stop_if_any(name, found)
    collected = collect(places, settings=settings, column=column, scratch=scratch, found=found)
    _stop_if_any(name, found)
    made = scratch / "made"
    _write(made, collected, name, settings, found)
    return _put(made, home / (key or _key(settings, column, collected.digest)))


def _is_whole(folder: Path) -> bool:
    """Return whether an earlier corpus is there as it was written; a damaged one is reported and removed."""
    if damage := find_damage(folder):
        warn(f"{folder}: damaged ({describe_damage(damage)}); the text is read again")
        remove(folder)
    return (folder / NOTES).is_file()


def _stop_if_any(name: str, found: Found) -> None:
    if found.problems:
        raise DataError(name, sorted(found.problems, key=lambda problem: re.split("[:,]", problem)[0]))


def _key(settings: CorpusSection, column: str | None, content: object) -> str:
    """Return the name of a folder: what was read, and how."""
    how = settings.model_dump(exclude={"cross_documents"})
    digest = hashlib.sha256(json.dumps([FORMAT, how, column, content]).encode())
    return f"corpus-{digest.hexdigest()[:16]}"


def _write(folder: Path, collected: Collected, name: str, settings: CorpusSection, found: Found) -> None:
    """Write what is kept, and the notes."""
    import pyarrow.compute as pc

    kept = ~collected.skipped()
    held_out = _held_out(collected, kept, settings.held_out)
    counts = collected.counts | {"kept": int(kept.sum()), "held_out": int(held_out.sum()), "characters": 0}
    if not held_out.any() or counts["kept"] == counts["held_out"]:
        raise DataError(name, _too_few(counts, collected.num_given, settings))

    def counted(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            counts["characters"] += int(np.sum(pc.call_function("utf8_length", [batch.column(0)]).to_numpy()))
            yield batch

    for part, chosen in (("validation", held_out), ("train", kept & ~held_out)):
        write_batches(folder / f"{part}.arrow", schema(), counted(collected.batches(chosen)))
    warnings = found.warnings + _remarks(counts)
    notes = _Notes(collected.language, counts, warnings)
    (folder / NOTES).write_text(json.dumps(asdict(notes), ensure_ascii=False), encoding="utf-8")
    write_checksums(folder, names_below(folder))


@dataclass(frozen=True)
class _Notes:
    """What is remembered beside the documents."""

    language: Language
    counts: dict[str, int]
    warnings: list[str]


def _held_out(collected: Collected, kept: Flags, share: float) -> Flags:
    """Return which documents are only evaluated on: those the user held out, else a share by their hash."""
    chosen = np.zeros(len(kept), dtype=np.bool_)
    if collected.num_given:
        chosen[: collected.num_given] = kept[: collected.num_given]
        return chosen
    rows = np.flatnonzero(kept)
    hashes: Hashes = collected.hashes[rows]
    count = min(max(1, round(share * len(rows))), MAX_HELD_OUT, max(0, len(rows) - 1))
    chosen[rows[np.argsort(hashes)[:count]]] = True
    return chosen


def _too_few(counts: dict[str, int], num_given: int, settings: CorpusSection) -> str:
    reasons = ("empty", "short", "damaged", "duplicates", "near_duplicates")
    skipped = ", ".join(f"{counts[each]:,} {each.replace('_', ' ')}" for each in reasons if counts[each])
    needed = "one at least in train and one in validation" if num_given else "two different ones at least"
    return (
        f"{counts['kept']:,} of {counts['read']:,} documents are left ({skipped or 'none skipped'}); "
        f"{needed} are needed, to train on and to measure on: bring more text, set corpus.min_chars below "
        f"{settings.min_chars}, or corpus.documents to what ends a document"
    )


def _remarks(counts: dict[str, int]) -> list[str]:
    remarks: list[str] = []
    if counts["damaged"]:
        remarks.append(
            f"{counts['damaged']:,} documents are skipped: signs of a wrong encoding, such as {REPLACEMENT} "
            "or â€™; convert them from their source again"
        )
    if counts["short"] > counts["kept"]:
        remarks.append(
            f"{counts['short']:,} documents are shorter than corpus.min_chars and skipped, more than the "
            f"{counts['kept']:,} that are kept; is corpus.documents what ends a document?"
        )
    return remarks


def _put(made: Path, target: Path) -> Path:
    """Rename into place; when another process was first, its folder is as good as ours."""
    try:
        made.rename(target)
    except OSError:
        if not (target / NOTES).is_file():
            raise
    return target


def _opened(folder: Path, name: str) -> Corpus:
    from datasets import Dataset

    notes = _Notes(**json.loads((folder / NOTES).read_text(encoding="utf-8")))
    train, validation = (Dataset.from_file(str(folder / f"{part}.arrow")) for part in ("train", "validation"))
    return Corpus(train, validation, notes.language, name, folder.name, notes.counts, notes.warnings)


def _scratch_name(pid: int) -> str:
    """Return how a process's scratch folder begins; another machine's may lie in the same place."""
    return f"{SCRATCH}{socket.gethostname()}-{pid}-"


def _remove_left_overs(home: Path) -> None:
    """Clear away what killed processes of this machine left: it may be as large as the text."""
    import psutil

    here = f"{SCRATCH}{socket.gethostname()}-"
    for folder in home.glob(f"{here}*"):
        pid = folder.name.removeprefix(here).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
