"""One pass over raw text: clean documents go to disk, and beside them what finds those that occur twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tinybert.config import CorpusSection
from tinybert.console import Advance, progress
from tinybert.corpus.batches import batches_of
from tinybert.corpus.cleaning import clean, is_damaged
from tinybert.corpus.documents import documents_in
from tinybert.corpus.duplicates import (
    Flags,
    Hashes,
    Signatures,
    Unit,
    exact_duplicates,
    signatures_of,
    text_hashes,
)
from tinybert.corpus.places import Found, Place
from tinybert.corpus.plain_text import MAX_DOCUMENT_CHARS, too_long
from tinybert.language import Language, detect_language
from tinybert.sources.arrow import write_batches

if TYPE_CHECKING:
    import pyarrow as pa

LANGUAGE_SAMPLE, LINE_S = 200, 30
CHARS_A_SPACE = 20
"""Where fewer characters than one in this many are spaces, words are not parted by them."""


@dataclass(frozen=True)
class Collected:
    """Clean documents on disk, those that the user held out first.

    Attributes:
        file: Arrow, column ``text``.
        language: As set, or as detected.
        hashes: One number a document, equal for texts that differ in case and spaces only.
        digest: Of all documents, as written in the file.
        num_given: Documents that the user held out.
        counts: Documents read, and those skipped for each reason.
        signatures: For near duplicates; None where these may stay.
    """

    file: Path
    language: Language
    hashes: Hashes
    digest: str
    num_given: int
    counts: dict[str, int]
    signatures: Signatures | None

    def skipped(self) -> Flags:
        """Return which documents equal, or nearly equal, an earlier one; count them."""
        flags = exact_duplicates(self.hashes)
        self.counts["duplicates"] = int(flags.sum())
        near = np.zeros_like(flags) if self.signatures is None else self.signatures.near_duplicates(flags)
        self.counts["near_duplicates"] = int(near.sum())
        return flags | near

    def batches(self, chosen: Flags) -> Iterator[pa.RecordBatch]:
        """Yield the chosen documents, in order; read, not mapped, so that they do not stay in memory."""
        import pyarrow as pa

        start = 0
        with pa.OSFile(str(self.file)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                part = chosen[start : start + batch.num_rows]
                start += batch.num_rows
                if part.any():
                    yield batch.filter(pa.array(part))


def schema() -> pa.Schema:
    """Return what a file of documents looks like; a batch may hold more than 2 GB."""
    import pyarrow as pa

    return pa.schema({"text": pa.large_string()})


def collect(
    places: Sequence[Place], *, settings: CorpusSection, column: str | None, scratch: Path, found: Found
) -> Collected:
    """Read everything once; what is wrong goes into ``found``, and then the result is not whole.

    Args:
        places: Held-out ones first.
        settings: How documents are read and which are skipped.
        column: Of the text in tables; detected when not given.
        scratch: Where the files go.
        found: Notes.
    """
    counts: dict[str, int] = dict.fromkeys(("read", "empty", "short", "damaged"), 0)
    source = _Documents(places, settings, column, scratch, found, counts)
    hash_file, content = scratch / "hashes.u64", hashlib.blake2b()
    threshold = settings.near_duplicates
    signatures = None if threshold is None else Signatures(scratch / "signatures", threshold)
    documents = source.documents()
    head = list(islice(documents, LANGUAGE_SAMPLE))
    wanted = settings.language
    language = detect_language(head) if wanted == "auto" else wanted
    unit = unit_of(language, head)
    with (
        hash_file.open("wb") as hashes,
        nullcontext() if signatures is None else signatures.writing() as sign,
        progress("reading text", None, unit="documents", every_s=LINE_S) as advance,
    ):
        batches = (
            _noted(texts, hashes, sign, unit, partial(source.show, advance))
            for texts in _digested(batches_of(chain(head, documents)), content)
        )
        write_batches(scratch / "documents.arrow", schema(), batches)
    return Collected(
        scratch / "documents.arrow",
        language,
        np.fromfile(hash_file, dtype=np.uint64),
        content.hexdigest(),
        source.num_given,
        counts,
        signatures,
    )


def unit_of(language: Language, sample: Sequence[str]) -> Unit:
    """Return what the runs of near duplicates are made of: Chinese, Japanese or Thai words have no spaces."""
    num_spaces = sum(text.count(" ") for text in sample)
    is_spaced = num_spaces * CHARS_A_SPACE > sum(map(len, sample))
    return "words" if is_spaced and language != "zh" else "characters"


@dataclass
class _Documents:
    places: Sequence[Place]
    settings: CorpusSection
    column: str | None
    scratch: Path
    found: Found
    counts: dict[str, int]
    num_given: int = 0
    num_bytes: int = 0
    where: str = ""

    def documents(self) -> Iterator[str]:
        """Yield clean documents; count the others."""
        for number, place in enumerate(self.places, start=1):
            self.where = f"file {number:,} of {len(self.places):,}"
            layout = self.settings.documents
            raw = documents_in(
                place, layout=layout, column=self.column, scratch=self.scratch, found=self.found
            )
            for text in raw:
                if len(text) > MAX_DOCUMENT_CHARS:
                    self.found.problems.append(f"{place.name}: {too_long(len(text) - 1, layout)}")
                    break
                self.counts["read"] += 1
                document = clean(text)
                if why := self._why_skipped(text, document):
                    self.counts[why] += 1
                else:
                    self.num_given += place.part == "validation"
                    yield document

    def show(self, advance: Advance, count: int, num_bytes: int) -> None:
        """Show that some more documents are read."""
        self.num_bytes += num_bytes
        advance(count, f"{self.num_bytes / 1e6:,.0f} MB, {self.where}")

    def _why_skipped(self, text: str, document: str) -> str:
        if not document:
            return "empty"
        if len(document) < self.settings.min_chars:
            return "short"
        return "damaged" if is_damaged(text) else ""


def _noted(
    texts: list[str],
    hashes: BinaryIO,
    sign: Callable[[NDArray[np.uint32]], None] | None,
    unit: Unit,
    tick: Callable[[int, int], None],
) -> pa.RecordBatch:
    import pyarrow as pa

    hashes.write(text_hashes(texts).tobytes())
    if sign is not None:
        sign(signatures_of(texts, unit))
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())}, schema=schema())
    tick(len(texts), batch.nbytes)
    return batch


def _digested(batches: Iterator[list[str]], content: hashlib.blake2b) -> Iterator[list[str]]:
    for texts in batches:
        content.update("".join(f"{text}\0" for text in texts).encode())  # clean text has no NUL
        yield texts
