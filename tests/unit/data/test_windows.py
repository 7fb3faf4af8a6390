"""Windows over long texts, and the place of every piece in the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from tests.easy import make_tokenizer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from tinybert.data import encode_split
from tinybert.data.long_text import num_rows_truncated
from tinybert.data.windows import encode_same_windows, encode_whole, encode_windows
from tinybert.errors import TinyBertError
from tinybert.tasks.ner import NER
from tinybert.tasks.ner.rows import EntityRows
from tinybert.tasks.ner.words import segment, tags_of_pieces, words_of_pieces
from tinybert.tasks.qa import QA
from tinybert.tasks.qa.rows import answer_pieces

LETTERS = [*"ab北京.-", *("##a", "##b", "ab")]
WORD_PIECES = make_tokenizer(LETTERS)


def make_byte_tokenizer() -> PreTrainedTokenizerFast:
    """As RoBERTa's: a Chinese character is three pieces, a pair has four special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = ["<s>", "<pad>", "</s>", "<unk>", *alphabet, "Ġa", "Ġab"]
    merges = [("Ġ", "a"), ("Ġa", "b")]
    backend = Tokenizer(models.BPE({name: i for i, name in enumerate(names)}, merges, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>"
    )


BYTES = make_byte_tokenizer()
TOKENIZERS = st.sampled_from([WORD_PIECES, BYTES])
TEXTS = st.text(st.sampled_from("ab.- 北"), max_size=40)
LENGTHS = st.integers(4, 12)
Columns = dict[str, list[Any]]


def kept(windows: Columns, index: int) -> list[tuple[int, int]]:
    """Places of the pieces of one window that are no special tokens."""
    pairs = zip(windows["piece_starts"][index], windows["piece_ends"][index], strict=True)
    return [(start, end) for start, end in pairs if start >= 0]


def bare(tokenizer: PreTrainedTokenizerFast, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """The pieces of a whole text, and the tokenizer's own places."""
    found = tokenizer(
        text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, padding=False
    )
    return found["input_ids"], found["offset_mapping"]


def rows_of(texts: Sequence[str]) -> Columns:
    words = [segment(text) for text in texts]
    return {"text": list(texts), "word_starts": [s for s, _ in words], "word_ends": [e for _, e in words]}


# places


@given(TOKENIZERS, st.lists(TEXTS, min_size=1, max_size=4), LENGTHS)
def test_windows_hold_the_tokenizers_own_pieces_all_of_them_and_overlap(
    tokenizer: PreTrainedTokenizerFast, texts: list[str], max_length: int
) -> None:
    windows = encode_windows(tokenizer, texts, max_length=max_length)
    assert sorted(set(windows["example"])) == list(range(len(texts)))
    assert windows["example"] == sorted(windows["example"])
    for row, text in enumerate(texts):
        ids, places = bare(tokenizer, text)
        overlap = max_length // 3
        first = 0
        own = [index for index, example in enumerate(windows["example"]) if example == row]
        for index in own:
            pieces = kept(windows, index)
            assert pieces == places[first : first + len(pieces)]
            assert windows["input_ids"][index][1:-1] == ids[first : first + len(pieces)]
            assert len(windows["input_ids"][index]) <= max_length
            reached, first = first + len(pieces), first + len(pieces) - overlap
        assert reached == len(places)


@given(TOKENIZERS, TEXTS, TEXTS, st.integers(16, 24))
def test_the_context_of_a_question_begins_one_character_behind_it(
    tokenizer: PreTrainedTokenizerFast, question: str, context: str, max_length: int
) -> None:
    question = question[: max_length // 3 // 3]  # every tokenizer keeps it whole
    windows = encode_windows(tokenizer, [question], [context], max_length=max_length)
    shift = len(question) + 1
    moved = [(start + shift, end + shift) for start, end in bare(tokenizer, context)[1]]
    first = reached = 0
    for index in range(len(windows["example"])):
        pieces = kept(windows, index)
        own = [place for place in pieces if place[0] < shift]
        others = pieces[len(own) :]
        assert own == bare(tokenizer, question)[1]
        assert others == moved[first : first + len(others)]
        reached = first + len(others)
        first = reached - max_length // 3
    assert reached == len(moved)


def test_hand_made_windows() -> None:
    windows = encode_windows(WORD_PIECES, ["a b ab aba", "b"], max_length=6)
    names = [WORD_PIECES.convert_ids_to_tokens(ids) for ids in windows["input_ids"]]
    assert names == [
        ["[CLS]", "a", "b", "ab", "ab", "[SEP]"],
        ["[CLS]", "ab", "ab", "##a", "[SEP]"],
        ["[CLS]", "b", "[SEP]"],
    ]
    assert windows["piece_starts"] == [[-1, 0, 2, 4, 7, -1], [-1, 4, 7, 9, -1], [-1, 0, -1]]
    assert windows["piece_ends"] == [[-1, 1, 3, 6, 9, -1], [-1, 6, 9, 10, -1], [-1, 1, -1]]
    assert windows["example"] == [0, 0, 1]
    assert windows["token_type_ids"][0] == [0] * 6


def test_hand_made_windows_of_a_question() -> None:
    windows = encode_windows(WORD_PIECES, ["a b"], ["a b a b a b a b a"], max_length=12)
    assert windows["example"] == [0, 0]
    assert windows["piece_starts"] == [
        [-1, 0, 2, -1, 4, 6, 8, 10, 12, 14, 16, -1],
        [-1, 0, 2, -1, 10, 12, 14, 16, 18, 20, -1],
    ]
    assert windows["token_type_ids"][0] == [0] * 4 + [1] * 8


def test_no_rows_make_no_windows() -> None:
    wanted = {"input_ids": [], "piece_starts": [], "piece_ends": [], "example": []}
    assert encode_windows(WORD_PIECES, [], max_length=8) == wanted
    assert encode_windows(WORD_PIECES, [], [], max_length=8) == wanted


@pytest.mark.parametrize("tokenizer", [WORD_PIECES, BYTES])
@pytest.mark.parametrize("text", ["a", "北", ".", "😀", "\x01\x02\x03", "\u200b", "\x01 " * 30])
def test_texts_of_one_character_and_of_control_characters(
    tokenizer: PreTrainedTokenizerFast, text: str
) -> None:
    batch = {**rows_of([text]), "label": [[0] * len(segment(text)[0])]}
    found = NER.format.encode(tokenizer, batch, max_length=8)
    assert set(found["example"]) == {0}
    assert [len(words) for words in found["words"]] == [len(ids) for ids in found["input_ids"]]
    question = {"text": [text], "text_pair": [text], "label": [[]]}
    assert set(map(tuple, QA.format.encode(tokenizer, question, max_length=64)["labels"])) == {(0, 0)}


@given(TOKENIZERS, TEXTS, st.integers(16, 24))
def test_a_long_question_is_cut_to_a_third_and_stands_in_every_window(
    tokenizer: PreTrainedTokenizerFast, context: str, max_length: int
) -> None:
    question = "ab " * 40
    windows = encode_windows(tokenizer, [question], [context], max_length=max_length)
    for index in range(len(windows["example"])):
        places = [place for place in kept(windows, index) if place[0] < len(question)]
        assert places == bare(tokenizer, question)[1][: max_length // 3]
        assert len(windows["input_ids"][index]) <= max_length
    assert windows["truncated"] == [True] * len(windows["example"])


def test_only_questions_that_are_cut_are_truncated() -> None:
    fits, longer, long_context = "ab " * 5, "ab " * 6, "a b " * 20
    rows = {"text": [fits, longer, fits], "text_pair": ["a", "a", long_context]}
    windows = QA.format.encode(WORD_PIECES, rows, max_length=16)
    cut = dict(zip(windows["example"], windows["truncated"], strict=True))
    assert cut == {0: False, 1: True, 2: False}
    assert num_rows_truncated(windows) == 1
    assert QA.format.truncation(16) == "questions were truncated to 5 tokens, a third of a window"


@pytest.mark.parametrize("max_length", [24, 48, 384])
def test_a_question_whose_characters_are_several_pieces_each(max_length: int) -> None:
    windows = encode_windows(BYTES, ["北" * (max_length // 3)], ["ab " * 300], max_length=max_length)
    assert max(map(len, windows["input_ids"])) <= max_length
    assert len(windows["example"]) > 1


def test_windows_too_short_for_a_question_are_refused() -> None:
    with pytest.raises(TinyBertError):
        encode_windows(WORD_PIECES, ["a b a b a b"], ["a b " * 30], max_length=6)


def test_whole_rows_are_cut_and_keep_their_places() -> None:
    found = encode_whole(WORD_PIECES, ["a b ab", "a b a b a b"], max_length=5)
    assert found["piece_starts"] == [[-1, 0, 2, 4, -1], [-1, 0, 2, 4, -1]]
    assert "example" not in found
    pairs = encode_whole(WORD_PIECES, ["a b"], ["ab a"], max_length=16)
    assert pairs["piece_starts"] == [[-1, 0, 2, -1, 4, 7, -1]]
    assert pairs["piece_ends"] == [[-1, 1, 3, -1, 6, 8, -1]]


# words

WORDY = st.lists(st.text(st.sampled_from("ab"), min_size=1, max_size=9), min_size=1, max_size=12)


def first_pieces(tokenizer: PreTrainedTokenizerFast, rows: Columns) -> list[dict[int, int]]:
    """For each row: word → first character of the only piece that begins it, in the whole text."""
    firsts: list[dict[int, int]] = []
    for row, text in enumerate(rows["text"]):
        begun: dict[int, int] = {}
        for start, end in bare(tokenizer, text)[1]:
            for word, edges in enumerate(zip(rows["word_starts"][row], rows["word_ends"][row], strict=True)):
                if start < edges[1] and end > edges[0]:
                    begun.setdefault(word, start)
        firsts.append(begun)
    return firsts


@given(
    TOKENIZERS,
    st.lists(
        st.one_of(WORDY.map(" ".join), st.text(st.sampled_from("ab.北 "), min_size=1, max_size=30)),
        max_size=4,
    ),
    LENGTHS,
)
def test_each_word_has_one_first_piece_and_a_window_that_cuts_it_does_not_begin_it_again(
    tokenizer: PreTrainedTokenizerFast, texts: list[str], max_length: int
) -> None:
    rows = rows_of(texts)
    windows = encode_windows(tokenizer, texts, max_length=max_length)
    words = words_of_pieces(windows, rows)
    found: list[dict[int, set[int]]] = [{} for _ in texts]
    for index, example in enumerate(windows["example"]):
        named = [
            (word, start) for word, start in zip(words[index], windows["piece_starts"][index], strict=True)
        ]
        begun = [word for word, _ in named if word >= 0]
        assert len(begun) == len(set(begun))
        for word, start in named:
            if word >= 0:
                found[example].setdefault(word, set()).add(start)
    wanted = [{word: {start} for word, start in row.items()} for row in first_pieces(tokenizer, rows)]
    assert found == wanted
    assert [len(row) for row in found] == [len(starts) for starts in rows["word_starts"]]


@given(TOKENIZERS, WORDY, LENGTHS)
def test_with_every_piece_each_piece_names_the_word_it_lies_in(
    tokenizer: PreTrainedTokenizerFast, words: list[str], max_length: int
) -> None:
    rows = rows_of([" ".join(words)])
    windows = encode_windows(tokenizer, rows["text"], max_length=max_length)
    for index, named in enumerate(words_of_pieces(windows, rows, every_piece=True)):
        places = zip(windows["piece_starts"][index], windows["piece_ends"][index], strict=True)
        for word, (start, end) in zip(named, places, strict=True):
            inside = [
                number
                for number, edges in enumerate(zip(rows["word_starts"][0], rows["word_ends"][0], strict=True))
                if 0 <= start < edges[1] and end > edges[0]
            ]
            assert word == (inside[0] if inside else -1)


def test_words_by_hand() -> None:
    rows = rows_of(["a aba, b"])
    windows = encode_windows(WORD_PIECES, rows["text"], max_length=10)
    assert words_of_pieces(windows, rows) == [[-1, 0, 1, -1, 2, 3, -1]]
    assert words_of_pieces(windows, rows, every_piece=True) == [[-1, 0, 1, 1, 2, 3, -1]]


def test_a_piece_over_two_words_begins_the_first() -> None:
    rows = {"text": ["ab b"], "word_starts": [[0, 1, 3]], "word_ends": [[1, 2, 4]]}
    windows = encode_windows(WORD_PIECES, rows["text"], max_length=10)
    assert words_of_pieces(windows, rows) == [[-1, 0, 2, -1]]


# tags: O, B-X, I-X, B-Y, I-Y


def test_first_pieces_have_the_tag_of_their_word() -> None:
    words = [[-1, 0, -1, 1, 2, -1]]
    assert tags_of_pieces(words, [[1, 2, 0]], words) == [[-100, 1, -100, 2, 0, -100]]


def test_pieces_that_go_on_with_a_word_go_on_with_its_entity() -> None:
    words = [[-1, 0, 0, 1, 1, 2, 2, 3, -1]]
    firsts = [[-1, 0, -1, 1, -1, 2, -1, 3, -1]]
    assert tags_of_pieces(words, [[1, 2, 0, 3]], firsts) == [[-100, 1, 2, 2, 2, 0, 0, 3, -100]]


def test_rows_without_tags_are_ignored_everywhere() -> None:
    words = [[-1, 0, 1, -1], [-1, 0, -1]]
    assert tags_of_pieces(words, [[], [3]], words) == [[-100] * 4, [-100, 3, -100]]


def test_a_window_that_begins_inside_a_word_goes_on_with_its_entity() -> None:
    text = "abababababab b"
    batch = {**rows_of([text]), "label": [[1, 0]]}
    found = EntityRows(every_piece=True).encode(WORD_PIECES, batch, max_length=6)
    for index, starts in enumerate(found["piece_starts"]):
        for start, label in zip(starts, found["labels"][index], strict=True):
            if 0 < start < 12:  # inside of the word, behind its first piece
                assert label == 2


@given(WORDY, st.data(), LENGTHS, st.booleans())
def test_labels_stand_where_words_do(words: list[str], data: st.DataObject, length: int, every: bool) -> None:
    tags = data.draw(st.lists(st.integers(0, 4), min_size=len(words), max_size=len(words)))
    rows = rows_of([" ".join(words), "b"])
    found = EntityRows(every_piece=every).encode(
        WORD_PIECES, {**rows, "label": [tags, None]}, max_length=length
    )
    for named, labels, row in zip(found["words"], found["labels"], found["example"], strict=True):
        labelled = [row == 0 and word >= 0 for word in named]
        assert labelled == [label != -100 for label in labels]
        for word, label in zip(named, labels, strict=True):
            assert label == -100 or label in (tags[word], tags[word] + (every and tags[word] % 2))


# answers


@given(TOKENIZERS, st.text(st.sampled_from("ab.北 "), min_size=1, max_size=40), st.data())
def test_the_pieces_of_an_answer_hold_its_characters(
    tokenizer: PreTrainedTokenizerFast, context: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(context) - 1))
    end = data.draw(st.integers(start + 1, len(context)))
    start += len(context[start:end]) - len(context[start:end].lstrip())
    end = start + len(context[start:end].rstrip())
    if start >= end:
        return
    rows = {"text": ["a b"], "text_pair": [context]}
    windows = encode_windows(tokenizer, rows["text"], rows["text_pair"], max_length=18)
    labels = answer_pieces(windows, rows, [[[start, end]]])
    shift = 4
    for index, (first, last) in enumerate(labels):
        places = [place for place in kept(windows, index) if place[0] >= shift]
        inside = places[0][0] - shift <= start and end <= places[-1][1] - shift
        if (first, last) == (0, 0):
            assert not inside
            continue
        assert inside
        starts, ends = windows["piece_starts"][index], windows["piece_ends"][index]
        assert starts[first] - shift <= start < ends[first] - shift
        assert starts[last] - shift < end <= ends[last] - shift


def test_answers_by_hand() -> None:
    rows = {"text": ["a b"], "text_pair": ["a b a b aba a b a"]}
    windows = encode_windows(WORD_PIECES, rows["text"], rows["text_pair"], max_length=12)
    starts = windows["piece_starts"]
    assert starts == [
        [-1, 0, 2, -1, 4, 6, 8, 10, 12, 14, 16, -1],
        [-1, 0, 2, -1, 10, 12, 14, 16, 18, 20, -1],
    ]
    assert answer_pieces(windows, rows, [[[8, 11]]]) == [[8, 9], [5, 6]]
    assert answer_pieces(windows, rows, [[[0, 1]]]) == [[4, 4], [0, 0]]
    assert answer_pieces(windows, rows, [[[14, 17]]]) == [[0, 0], [8, 9]]
    assert answer_pieces(windows, rows, [[[0, 17]]]) == [[0, 0], [0, 0]]
    assert answer_pieces(windows, rows, [[[14, 15], [0, 3]]]) == [[4, 5], [8, 8]]
    assert answer_pieces(windows, rows, [[]]) == [[0, 0], [0, 0]]
    assert answer_pieces(windows, rows, [None]) == [[-100, -100], [-100, -100]]


def test_an_answer_inside_of_a_piece_is_that_piece() -> None:
    rows = {"text": ["a"], "text_pair": ["b ab"]}
    windows = encode_windows(WORD_PIECES, rows["text"], rows["text_pair"], max_length=12)
    assert answer_pieces(windows, rows, [[[3, 4]]]) == [[4, 4]]


# the same windows, by another tokenizer


def agree(text: str, ours: Columns, theirs: Columns) -> None:
    assert len(ours["input_ids"]) == len(theirs["input_ids"])
    for index in range(len(ours["input_ids"])):
        mine, others = kept(ours, index), kept(theirs, index)
        covered = [{c for start, end in places for c in range(start, end)} for places in (mine, others)]
        visible = [{c for c in places if not text[c].isspace()} for places in covered]
        assert visible[0] == visible[1]
        assert not others or mine[0][0] <= others[0][0]
        assert not others or others[-1][1] <= mine[-1][1]


@given(st.lists(TEXTS, min_size=1, max_size=3), LENGTHS, st.booleans())
def test_another_tokenizer_reads_the_same_characters(texts: list[str], max_length: int, swap: bool) -> None:
    student, teacher = (BYTES, WORD_PIECES) if swap else (WORD_PIECES, BYTES)
    windows = encode_windows(student, texts, max_length=max_length)
    found = encode_same_windows(teacher, {"text": texts}, windows, max_length=200)
    assert "example" not in found
    for row, text in enumerate(texts):
        own = [index for index, example in enumerate(windows["example"]) if example == row]
        picked = [{key: [of[key][i] for i in own] for key in found} for of in ({**found, **windows}, found)]
        agree(text, picked[0], picked[1])


@given(TEXTS, st.integers(18, 24))
def test_another_tokenizer_reads_the_same_stretches_of_a_context(context: str, max_length: int) -> None:
    rows = {"text": ["a b", "ab"], "text_pair": ["b", context]}
    windows = encode_windows(WORD_PIECES, rows["text"], rows["text_pair"], max_length=max_length)
    found = encode_same_windows(BYTES, rows, windows, max_length=200)
    for index, row in enumerate(windows["example"]):
        whole = f"{rows['text'][row]} {rows['text_pair'][row]}"
        one, other = ({key: [of[key][index]] for key in found if key in of} for of in (windows, found))
        agree(whole, one, other)


def test_what_another_tokenizer_cannot_fit_is_cut_off() -> None:
    windows = encode_windows(WORD_PIECES, ["北 北 北 北 b"], max_length=6)
    found = encode_same_windows(BYTES, {"text": ["北 北 北 北 b"]}, windows, max_length=6)
    assert [len(ids) for ids in found["input_ids"]] == [6] * len(windows["input_ids"])
    assert found["piece_starts"][0] == [-1, 0, 0, 0, 2, -1]


def test_a_split_in_windows_and_a_teacher_beside_it() -> None:
    texts = ["ab " * 12, "b", "a b " * 9]
    rows = [
        {"text": text, "word_starts": starts, "word_ends": ends, "label": [0] * len(starts)}
        for text, (starts, ends) in zip(texts, map(segment, texts), strict=True)
    ]
    split = Dataset.from_list([*rows] * 1100)  # more than are encoded at once
    student = encode_split(split, WORD_PIECES, max_length=8, format=NER.format)
    assert {"piece_starts", "piece_ends", "example", "words", "labels", "length"} <= set(student.column_names)
    assert student["row"][:] == list(range(len(student)))
    assert sorted(set(student["example"])) == list(range(3300))
    teacher = encode_split(split, BYTES, max_length=64, format=NER.format, prefix="teacher_", like=student)
    assert teacher.column_names == ["teacher_input_ids", "teacher_piece_starts", "teacher_piece_ends"]
    assert len(teacher) == len(student)
    for index in (0, 1, len(student) - 1):
        ours, theirs = student[index], teacher[index]
        last = max(ours["piece_ends"])
        assert max(theirs["teacher_piece_ends"]) == last
        assert min(s for s in theirs["teacher_piece_starts"] if s >= 0) == ours["piece_starts"][1]
