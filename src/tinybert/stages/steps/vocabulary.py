"""What training a tokenizer and trimming a vocabulary share: the text, the folder that is made whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from tinybert.config import CorpusSection
from tinybert.console import progress, say, warn
from tinybert.corpus.batches import stored_texts
from tinybert.corpus.corpus import Corpus, load_corpus
from tinybert.corpus.places import is_pipe
from tinybert.corpus.wordpiece import Coverage, measure_coverage
from tinybert.runs import digest_input, refuse_inside
from tinybert.storage import Json, Output, keep_nothing

NUM_EXAMPLES, EXAMPLE_CHARS = 3, 100


def made_from(settings: Mapping[str, object], corpus: CorpusSection, **inputs: object) -> Json:
    """Return what a folder is made from, as its report keeps it: settings, and digests of what is read."""
    digests = {name: digest_input(path, is_text=name == "text") for name, path in inputs.items()}
    return {"settings": {**settings, "corpus": corpus.model_dump()}, "inputs": digests}


def folder_output(out: Path, report: str, origin: Json, *, source: object) -> Output:
    """Return the folder that is made from a text; what a kill left is made again, but for the text it read.

    Raises:
        RunError: It lies among the text.
    """
    refuse_inside(out, source)
    return Output(out, origin, report=report, keep=keep_nothing, is_comparable=not is_pipe(source))


def read_text(source: object, *, settings: CorpusSection, column: str | None, work: Path) -> Corpus:
    """Read raw text and say what it is.

    Raises:
        DataError: See :func:`tinybert.corpus.corpus.load_corpus`.
    """
    corpus = load_corpus(source, settings=settings, text=column, work_dir=work)
    for warning in corpus.warnings:
        warn(warning)
    say(f"{len(corpus.train):,} documents, {len(corpus.validation):,} held out")
    return corpus


def texts_of(documents: Dataset, name: str = "") -> Iterator[str]:
    """Yield the texts; with a name, say how far it is."""
    if not name:
        yield from stored_texts(documents)
        return
    with progress(name, len(documents), unit="documents") as advance:
        for text in stored_texts(documents):
            yield text
            advance(1)


def coverage_of(tokenizer: PreTrainedTokenizerBase, documents: Dataset) -> Json:
    """Return how a tokenizer reads documents, as plain metadata."""
    coverage: Coverage = measure_coverage(tokenizer, texts_of(documents))
    return {name: round(value, 6) for name, value in asdict(coverage).items()}


def examples_of(tokenizer: PreTrainedTokenizerBase, documents: Dataset) -> list[Json]:
    """Return the beginnings of some documents, and their pieces."""
    beginnings = [_beginning(text) for text in islice(stored_texts(documents), NUM_EXAMPLES)]
    return [{"text": text, "pieces": " ".join(tokenizer.tokenize(text))} for text in beginnings]


def _beginning(text: str) -> str:
    """Cut a long text, between words where it has spaces, and write it on one line."""
    line = " ".join(text.split())
    cut = line[:EXAMPLE_CHARS]
    return line if cut == line else cut.rpartition(" ")[0] or cut
