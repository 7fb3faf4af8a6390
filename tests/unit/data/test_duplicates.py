"""Near duplicates: found as a comparison of every pair would find them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinybert.data.duplicates import (
    NUM_HASHES,
    exact_duplicates,
    near_duplicates,
    signatures_of,
    text_hash,
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


def found(tmp_path: Path, texts: list[str], threshold: float) -> np.ndarray:
    file = tmp_path / "signatures.bin"
    signatures_of(texts, "en").tofile(file)
    return near_duplicates(file, threshold=threshold, skip=np.zeros(len(texts), dtype=np.bool_))


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
def test_the_bands_miss_nothing_that_all_pairs_would_find(tmp_path: Path, threshold: float) -> None:
    texts = texts_with_copies(1)
    signatures = signatures_of(texts, "en")
    wanted = [
        any((signatures[earlier] == signatures[later]).mean() >= threshold for earlier in range(later))
        for later in range(len(texts))
    ]
    flags = found(tmp_path, texts, threshold)
    assert not (flags & ~np.array(wanted)).any()  # nothing is flagged that is not near
    assert flags.sum() >= 0.97 * sum(wanted)
    assert 5 < sum(wanted) <= 40


def test_signatures_tell_how_much_is_shared() -> None:
    words = [f"w{number}" for number in range(500)]
    one, half = " ".join(words), " ".join([*words[:250], *(f"v{number}" for number in range(250))])
    shared = (signatures_of([one], "en") == signatures_of([half], "en")).mean()
    assert shared == pytest.approx(246 / (2 * 496 - 246), abs=0.12)


def test_what_is_gone_already_is_no_reason_to_drop_another(tmp_path: Path) -> None:
    texts = texts_with_copies(2)[:3]
    texts = [texts[0], texts[0], texts[1]]
    file = tmp_path / "signatures.bin"
    signatures_of(texts, "en").tofile(file)
    assert near_duplicates(file, threshold=0.8, skip=np.array([True, False, False])).tolist() == [False] * 3


def test_chinese_is_compared_by_characters() -> None:
    one, other = signatures_of(["我们在北京大学读书已经三年了", "我们在北京大学读书已经四年了"], "zh")
    assert 0.1 < (one == other).mean() < 0.95
    assert signatures_of([], "zh").shape == (0, NUM_HASHES)


def test_equal_texts() -> None:
    hashes = np.array([text_hash(text) for text in ("A b", "a  B", "c", "a b")], dtype=np.uint64)
    assert exact_duplicates(hashes).tolist() == [False, True, False, True]
