from __future__ import annotations

import numpy as np
import pytest
from tests.augmenting import VECTORS, make_vectors

from tinybert.augmentation import WordVectors, load_vectors
from tinybert.augmentation import vectors as module
from tinybert.errors import DataError


def write(path, text: str):
    path.write_text(text, encoding="utf-8")
    return path


def test_the_nearest_come_first_without_pieces_marks_and_the_word_itself():
    found = make_vectors().neighbours(["good", "ran", "unheard"], 2)
    assert found == [["fine", "nice"], ["walked", "movie"], []]


def test_near_is_a_small_angle_not_a_large_product():
    vectors = WordVectors(["near", "long"], np.array([[1.0, 0.1], [50.0, 50.0]], dtype=np.float32))
    assert vectors.neighbours(["near"], 5) == [["long"]]
    three = WordVectors(["aa", "near", "long"], np.array([[1, 0], [0.1, 0.01], [50, 50]], dtype=np.float32))
    assert three.neighbours(["aa"], 1) == [["near"]]


def test_agrees_with_a_search_one_by_one():
    rng = np.random.default_rng(0)
    words = [f"{a}{b}{c}" for a in "abcdefghij" for b in "klmnopqrst" for c in "uvwxyz"]
    matrix = rng.normal(size=(len(words), 8)).astype(np.float32)
    found = WordVectors(words, matrix).neighbours(words[:300], 7)
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    for index, word in enumerate(words[:300]):
        order = [words[i] for i in np.argsort(-unit @ unit[index]) if words[i] != word]
        assert found[index] == order[:7]


def test_an_unknown_word_is_looked_up_in_small_letters_then_composed():
    def compose(words):
        return [np.array([0, 1, 0], dtype=np.float32) if word == "filmish" else None for word in words]

    vectors = WordVectors(list(VECTORS), np.array(list(VECTORS.values()), dtype=np.float32), compose=compose)
    assert vectors.neighbours(["FILM", "filmish", "zzz"], 1) == [["movie"], ["film"], []]


def test_more_neighbours_than_words():
    assert len(make_vectors().neighbours(["film"], 50)[0]) == 7


GLOVE = "film 0.0 1.0\nmovie 0.1 0.9\nwalked 1 0\n"


@pytest.mark.parametrize(
    "text",
    [
        GLOVE,
        f"3 2\n{GLOVE}",
        GLOVE.replace("\n", " \n"),
        GLOVE.replace(" ", "\t"),
        GLOVE + "\n",
        GLOVE + ". . . 1e-3 2\n",
    ],
    ids=["glove", "word2vec", "space at the end", "tabs", "empty line", "spaces in a word"],
)
def test_both_formats_are_read(tmp_path, text):
    vectors = load_vectors(write(tmp_path / "vectors.txt", text))
    assert vectors.words[:3] == ["film", "movie", "walked"]
    assert vectors.matrix.dtype == np.float32
    assert vectors.neighbours(["film"], 1) == [["movie"]]
    assert vectors.words[3:] in ([], [". . ."])


def test_the_first_of_equal_words_counts(tmp_path):
    vectors = load_vectors(write(tmp_path / "v.txt", "aa 1 0\nbb 0 1\naa 0 1\n"))
    assert vectors.words == ["aa", "bb"]
    assert vectors.matrix.tolist() == [[1, 0], [0, 1]]


def test_all_wrong_lines_are_named(tmp_path):
    path = write(tmp_path / "v.txt", "aa 1 0\nbb 1\ncc 1 x\ndd nan 1\n")
    with pytest.raises(DataError) as caught:
        load_vectors(path)
    assert caught.value.subject == str(path)
    lines = caught.value.problems
    assert [line.split(":")[0] for line in lines] == ["line 2", "line 3", "line 4"]
    assert "others have 2" in lines[0] and "'cc'" in lines[1] and "not finite" in lines[2]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1"),
        ("word\n", "line 1"),
        ("5 2\naa 1 0\n", "gives 5 words, there are 1"),
        ("1 2\n", "line 1 gives"),
    ],
)
def test_an_empty_or_cut_file_is_refused(tmp_path, text, why):
    with pytest.raises(DataError, match=why):
        load_vectors(write(tmp_path / "v.txt", text))


def test_a_missing_and_a_binary_file_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"augment\.word_vectors=FILE"):
        load_vectors(tmp_path / "nowhere.txt")
    (tmp_path / "binary").write_bytes(b"3 2\nfilm \xff\xfe\xfa\n")
    with pytest.raises(DataError, match="not UTF-8"):
        load_vectors(tmp_path / "binary")


@pytest.mark.parametrize("header", ["", "4 2\n"])
def test_of_a_large_file_only_the_first_words_and_the_needed_are_kept(tmp_path, monkeypatch, header):
    monkeypatch.setattr(module, "MOST_FREQUENT", 2)
    path = write(tmp_path / "v.txt", header + "aa 1 0\nbb 0 1\ncc 1 1\ndd 1 2\n")
    assert load_vectors(path, needed=["DD"]).words == ["aa", "bb", "dd"]


@pytest.mark.parametrize("num_words", [3, 64, 70, 640, 1000])
def test_the_best_columns_are_those_of_a_full_sort(num_words):
    rng = np.random.default_rng(num_words)
    scores = np.stack([rng.permutation(num_words) for _ in range(9)]).astype(np.float32)
    found = module._best_columns(scores, 3)
    assert (found == np.argsort(-scores, axis=1)[:, :3]).all()


def test_of_equal_words_the_first_counts(tmp_path):
    vectors = load_vectors(write(tmp_path / "v.txt", "film 1 0\nmovie 1 0.1\nwalked 0 1\nfilm 0 1\n"))
    assert vectors.neighbours(["film"], 1) == [["movie"]]


def test_spaces_of_other_kinds_part_no_words(tmp_path):
    lines = "film 1 0\n\u00a0 0.5 0.5\nNew\u00a0York 1 0.1\nwalked 0 1\nmovie\t0.9\t0\n"
    vectors = load_vectors(write(tmp_path / "v.txt", lines))
    assert vectors.words == ["film", "New\u00a0York", "walked", "movie"]
