"""What is read of rows longer than a model reads: beginning and end, or windows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.data.made_up import make_tokenizer
from tests.unit.data.test_windows import BYTES, WORD_PIECES, agree

from tinybert.data.encode import encode
from tinybert.data.long_text import (
    Columns,
    encode_head_tail,
    encode_text_windows,
    head_tail,
    num_rows_truncated,
    text_windows,
)
from tinybert.data.windows import encode_same_windows, encode_windows
from tinybert.errors import DataError

TOKENIZER = make_tokenizer()
TEXTS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=60).map(" ".join)
CLS, SEP = 2, 3


def windows_of(text: str, pair: str | None = None, *, max_length: int, max_windows: int = 100) -> Columns:
    return encode_text_windows(
        TOKENIZER,
        [text],
        None if pair is None else [pair],
        max_length=max_length,
        max_windows=max_windows,
    )


def words_of(ids: list[int]) -> str:
    return TOKENIZER.decode(ids).replace("[CLS] ", "").replace(" [SEP]", "|").replace(" ", "")


@given(TEXTS, st.integers(16, 40))
def test_windows_over_one_text_are_those_of_tokens_with_labels(text: str, max_length: int) -> None:
    found = windows_of(text, max_length=max_length)
    expected = encode_windows(TOKENIZER, [text], max_length=max_length)
    assert {name: found[name] for name in expected} == expected
    assert not any(found["truncated"])


@given(TEXTS, st.none() | TEXTS, st.integers(16, 40))
def test_a_row_that_fits_is_read_as_it_is(text: str, pair: str | None, max_length: int) -> None:
    pairs = None if pair is None else [pair]
    whole = encode(TOKENIZER, [text], pairs, max_length=1000)
    if len(whole["input_ids"][0]) > max_length:
        return
    windows = windows_of(text, pair, max_length=max_length)
    both_ends = encode_head_tail(TOKENIZER, [text], pairs, max_length=max_length)
    for found in (windows, both_ends):
        assert {name: found[name] for name in whole} == whole
        assert (found["example"], found["truncated"]) == ([0], [False])


@given(TEXTS, TEXTS, st.integers(16, 40))
def test_windows_over_a_pair_hold_the_whole_longer_text(text: str, pair: str, max_length: int) -> None:
    found = windows_of(text, pair, max_length=max_length)
    texts = [text.replace(" ", ""), pair.replace(" ", "")]
    moving = int(len(texts[1]) >= len(texts[0]))
    read = [words_of(ids).split("|") for ids in found["input_ids"]]
    assert all(len(ids) <= max_length for ids in found["input_ids"])
    (kept,) = {parts[1 - moving] for parts in read}
    assert texts[1 - moving].startswith(kept)
    assert len(kept) == len(texts[1 - moving]) or len(kept) >= max_length // 3
    assert all(truncated == (kept != texts[1 - moving]) for truncated in found["truncated"])
    together = read[0][moving]
    for parts in read[1:]:
        assert together.endswith(parts[moving][: max_length // 3])
        together += parts[moving][max_length // 3 :]
    assert together == texts[moving]


def test_windows_over_a_pair_by_hand() -> None:
    found = windows_of("a b c d", "e " * 20, max_length=16)
    assert [words_of(ids) for ids in found["input_ids"]] == [
        "abcd|eeeeeeeee|",
        "abcd|eeeeeeeee|",
        "abcd|eeeeeeeee|",
        "abcd|eeeeeeee|",
    ]
    assert found["token_type_ids"][0] == [0] * 6 + [1] * 10
    assert found["piece_starts"][1] == [-1, 0, 2, 4, 6, -1, *range(16, 34, 2), -1]
    first = windows_of("e " * 20, "a b c d", max_length=16)
    assert [words_of(ids) for ids in first["input_ids"]][-1] == "eeeeeeee|abcd|"
    assert first["piece_starts"][0] == [-1, *range(0, 18, 2), -1, 41, 43, 45, 47, -1]


def test_what_a_third_would_cut_and_the_other_text_leaves_free_is_kept() -> None:
    ((kept, read),) = text_windows([9, 12], 20, overlap=5, max_windows=8)
    assert (len(kept), len(read)) == (8, 12)


def test_of_too_many_windows_so_many_are_read_spread_over_the_text() -> None:
    windows = [window[0] for window in text_windows([1000], 10, overlap=4, max_windows=100_000)]
    some = [window[0] for window in text_windows([1000], 10, overlap=4, max_windows=4)]
    begins = [int(window[0]) for window in some]
    assert (begins[0], begins[-1]) == (0, int(windows[-1][0]))
    steps = [later - earlier for earlier, later in pairwise(begins)]
    assert max(steps) - min(steps) <= 6
    found = encode_text_windows(TOKENIZER, ["a " * 90, "b"], max_length=16, max_windows=3)
    assert found["example"] == [0, 0, 0, 1]
    assert found["truncated"] == [True, True, True, False]
    assert num_rows_truncated(found) == 1


@pytest.mark.parametrize(("length", "room"), [(10, 8), (600, 510), (9, 1), (4, 3), (7, 0)])
def test_beginning_and_end_against_a_loop(length: int, room: int) -> None:
    kept = [*range(length)]
    while len(kept) > room:
        del kept[room // 4]
    (found,) = head_tail([length], room)[0]
    assert found.tolist() == kept


def test_the_paper_reads_about_128_and_382_of_510_pieces() -> None:
    (found,) = head_tail([900], 510)[0]
    assert (int((found < 450).sum()), int((found >= 450).sum())) == (127, 383)


@pytest.mark.parametrize(
    ("lengths", "room", "read"),
    [((3, 20), 13, (3, 10)), ((20, 3), 13, (10, 3)), ((20, 20), 13, (6, 7)), ((20, 9), 13, (7, 6))],
)
def test_the_texts_of_a_pair_share_the_room(
    lengths: tuple[int, int], room: int, read: tuple[int, int]
) -> None:
    (window,) = head_tail(lengths, room)
    assert tuple(len(indices) for indices in window) == read
    for indices, length in zip(window, lengths, strict=True):
        assert indices[-1] == length - 1


def test_beginning_and_end_by_hand() -> None:
    found = encode_head_tail(TOKENIZER, ["a b c d e a b c d e", "a b"], max_length=10)
    assert words_of(found["input_ids"][0]) == "abeabcde|"
    assert found["piece_starts"][0] == [-1, 0, 2, 8, 10, 12, 14, 16, 18, -1]
    assert found["truncated"] == [True, False]
    assert found["input_ids"][1] == [CLS, 5, 6, SEP]


def test_no_text_is_no_row() -> None:
    assert encode_head_tail(TOKENIZER, [], max_length=16)["input_ids"] == []


def test_windows_that_cannot_move_are_refused() -> None:
    with pytest.raises(DataError, match="4 tokens make no window; 16 always do"):
        windows_of("a b c", "a", max_length=4)


@given(TEXTS, TEXTS, st.integers(18, 24), st.booleans())
def test_another_tokenizer_reads_the_same_characters_of_a_pair(
    text: str, pair: str, max_length: int, swap: bool
) -> None:
    student, teacher = (BYTES, WORD_PIECES) if swap else (WORD_PIECES, BYTES)
    rows = {"text": [text], "text_pair": [pair]}
    windows = encode_text_windows(student, [text], [pair], max_length=max_length, max_windows=3)
    found = encode_same_windows(teacher, rows, windows, max_length=200)
    agree(f"{text} {pair}", {key: windows[key] for key in found if key in windows}, found)
