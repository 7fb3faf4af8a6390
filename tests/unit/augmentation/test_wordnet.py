from __future__ import annotations

import pytest
from tests.augmenting import write_wordnet

from tinybert.augmentation import WordNet
from tinybert.errors import DataError


@pytest.fixture(scope="module")
def wordnet(tmp_path_factory):
    return WordNet(write_wordnet(tmp_path_factory.mktemp("wordnet")))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("film", ["movie"]),  # not motion_picture: two words
        ("FILM", ["movie"]),
        ("bank", ["depository", "shore"]),
        ("funny", ["comical"]),
        ("films", []),
        ("movies", []),
        ("unheard", []),
    ],
)
def test_synonyms(wordnet, word, expected):
    assert wordnet.synonyms(word) == expected


def test_missing_files_are_named(tmp_path):
    folder = write_wordnet(tmp_path)
    (folder / "data.verb").unlink()
    with pytest.raises(DataError, match=r"no file data\.verb; install"):
        WordNet(folder)


@pytest.mark.parametrize(
    ("name", "line"),
    [("index.noun", "film n\n"), ("data.adj", "00000000 00 a 03 good 0\n"), ("data.verb", "a b c xyz e f\n")],
)
def test_broken_files_are_refused(tmp_path, name, line):
    folder = write_wordnet(tmp_path)
    (folder / name).write_text(line, encoding="utf-8")
    with pytest.raises(DataError, match=name) as caught:
        WordNet(folder).synonyms("film")
    assert "wordnet-base" in str(caught.value)
