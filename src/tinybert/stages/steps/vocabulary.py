"""What training a tokenizer and trimming a vocabulary share: the text, the folder that is made whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import cast

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from tinybert.config import CorpusSection, build_recipe
from tinybert.console import counting, say
from tinybert.corpus.batches import stored_texts
from tinybert.corpus.corpus import Corpus, load_corpus
from tinybert.corpus.documents import is_pipe
from tinybert.corpus.wordpiece import SPECIALS, Coverage, measure_coverage
from tinybert.errors import RecipeError, RunError
from tinybert.runs import Json, digest_input, lock, partial_path, refuse_inside

MADE_FROM = ("settings", "inputs")
OF_BLOCKS = "corpus.cross_documents"
WORK = "work"
MAX_PIECES = 10_000_000
NUM_EXAMPLES, EXAMPLE_CHARS = 3, 100
NO_DEFAULTS: Mapping[str, object] = {}


def corpus_settings(overrides: Sequence[str], defaults: Mapping[str, object] = NO_DEFAULTS) -> CorpusSection:
    """Read ``corpus.key=value``; no other setting of a recipe is read here.

    Raises:
        RecipeError: Another setting is given, or a value is wrong.
    """
    unread = [item for item in overrides if not item.startswith("corpus.") or item.startswith(OF_BLOCKS)]
    if unread:
        said = f"not read here; only corpus.key=value is, and of these not {OF_BLOCKS}"
        raise RecipeError("command line", [f"{item}: {said}" for item in unread])
    return build_recipe({"corpus": dict(defaults)}, overrides, subject="command line").corpus


def refuse_sizes(*, vocab_size: int | None, at_least: int, name: str) -> None:
    """Refuse numbers that no text can meet, before any is read.

    Args:
        vocab_size: Pieces; None where the text decides.
        at_least: How often a piece must occur.
        name: Of the option that says so.

    Raises:
        RecipeError: With what is allowed.
    """
    problems: list[str] = []
    if vocab_size is not None and not len(SPECIALS) < vocab_size <= MAX_PIECES:
        problems.append(
            f"--vocab-size = {vocab_size:,}: {len(SPECIALS) + 1} to {MAX_PIECES:,}; BERT has 30,522"
        )
    if at_least < 1:
        problems.append(f"{name} = {at_least}: 1 or more")
    if problems:
        raise RecipeError("command line", problems)


def made_from(settings: Mapping[str, object], corpus: CorpusSection, **inputs: str) -> Json:
    """Return what a folder is made from, as its report keeps it: settings, and digests of what is read."""
    digests = {name: digest_input(path, is_text=name == "text") for name, path in inputs.items()}
    return {"settings": {**settings, "corpus": corpus.model_dump()}, "inputs": digests}


def finished_folder(out: Path, report: str, origin: Json, *, source: str) -> Json | None:
    """Return the report of a folder that was made from just this, or None where there is nothing yet.

    Raises:
        RunError: Something else is in the way; a pipe is never known to bring the same.
    """
    if not out.name:
        raise RunError(str(out), "not a new folder; give --out a name, for example --out runs/first")
    refuse_inside(out, source)
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    found = _read_report(out / report)
    other = [name for name in MADE_FROM if found and found.get(name) != json.loads(json.dumps(origin[name]))]
    if found and not other and not is_pipe(source):
        say(f"{out} is finished already, with these settings and from these inputs: nothing to do")
        return found
    made = f", made with {' and '.join(f'other {name}' for name in other)}" if other else ""
    raise RunError(str(out), f"already exists{made}; choose another --out, or delete it first")


def _read_report(path: Path) -> Json:
    try:
        return cast(Json, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


@contextmanager
def whole_folder(out: Path) -> Generator[Path]:
    """Give a folder to write to that gets its name when all is written; what a kill left is begun anew.

    Its folder ``work`` is for what the result does not need.

    Raises:
        RunError: Another process writes there, or nobody can.
    """
    partial = partial_path(out)
    try:
        (partial / WORK).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(str(out), f"cannot write here: {error.strerror or error}") from error
    held = lock(partial / WORK, subject=str(out))
    try:
        for left in partial.iterdir():
            if left.is_file():
                left.unlink()
        yield partial
        shutil.rmtree(partial / WORK)
        if out.exists():
            out.rmdir()
        partial.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if held is not None:
            held.close()


def read_text(source: str, *, settings: CorpusSection, column: str | None, work: Path) -> Corpus:
    """Read raw text and say what it is.

    Raises:
        DataError: See :func:`tinybert.corpus.corpus.load_corpus`.
    """
    corpus = load_corpus(source, settings=settings, text=column, work_dir=work / WORK)
    for warning in corpus.warnings:
        say(f"warning: {warning}")
    say(f"{len(corpus.train):,} documents, {len(corpus.validation):,} held out")
    return corpus


def texts_of(documents: Dataset, name: str = "") -> Iterator[str]:
    """Yield the texts; with a name, say how far it is."""
    if not name:
        yield from stored_texts(documents)
        return
    with counting(name, len(documents), unit="documents") as advance:
        for text in stored_texts(documents):
            yield text
            advance(1)


def coverage_of(tokenizer: PreTrainedTokenizerBase, documents: Dataset) -> Json:
    """Return how a tokenizer reads documents, as plain facts."""
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
