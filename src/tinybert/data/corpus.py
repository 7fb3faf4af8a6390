"""Raw text → clean documents on disk, none of them twice, some of them held out.

The text is read once, batch by batch. In memory stay a few numbers a document; all else lies in files, so
that 20 GB of text need little more memory than 20 MB do.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
import unicodedata
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import regex
from numpy.typing import NDArray
from tqdm.auto import tqdm

from tinybert.config import CorpusSection
from tinybert.data.arrow import temporary_folder, write_batches
from tinybert.data.documents import Found, Place, documents_in, find_places, inputs_of
from tinybert.data.duplicates import (
    Flags,
    exact_duplicates,
    near_duplicates,
    signatures_of,
    text_hash,
)
from tinybert.errors import DataError
from tinybert.words import Language, detect_language

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

MAX_HELD_OUT = 2000
BATCH = 1000
LANGUAGE_SAMPLE = 200
DAMAGED_SHARE = 0.01
CONTROL = regex.compile(r"[\p{Cc}\p{Cs}\p{Co}\u200b\ufeff\ufffe]")
REPLACEMENT = "\ufffd"
DONE = "corpus.json"
PLAIN_LINE_S = 30


@dataclass(frozen=True)
class Corpus:
    """Documents that are ready to be cut into blocks.

    Attributes:
        train: Column ``text``, one document a row; memory-mapped.
        validation: Held-out documents, likewise; none of them, nor a near duplicate, is in ``train``.
        language: As set, or as detected.
        source: As the user named it.
        counts: Documents read, left out for each reason, kept and held out.
        warnings: What is odd but does not stop.
    """

    train: Dataset
    validation: Dataset
    language: Language
    source: str
    counts: dict[str, int]
    warnings: list[str]


def load_corpus(
    source: object, *, settings: CorpusSection, text: str | None, work_dir: Path | None = None
) -> Corpus:
    """Read, clean and de-duplicate raw text.

    A document is cleaned: Unicode NFC, control characters out, runs of white space one space. Equal and
    nearly equal ones count once. A hundredth is held out by a hash of the text, or the ``validation.*`` file
    of a folder with ``train.*``; ``test.*`` is never read there.

    Args:
        source: File or folder of .txt, .jsonl, .csv, .tsv, .json, .parquet, each also .gz; ``-`` for standard
            input; a hub name, ``bundled:NAME``, or texts and rows as Python objects.
        settings: How it is read.
        text: Column of the text in tables; detected when not given.
        work_dir: Where it is kept and found again; else a temporary folder that disappears at exit.

    Raises:
        DataError: Anything is wrong with a file or a column; all problems are listed.
    """
    name = str(source) if isinstance(source, str | Path) else "rows"
    home = work_dir or Path(tempfile.mkdtemp(dir=temporary_folder()))
    home.mkdir(parents=True, exist_ok=True)
    found = Found()
    places = find_places(source, work_dir=home, found=found)
    key = hashlib.sha256(f"{name} {settings} {text} {inputs_of(places)}".encode()).hexdigest()
    done = home / DONE
    kept = _Kept(**json.loads(done.read_text(encoding="utf-8"))) if done.exists() else None
    if kept is None or kept.key != key or not isinstance(source, str | Path):
        kept = _make(places, name, settings, text, home, found, key=key)
        done.write_text(json.dumps(asdict(kept), ensure_ascii=False), encoding="utf-8")
    from datasets import Dataset

    train, validation = (Dataset.from_file(str(home / f"{part}.arrow")) for part in ("train", "validation"))
    return Corpus(train, validation, kept.language, name, kept.counts, kept.warnings)


@dataclass(frozen=True)
class _Kept:
    """What is remembered beside the documents on disk: what they were made from, and what was seen."""

    key: str
    language: Language
    counts: dict[str, int]
    warnings: list[str]


def clean(text: str) -> str:
    r"""Return a document as it is kept.

    Example:
        >>> clean("  Caf\u0065\u0301\x00 au\n lait ")
        'Café au lait'
    """
    folded = " ".join(text.split())
    if folded.isascii() and folded.isprintable():
        return folded
    return " ".join(CONTROL.sub("", unicodedata.normalize("NFC", folded)).split())


def _make(
    places: list[Place],
    name: str,
    settings: CorpusSection,
    column: str | None,
    home: Path,
    found: Found,
    *,
    key: str,
) -> _Kept:
    """Write ``train.arrow`` and ``validation.arrow``; return what is to be remembered of them."""
    from datasets import Dataset

    with tempfile.TemporaryDirectory(prefix="reading-", dir=home) as scratch:
        reading = _Reading(places, settings, column, Path(scratch), found)
        reading.run()
        if found.problems:
            raise DataError(name, found.problems)
        flags = reading.left_out()
        counts = reading.counts
        held_out = _held_out(reading.hashes(), reading.given(), ~flags, settings.held_out)
        counts |= {"kept": int((~flags).sum()), "held_out": int(held_out.sum())}
        if counts["kept"] - counts["held_out"] < 1:
            raise DataError(name, _too_few(counts, settings))
        rows = Dataset.from_file(str(reading.file))
        for part, chosen in (("validation", held_out), ("train", ~flags & ~held_out)):
            _write(rows, np.flatnonzero(chosen), home / f"{part}.arrow")
    if counts["damaged"]:
        found.warnings.append(
            f"{counts['damaged']:,} documents are full of {REPLACEMENT}, signs of a wrong encoding: left out"
        )
    return _Kept(key, reading.language, counts, found.warnings)


def _too_few(counts: dict[str, int], settings: CorpusSection) -> str:
    left_out = ", ".join(
        f"{counts[name]:,} {name.replace('_', ' ')}"
        for name in ("empty", "short", "damaged", "duplicates", "near_duplicates")
        if counts[name]
    )
    return (
        f"{counts['kept']:,} of {counts['read']:,} documents are left ({left_out or 'none left out'}); "
        "two different ones at least are needed, one to train on and one held out: bring more text, set "
        f"corpus.min_chars below {settings.min_chars}, or corpus.documents to what separates them"
    )


class _Reading:
    """One pass over the text: cleaned documents to disk, their hashes and signatures beside them."""

    def __init__(
        self, places: list[Place], settings: CorpusSection, column: str | None, scratch: Path, found: Found
    ) -> None:
        self.places = places
        self.settings = settings
        self.column = column
        self.scratch = scratch
        self.found = found
        self.file = scratch / "documents.arrow"
        self.signatures = scratch / "signatures.bin"
        self.language: Language = "other"
        names = ("read", "empty", "short", "damaged", "characters")
        self.counts: dict[str, int] = dict.fromkeys(names, 0)
        self.min_chars = settings.min_chars
        self._hashes = array("Q")
        self._given = array("b")

    def run(self) -> None:
        """Read everything."""
        import pyarrow as pa

        documents = self._documents()
        head = list(islice(documents, LANGUAGE_SAMPLE))
        wanted = self.settings.language
        self.language = detect_language(text for text, _ in head) if wanted == "auto" else wanted
        schema = pa.schema({"text": pa.large_string()})
        with self.signatures.open("wb") as signatures:
            write_batches(
                self.file,
                schema,
                (
                    self._kept(batch, signatures, schema)
                    for batch in _in_batches(_with_progress(chain(head, documents)))
                ),
            )

    def _documents(self) -> Iterator[tuple[str, bool]]:
        """Yield cleaned documents, and whether the user held them out."""
        for place in self.places:
            for raw in documents_in(
                place,
                layout=self.settings.documents,
                column=self.column,
                work_dir=self.scratch,
                is_alone=len(self.places) == 1,
                found=self.found,
            ):
                self.counts["read"] += 1
                document = clean(raw)
                if not document:
                    self.counts["empty"] += 1
                elif len(document) < self.min_chars:
                    self.counts["short"] += 1
                elif document.count(REPLACEMENT) > DAMAGED_SHARE * len(document):
                    self.counts["damaged"] += 1
                else:
                    self.counts["characters"] += len(document)
                    yield document, place.part == "validation"

    def _kept(self, batch: list[tuple[str, bool]], signatures: object, schema: pa.Schema) -> pa.RecordBatch:
        import pyarrow as pa

        texts = [text for text, _ in batch]
        self._hashes.extend(text_hash(text) for text in texts)
        self._given.extend(is_given for _, is_given in batch)
        if self.settings.near_duplicates is not None:
            signatures_of(texts, self.language).tofile(signatures)  # pyright: ignore[reportArgumentType]
        return pa.record_batch({"text": texts}, schema=schema)

    def hashes(self) -> NDArray[np.uint64]:
        """Return one number a document."""
        return np.frombuffer(self._hashes, dtype=np.uint64) if self._hashes else np.empty(0, np.uint64)

    def given(self) -> Flags:
        """Return which documents the user held out."""
        return (
            np.frombuffer(self._given, dtype=np.int8).astype(np.bool_)
            if self._given
            else np.empty(0, np.bool_)
        )

    def left_out(self) -> Flags:
        """Return which documents equal, or nearly equal, an earlier one."""
        flags = exact_duplicates(self.hashes())
        self.counts["duplicates"] = int(flags.sum())
        self.counts["near_duplicates"] = 0
        threshold = self.settings.near_duplicates
        if threshold is not None:
            near = near_duplicates(self.signatures, threshold=threshold, skip=flags)
            self.counts["near_duplicates"] = int(near.sum())
            flags = flags | near
        return flags


def _in_batches(documents: Iterator[tuple[str, bool]]) -> Iterator[list[tuple[str, bool]]]:
    while batch := list(islice(documents, BATCH)):
        yield batch


def _with_progress(documents: Iterator[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
    """Show documents and megabytes as they pass."""
    on_terminal = sys.stderr.isatty()
    start = said = time.perf_counter()
    num_chars = 0
    with tqdm(desc="reading text", unit="doc", disable=not on_terminal, leave=False) as bar:
        for number, document in enumerate(documents, start=1):
            num_chars += len(document[0])
            bar.update()
            now = time.perf_counter() if number % BATCH == 0 else said
            if not on_terminal and now - said > PLAIN_LINE_S:
                said = now
                speed = number / (now - start)
                print(
                    f"reading text: {number:,} documents, {num_chars / 1e6:,.0f} million characters, "
                    f"{speed:,.0f} documents/s",
                    file=sys.stderr,
                    flush=True,
                )
            yield document


def _held_out(hashes: NDArray[np.uint64], given: Flags, kept: Flags, share: float) -> Flags:
    """Return which documents are only evaluated on: those the user held out, else a share by their hash."""
    rows = np.flatnonzero(kept & given)
    if not len(rows):
        rows = np.flatnonzero(kept)
        rows = rows[np.argsort(hashes[rows], kind="stable")][: max(1, round(share * len(rows)))]
    chosen = np.zeros(len(hashes), dtype=np.bool_)
    chosen[rows[:MAX_HELD_OUT]] = True
    return chosen


def _write(rows: Dataset, chosen: NDArray[np.int64], file: Path) -> None:
    import pyarrow as pa

    schema = pa.schema({"text": pa.large_string()})
    table = cast("pa.Table", rows.data.table)
    write_batches(
        file,
        schema,
        (
            batch
            for start in range(0, len(chosen), BATCH)
            for batch in table.take(pa.array(chosen[start : start + BATCH])).to_batches()
        ),
    )
