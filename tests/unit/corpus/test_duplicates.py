"""Near duplicates: found as a comparison of every pair would find them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybert.corpus import duplicates
from tinybert.corpus.collect import unit_of
from tinybert.corpus.duplicates import (
    NUM_HASHES,
    Signatures,
    Unit,
    exact_duplicates,
    signatures_of,
    text_hashes,
)


def texts_with_copies(seed: int) -> list[str]:
    """Texts of which some are others with a few words changed."""
    rng = np.random.default_rng(seed)
    originals = [[f"w{word}" for word in rng.integers(0, 5000, size=120)] for _ in range(60)]
    copies = []
    for number in range(40):
        words = list(originals[number])
        for place in rng.integers(0, 120, size=int(rng.integers(0, 8))):
            words[place] = "changed"
        copies.append(words)
    return [" ".join(words) for words in [*originals, *copies]]


def found(
    folder: Path, texts: Sequence[str], threshold: float, skip: Sequence[int] = (), unit: Unit = "words"
) -> list[int]:
    signatures = Signatures(folder, threshold)
    with signatures.writing() as add:
        for start in range(0, len(texts), 7):
            add(signatures_of(texts[start : start + 7], unit))
    gone = np.zeros(len(texts), dtype=np.bool_)
    gone[list(skip)] = True
    return np.flatnonzero(signatures.near_duplicates(gone)).tolist()


def jaccard(one: str, other: str) -> float:
    sets = [{tuple(text.split()[i : i + 5]) for i in range(len(text.split()) - 4)} for text in (one, other)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9])
def test_the_bands_find_what_all_pairs_would_find(tmp_path: Path, threshold: float) -> None:
    texts = texts_with_copies(1)
    numbers = signatures_of(texts, "words").astype(np.uint16)
    wanted: list[int] = []
    for later in range(len(texts)):
        earlier = [row for row in range(later) if row not in wanted]
        if any((numbers[row] == numbers[later]).mean() >= threshold for row in earlier):
            wanted.append(later)
    flags = found(tmp_path, texts, threshold)
    assert set(flags) <= set(wanted)
    assert len(flags) >= 0.97 * len(wanted)
    assert 5 < len(wanted) <= 40


def test_signatures_agree_as_much_as_runs_are_shared() -> None:
    texts = texts_with_copies(3)
    numbers = signatures_of(texts, "words")
    errors = [
        float((numbers[row] == numbers[60 + row]).mean()) - jaccard(texts[row], texts[60 + row])
        for row in range(40)
    ]
    assert abs(np.mean(errors)) < 0.02
    assert np.abs(errors).max() < 0.2


def test_half_of_the_words() -> None:
    words = [f"w{number}" for number in range(500)]
    one, half = " ".join(words), " ".join([*words[:250], *(f"v{number}" for number in range(250))])
    shared = (signatures_of([one], "words") == signatures_of([half], "words")).mean()
    assert shared == pytest.approx(246 / (2 * 496 - 246), abs=0.12)


def test_a_text_has_the_same_signature_in_any_company() -> None:
    texts = ["one", "", "!?", "one two three four five", "one two three four five six", "x " * 50]
    together = signatures_of(texts, "words")
    for row, text in enumerate(texts):
        assert (signatures_of([text], "words")[0] == together[row]).all()
    assert len({bytes(row) for row in together}) == len(texts)


@given(st.lists(st.text(max_size=30), max_size=6), st.sampled_from(["words", "characters"]))
def test_any_text_has_a_signature(texts: list[str], unit: Unit) -> None:
    assert signatures_of(texts, unit).shape == (len(texts), NUM_HASHES)


def test_what_is_gone_already_is_no_reason_to_drop_another(tmp_path: Path) -> None:
    texts = texts_with_copies(2)
    assert found(tmp_path, [texts[0], texts[0], texts[1]], 0.8, skip=[0]) == []
    assert found(tmp_path, [texts[0], texts[0], texts[1]], 0.8) == [1]


def test_what_is_like_only_a_dropped_document_stays(tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(300)]
    chain = [" ".join(words[start : start + 200]) for start in (0, 30, 60)]
    assert found(tmp_path, chain, 0.6) == [1]


def test_a_large_group_of_equal_documents_leaves_one(tmp_path: Path) -> None:
    texts = texts_with_copies(4)[:2]
    assert found(tmp_path, [texts[0], *[texts[1]] * 40, texts[0]], 0.8) == [*range(2, 42)]


def test_in_a_group_every_pair_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = texts_with_copies(6)[:2]
    monkeypatch.setattr(duplicates, "_band_keys", lambda numbers: np.zeros(len(numbers), dtype=np.uint64))
    assert found(tmp_path, [one, other, other, one + " end", other + " end"], 0.8) == [2, 3, 4]


def test_pairs_are_compared_a_stretch_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = texts_with_copies(5)
    whole = found(tmp_path / "a", texts, 0.7)
    monkeypatch.setattr(duplicates, "PAIRS_AT_ONCE", 3)
    assert found(tmp_path / "b", texts, 0.7) == whole
    assert len(whole) > 20


def test_words_are_told_apart_by_marks_and_case_is_none(tmp_path: Path) -> None:
    text = "The film was good and the music was even better than that of the first part"
    assert found(tmp_path, [text, text.upper().replace(" ", ", ")], 1.0) == [1]


def test_chinese_is_compared_by_characters(tmp_path: Path) -> None:
    text = "我们在北京大学读书已经三年了，学校很大，图书馆里有很多书，食堂的饭也很好吃，同学们都很友好"
    assert found(tmp_path, [text, text + "。"], 0.8, unit="characters") == [1]
    assert found(tmp_path, [text, text[::-1]], 0.3, unit="characters") == []


def test_equal_texts() -> None:
    hashes = text_hashes(["A b", "a  B", "c", "a b"])
    assert exact_duplicates(hashes).tolist() == [False, True, False, True]
    assert len(set(hashes.tolist())) == 2


@given(st.lists(st.integers(0, 9), max_size=30))
def test_of_equal_numbers_the_first_stays(numbers: list[int]) -> None:
    wanted = [number in numbers[:place] for place, number in enumerate(numbers)]
    assert exact_duplicates(np.array(numbers, dtype=np.uint64)).tolist() == wanted


def test_runs_are_made_of_words_only_where_spaces_part_them() -> None:
    assert unit_of("en", ["the film was good", "a film"]) == "words"
    assert unit_of("other", ["ภาษาไทยไม่มีช่องว่างระหว่างคำ"]) == "characters"
    assert unit_of("zh", ["spaces between words"]) == "characters"
