"""Rows of entities in every form that is read: the words and their BIO tags."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.data.made_up import read as read_data

from tinybert.config import DataSection
from tinybert.data import load
from tinybert.data.fields import FieldError
from tinybert.data.row_format import ColumnNames
from tinybert.errors import DataError
from tinybert.sources.text_files import Fault
from tinybert.tasks.ner import NER
from tinybert.tasks.ner.reading import TagCount, read_entities
from tinybert.tasks.ner.schemes import to_bio
from tinybert.tasks.ner.words import EntityRow, join_words, segment

Entity = tuple[int, int, str]  # first word, the word behind the last, type

TEXTS = st.text(
    st.one_of(st.characters(), st.sampled_from("aB1 .'’-_,:/&@\n\t北京あ́\u200b\x1c\x01ａ😀")), max_size=40
)


def words_of(text: str) -> list[str]:
    return [text[start:end] for start, end in zip(*segment(text), strict=True)]


def words_in(row: EntityRow) -> list[str]:
    return [row.text[start:end] for start, end in zip(row.starts, row.ends, strict=True)]


def read(
    raw: Mapping[str, object],
    text: str = "text",
    label: str | None = "spans",
    *,
    class_names: Sequence[str] | None = None,
    count: TagCount | None = None,
    refuse: bool = False,
) -> EntityRow:
    return read_entities(
        raw,
        ColumnNames(text, None, label),
        class_names=class_names,
        count=count or TagCount(),
        number=7,
        refuse_orphans=refuse,
    )


def read_tokens(tokens: object, tags: object, **options: object) -> EntityRow:
    return read({"tokens": tokens, "tags": tags}, "tokens", "tags", **options)  # type: ignore[arg-type]


def refused(call: Callable[[], object], field: str, *parts: str) -> None:
    with pytest.raises(FieldError) as caught:
        call()
    assert caught.value.field == field
    for part in parts:
        assert part in str(caught.value), str(caught.value)


# words


@given(TEXTS)
def test_words_stand_in_order_do_not_overlap_and_cover_what_is_visible(text: str) -> None:
    starts, ends = segment(text)
    assert len(starts) == len(ends)
    assert all(start < end for start, end in zip(starts, ends, strict=True))
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
    covered = {place for start, end in zip(starts, ends, strict=True) for place in range(start, end)}
    assert {place for place, character in enumerate(text) if not character.isspace()} <= covered
    assert max(covered, default=0) <= len(text)


def test_every_visible_character_of_unicode_is_in_a_word() -> None:
    text = " ".join(map(chr, range(sys.maxunicode + 1)))
    starts, ends = segment(text)
    visible = bytearray(0 if character.isspace() else 1 for character in text)
    for start, end in zip(starts, ends, strict=True):
        visible[start:end] = bytes(end - start)
    assert visible.find(1) == -1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mr Li visits the U.S.", ["Mr", "Li", "visits", "the", "U.S."]),
        ("Germany's AT&T, 1,000.", ["Germany", "'s", "AT&T", ",", "1,000", "."]),
        ("J. Smith at 10:30", ["J.", "Smith", "at", "10:30"]),
        ("don't don’t", ["don't", "don’t"]),
        ("well-known a@b.org (yes)", ["well-known", "a@b.org", "(", "yes", ")"]),
        ("北京2008年", ["北", "京", "2008", "年"]),
        ("カタ語abc", ["カ", "タ", "語", "abc"]),
        ("cafe\u0301 naïve", ["cafe\u0301", "naïve"]),
        ("one\nend.", ["one", "end", "."]),
        ("hi😀!", ["hi", "😀", "!"]),
        ("👩‍👩‍👧 in 🇫🇷", ["👩‍👩‍👧", "in", "🇫🇷"]),  # an emoji of several characters is one word
        (" \t\n", []),
        ("", []),
    ],
)
def test_where_a_text_is_cut(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.lists(st.text(st.sampled_from("aB1.-北京あ😀"), min_size=1, max_size=4), min_size=1, max_size=8))
def test_joined_words_stand_in_the_text_where_they_say(words: list[str]) -> None:
    row = join_words(words)
    assert words_in(row) == words
    assert row.text.replace(" ", "") == "".join(words)
    assert row.tags is None


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["in", "New", "York"], "in New York"),
        (["北", "京", "2", "0", "0", "8"], "北京2008"),  # a file of characters
        (["北京", "欢迎", "you", "all"], "北京欢迎 you all"),
        (["a", "b"], "a b"),
        (["Li"], "Li"),
    ],
)
def test_no_spaces_between_chinese_words(words: list[str], text: str) -> None:
    assert join_words(words).text == text


# tags


def test_bio_stays() -> None:
    tags = ["B-PER", "I-PER", "O", "B-PER", "B-PER", "B-LOC"]
    assert to_bio(tags) == (tags, 0)


def test_iob1_begins_an_entity_with_i_unless_one_of_its_type_stands_before_it() -> None:
    assert to_bio(["I-PER", "I-PER", "B-PER", "I-PER", "O", "I-LOC", "I-PER"]) == (
        ["B-PER", "I-PER", "B-PER", "I-PER", "O", "B-LOC", "B-PER"],
        3,
    )


@pytest.mark.parametrize("letters", ["BIES", "BILU", "BMES"])
def test_schemes_with_an_end_and_a_single(letters: str) -> None:
    begin, inside, end, single = letters
    tags = [f"{single}-X", f"{begin}-X", f"{inside}-X", f"{end}-X", "O", f"{single}-Y", f"{begin}-X"]
    assert to_bio([*tags, f"{end}-X"])[0] == ["B-X", "B-X", "I-X", "I-X", "O", "B-Y", "B-X", "I-X"]
    assert to_bio([*tags, f"{end}-X"])[1] == 0


@pytest.mark.parametrize(
    ("tags", "bio", "num_orphans"),
    [
        (["O", "I-X"], ["O", "B-X"], 1),
        (["B-X", "I-Y", "I-Y"], ["B-X", "B-Y", "I-Y"], 1),
        (["S-X", "I-X"], ["B-X", "B-X"], 1),  # a single is over
        (["B-X", "E-X", "E-X"], ["B-X", "I-X", "B-X"], 1),
        (["B-X", "S-X", "B-X", "U-X"], ["B-X"] * 4, 0),  # a single begins
        (["E-X", "L-Y", "M-Z"], ["B-X", "B-Y", "B-Z"], 3),
        ([], [], 0),
    ],
)
def test_what_goes_on_without_a_beginning_begins(tags: list[str], bio: list[str], num_orphans: int) -> None:
    assert to_bio(tags) == (bio, num_orphans)


def test_a_type_may_hold_hyphens_and_an_underscore_parts_as_well() -> None:
    assert to_bio(["B-MISC-I", "I-MISC-I", "B_PER"])[0] == ["B-MISC-I", "I-MISC-I", "B-PER"]


@pytest.mark.parametrize("tag", ["PER", "B-", "B", "X-PER", "o", "", "b-PER"])
def test_a_tag_of_no_known_form_is_named(tag: str) -> None:
    refused(lambda: to_bio(["O", tag], "ner"), "ner", repr(tag), "B-PER")


@st.composite
def annotated(draw: st.DrawFn) -> tuple[int, list[Entity]]:
    place, entities = 0, []
    for _ in range(draw(st.integers(0, 5))):
        start = place + draw(st.integers(0, 2))
        place = start + draw(st.integers(1, 4))
        entities.append((start, place, draw(st.sampled_from(["PER", "LOC", "A-B"]))))
    return place + draw(st.integers(0, 2)), entities


def written(num_words: int, entities: Sequence[Entity], letters: str) -> list[str]:
    """Tags of entities; the letters are those of beginning, inside, end and single."""
    begin, inside, end, single = letters
    tags = ["O"] * num_words
    for start, stop, kind in entities:
        shape = single if stop - start == 1 else begin + inside * (stop - start - 2) + end
        tags[start:stop] = [f"{letter}-{kind}" for letter in shape]
    return tags


def written_iob1(num_words: int, entities: Sequence[Entity]) -> list[str]:
    tags = written(num_words, entities, "IIII")
    for (_, before, kind), (start, _, own) in itertools.pairwise(entities):
        if before == start and kind == own:
            tags[start] = f"B-{own}"
    return tags


@given(annotated())
def test_entities_written_in_any_scheme_are_the_same_bio(row: tuple[int, list[Entity]]) -> None:
    bio = written(*row, "BIIB")
    for letters in ("BIIB", "BIES", "BILU", "BMES"):
        assert to_bio(written(*row, letters)) == (bio, 0)
    assert to_bio(written_iob1(*row))[0] == bio


# tokens and tags


def test_tokens_and_tags() -> None:
    count = TagCount()
    row = read_tokens(["Ann", " Lee ", "in", "Rome"], ["B-PER", "I-PER", " ", "B-LOC "], count=count)
    assert row.text == "Ann Lee in Rome"
    assert words_in(row) == ["Ann", "Lee", "in", "Rome"]
    assert row.tags == ["B-PER", "I-PER", "O", "B-LOC"]
    assert (count.num_entities, count.num_orphans) == (2, 0)


def test_whole_numbers_are_tags_where_their_names_are_known() -> None:
    names = ["O", "B-PER", "I-PER"]
    assert read_tokens(["Ann", "Lee", "x"], [1, 2, 0], class_names=names).tags == ["B-PER", "I-PER", "O"]
    refused(lambda: read_tokens(["Ann"], [1]), "tags", "tag 1", "B-PER")
    refused(lambda: read_tokens(["Ann"], [3], class_names=names), "tags", "tag 3")
    refused(lambda: read_tokens(["Ann"], [-1], class_names=names), "tags", "tag -1")


def test_cells_of_words_parted_by_spaces_keep_their_text() -> None:
    row = read({"text": "Ann  Lee ann", "tags": "B-PER I-PER O"}, label="tags")
    assert row.text == "Ann  Lee ann"
    assert (row.starts, row.ends) == ([0, 5, 9], [3, 8, 12])
    assert row.tags == ["B-PER", "I-PER", "O"]


def test_rows_without_tags_are_not_labelled() -> None:
    assert read_tokens(["Ann"], None).tags is None
    assert read({"tokens": ["Ann"]}, "tokens", None).tags is None
    assert words_in(read({"text": "Ann sleeps."}, label=None)) == ["Ann", "sleeps", "."]
    assert read({"text": "Ann sleeps."}, label=None).tags is None


def test_orphans_are_repaired_and_told() -> None:
    count = TagCount()
    row = read_tokens(["Ann", "in", "Rome"], ["I-PER", "O", "B-LOC"], count=count)
    assert row.tags == ["B-PER", "O", "B-LOC"]
    assert (count.num_entities, count.num_orphans, count.rows) == (2, 1, [7])


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        (["O", "I-PER", "O"], "tag 2 is 'I-PER' without a B-PER before it"),
        (["B-LOC", "I-LOC", "I-PER"], "tag 3 is 'I-PER'"),
        (["B-PER", "E-PER", "E-PER"], "tag 3 is 'E-PER'"),
    ],
)
def test_orphans_are_refused_on_request(tags: list[str], wanted: str) -> None:
    refused(lambda: read_tokens(["a", "b", "c"], tags, refuse=True), "tags", wanted, "write B-PER")
    assert read_tokens(["a", "b", "c"], ["B-X", "I-X", "O"], refuse=True).tags == ["B-X", "I-X", "O"]


def test_many_orphans_are_a_scheme_and_few_are_mistakes() -> None:
    assert TagCount(10, 0).describe("a.conll", "line") is None
    assert "read as IOB1" in str(TagCount(10, 6).describe("a.conll", "line"))
    told = str(TagCount(10, 5, [3, 1200]).describe("a.conll", "line"))
    assert "a.conll: 5 of 10 entities" in told
    assert "repaired (the first in lines 3, 1,200)" in told
    assert "data.on_orphan_tag=refuse" in told


@pytest.mark.parametrize(
    ("tokens", "tags", "field", "wanted"),
    [
        (["a", "b"], ["O"], "tags", "1 tags for 2 tokens"),
        (["a"], [], "tags", "0 tags for 1 tokens"),
        (["a", ""], ["O", "O"], "tokens", "token 2 is ''"),
        (["a", " \t"], ["O", "O"], "tokens", "token 2 is ' \\t'"),
        (["a", None], ["O", "O"], "tokens", "token 2 is None"),
        ([], [], "tokens", "no tokens"),
        (None, ["O"], "tokens", "missing"),
        (5, ["O"], "tokens", "a whole number where"),
        (["a"], {"a": 1}, "tags", "a mapping where a list of tags is expected"),
        (["a"], [None], "tags", "tag None"),
        (["a"], ["PER"], "tags", "tag 'PER'"),
        ("   ", "", "tokens", "empty"),
    ],
)
def test_what_is_wrong_with_tokens_and_tags_is_said(
    tokens: object, tags: object, field: str, wanted: str
) -> None:
    refused(lambda: read_tokens(tokens, tags), field, wanted)


# spans

ROME = "Ann Lee saw Rome."
PERSON, CITY = {"start": 0, "end": 7, "label": "PER"}, {"start": 12, "end": 16, "label": "LOC"}


@pytest.mark.parametrize(
    "spans",
    [
        [PERSON, CITY],
        [CITY, PERSON],
        [[0, 7, "PER"], [12, 16, "LOC"]],
        [(0, 7, " PER "), (12, 16, "LOC")],
        [
            {"start": 0, "end": 7, "labels": ["PER"]},
            {"start": 12, "end": 16, "labels": ["LOC"], "text": "Rome"},
        ],
        [[0, 8, "PER"], [11, 16, "LOC"]],  # with white space at their ends
    ],
)
def test_spans_become_tags(spans: object) -> None:
    count = TagCount()
    row = read({"text": ROME, "spans": spans}, count=count)
    assert row.text == ROME
    assert words_in(row) == ["Ann", "Lee", "saw", "Rome", "."]
    assert row.tags == ["B-PER", "I-PER", "O", "B-LOC", "O"]
    assert count.num_entities == 2


def test_no_spans_are_a_label_and_a_missing_field_is_none() -> None:
    assert read({"text": "Ann.", "spans": []}).tags == ["O", "O"]
    assert read({"text": "Ann.", "spans": None}).tags is None


def test_a_word_that_a_span_cuts_becomes_two() -> None:
    row = read({"text": "NewYorker", "spans": [[0, 3, "A"], [3, 7, "A"]]})
    assert words_in(row) == ["New", "York", "er"]
    assert row.tags == ["B-A", "B-A", "O"]
    assert words_in(read({"text": "ab cd", "spans": [[1, 4, "A"]]})) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "spans", [[[0, 7, "PER"], [4, 7, "LOC"]], [[4, 7, "LOC"], [0, 7, "PER"]], [[0, 7, "PER"], [0, 7, "PER"]]]
)
def test_spans_that_overlap_are_refused_with_both(spans: object) -> None:
    refused(lambda: read({"text": ROME, "spans": spans}), "spans", "'Ann Lee' (PER, 0–7)", "overlap")


@pytest.mark.parametrize(
    ("span", "wanted"),
    [
        ([0, 99, "PER"], "0–99 (PER) does not lie in the text of 17 characters"),
        ([-1, 3, "PER"], "does not lie"),
        ({"start": False, "end": True, "label": "PER"}, "does not lie"),
        ({"start": 1, "end": 8, "label": "PER", "text": "Ann Lee"}, "'nn Lee ' is there; it is at 0"),
        ({"start": 0, "end": 7, "label": "PER", "text": "Bob"}, "it is nowhere"),
        ([3, 3, "PER"], "does not lie"),
        ([5, 3, "PER"], "does not lie"),
        ([3, 4, "PER"], "holds white space only"),
        ([0, 3, ""], "and a label"),
        ([0, 3, None], "and a label"),
        ([0, 3], "expected whole numbers"),
        (["0", "3rd", "PER"], "expected whole numbers"),
        ([0.5, 3.0, "PER"], "expected whole numbers"),
        ({"start": 0, "label": "PER"}, "expected whole numbers"),
        ("PER", "'PER' is one label for the whole text, which --task classification learns"),
        ("B-PER", "1 tags for 4 tokens"),  # a list of names is a tag a word
        ({"start": 0, "end": 3, "labels": ["PER", "LOC"]}, "has the labels ['PER', 'LOC']; keep one"),
        ({"start": 0, "end": 3, "labels": []}, "has the labels []"),
        (None, "expected whole numbers"),
    ],
)
def test_a_span_that_cannot_be_used_is_named(span: object, wanted: str) -> None:
    refused(lambda: read({"text": ROME, "spans": [span]}), "spans", wanted)


def test_a_text_with_spans_that_is_empty_or_whose_spans_are_no_list_is_refused() -> None:
    refused(lambda: read({"text": " \n", "spans": []}), "text", "empty")
    refused(lambda: read({"text": ROME, "spans": 5}), "spans", "a whole number where a list of spans")
    refused(lambda: read({"text": ROME, "spans": {"start": 0}}), "spans", "a mapping where")
    refused(lambda: read({"text": ROME, "spans": "[[0, 3, 'PER']"}), "spans", "starts like a JSON list but")


@st.composite
def text_with_spans(draw: st.DrawFn) -> tuple[str, list[Entity]]:
    text = draw(st.text(st.sampled_from("aB1.' \n-北京é\u0301😀\x1c"), min_size=1, max_size=25))
    borders = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    pairs = list(zip(borders[::2], borders[1::2], strict=False))
    return text, [
        (start, end, draw(st.sampled_from("XY"))) for start, end in pairs if text[start:end].strip()
    ]


@given(text_with_spans())
def test_the_words_of_each_entity_are_its_span(row: tuple[str, list[Entity]]) -> None:
    text, spans = row
    if not text.strip():
        return
    found = read({"text": text, "spans": [list(span) for span in spans]})
    assert found.tags is not None
    entities: list[Entity] = []
    for start, end, tag in zip(found.starts, found.ends, found.tags, strict=True):
        if tag.startswith("B-"):
            entities.append((start, end, tag[2:]))
        elif tag.startswith("I-"):
            entities[-1] = (entities[-1][0], end, tag[2:])
    stripped = [
        (s + len(text[s:e]) - len(text[s:e].lstrip()), s + len(text[s:e].rstrip()), k) for s, e, k in spans
    ]
    assert entities == stripped


# other programs' exports


def test_label_studios_json() -> None:
    value = {"start": 0, "end": 7, "text": "Ann Lee", "labels": ["PER"]}
    result = [
        {"from_name": "label", "type": "labels", "value": value},
        {"type": "relation", "from_id": "a", "to_id": "b"},
    ]
    cancelled = {"was_cancelled": True, "result": [{"value": {"start": 0, "end": 3, "labels": ["X"]}}]}
    raw = {"id": 1, "data": {"text": ROME, "source": "x"}, "annotations": [cancelled, {"result": result}]}
    ((number, row),) = NER.format.unpack([(4, raw)])
    assert (number, row) == (4, {"id": 1, "text": ROME, "spans": [value]})
    assert read(row).tags == ["B-PER", "I-PER", "O", "O", "O"]


def test_a_task_of_label_studio_that_nobody_annotated_is_not_labelled() -> None:
    rows = [
        (1, {"data": {"text": "a"}, "annotations": []}),
        (2, {"data": {"text": "a"}, "annotations": [{"was_cancelled": True, "result": []}]}),
        (3, {"data": {"text": "a"}, "annotations": [{"result": []}]}),
    ]
    assert [row["spans"] for _, row in NER.format.unpack(rows)] == [None, None, []]  # type: ignore[misc,index]


def test_the_only_text_of_a_task_of_label_studio_is_found_by_any_name() -> None:
    rows = [
        (1, {"data": {"body": "a", "id": 3}, "annotations": []}),
        (2, {"data": {"one": "a", "two": "b"}, "annotations": []}),
    ]
    assert [row["text"] for _, row in NER.format.unpack(rows)] == ["a", None]  # type: ignore[misc,index]


def test_label_studios_short_json_needs_no_change() -> None:
    raw = {"id": 1, "text": ROME, "label": [{"start": 12, "end": 16, "text": "Rome", "labels": ["LOC"]}]}
    assert list(NER.format.unpack([(1, raw)])) == [(1, raw)]
    assert read(raw, label="label").tags == ["O", "O", "O", "B-LOC", "O"]


def test_spacys_documents() -> None:
    raw = {"text": ROME, "ents": [{"start": 0, "end": 7, "label": "PER"}], "tokens": [{"id": 0, "start": 0}]}
    ((_, row),) = NER.format.unpack([(1, raw)])
    assert row == {"text": ROME, "spans": raw["ents"]}
    assert read(row).tags == ["B-PER", "I-PER", "O", "O", "O"]  # type: ignore[arg-type]


def test_spacys_pairs() -> None:
    fault = Fault(3, "not an object", {"": [ROME, {"entities": [[12, 16, "LOC"]]}]})
    ((number, row),) = NER.format.unpack([fault])  # type: ignore[misc]
    assert number == 3
    assert read(row).tags == ["O", "O", "O", "B-LOC", "O"]  # type: ignore[arg-type]


@pytest.mark.parametrize("raw", ["x", [ROME], [ROME, 5], [5, {}], {"a": 1}])
def test_another_fault_stays_one(raw: object) -> None:
    fault = Fault(3, "not an object", {"": raw})
    assert list(NER.format.unpack([fault])) == [fault]


def test_spacys_older_paragraphs_are_a_row_a_sentence() -> None:
    tokens = [{"orth": "Ann", "ner": "B-PER"}, {"orth": "Lee", "ner": "L-PER"}, {"orth": "."}]
    sentences = [{"tokens": tokens}, {"tokens": [{"orth": "Rome", "ner": "U-LOC"}]}]
    rows = list(NER.format.unpack([(2, {"id": 0, "paragraphs": [{"raw": "…", "sentences": sentences}, {}]})]))
    assert [number for number, _ in rows] == [2, 2]  # type: ignore[misc]
    found = [read(row, "tokens", "tags") for _, row in rows]  # type: ignore[misc,arg-type]
    assert [row.tags for row in found] == [["B-PER", "I-PER", "O"], ["B-LOC"]]
    assert [row.text for row in found] == ["Ann Lee .", "Rome"]


def test_offsets_by_other_names() -> None:
    assert read({"text": ROME, "spans": [{"start_offset": 12, "end_offset": 16, "label": "LOC"}]}).tags == [
        *("O", "O", "O", "B-LOC", "O")
    ]


def test_the_json_of_annotators_for_spacy(tmp_path: Path) -> None:
    pairs = [[f"{name} saw Rome.", {"entities": [[0, 3, "PER"]]}] for name in ("Ann", "Bob", "Joe")]
    (tmp_path / "test.json").write_text(json.dumps({"classes": ["PER"], "annotations": pairs}))
    data = load(tmp_path, settings=DataSection(), format=NER.format, need=("test",))
    assert [row["label"][0] for row in data.splits["test"]] == [1, 1, 1]


def test_a_type_may_hold_any_mark(tmp_path: Path) -> None:
    rows = [{"tokens": [f"Ann{i}", "ran"], "tags": ["B-Name|first, given;x", "O"]} for i in range(3)]
    data = load({"test": rows}, settings=DataSection(), format=NER.format, need=("test",))
    assert data.labels.names == ("O", "B-Name|first, given;x", "I-Name|first, given;x")
    assert [row["label"] for row in data.splits["test"]] == [[1, 0]] * 3


def test_other_rows_stay_as_they_are() -> None:
    raw = {"tokens": ["a"], "tags": ["O"], "data": "x"}
    assert list(NER.format.unpack([(1, raw)])) == [(1, raw)]


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ({"data": {"text": ROME}, "annotations": "none"}, "annotations: 'none'; a list of objects"),
        ({"data": {"text": ROME}, "annotations": [3]}, "annotations: 3 is in the list; an object"),
        ({"data": {"text": ROME}, "annotations": [{"result": {"value": 1}}]}, "result: {'value': 1}; a list"),
        (
            {
                "data": {"text": ROME},
                "annotations": [{"result": [{"value": {"start": 0, "hypertextlabels": ["PER"]}}]}],
            },
            "result: holds hypertextlabels; read are the labels of plain text",
        ),
        (
            {
                "data": {"text": ROME, "title": "Rome"},
                "annotations": [
                    {
                        "result": [
                            {"to_name": name, "value": {"start": 0, "end": 3, "labels": ["PER"]}}
                            for name in ("text", "title")
                        ]
                    }
                ],
            },
            "labels several texts of the task (text, title)",
        ),
        ({"paragraphs": ["a text"]}, "paragraphs: 'a text' is in the list"),
        ({"paragraphs": [{"sentences": [{"tokens": ["Ann"]}]}]}, "tokens: 'Ann' is in the list"),
        ({"title": "Fox", "paragraphs": [{"context": ROME, "qas": []}]}, "which --task qa reads"),
    ],
)
def test_a_broken_part_of_an_export_is_a_fault_and_the_rows_after_it_are_read(
    raw: dict[str, object], wanted: str
) -> None:
    after = {"tokens": ["a"], "tags": ["O"]}
    fault, row = NER.format.unpack([(3, raw), (4, after)])
    assert isinstance(fault, Fault)
    assert (fault.number, row) == (3, (4, after))
    assert wanted in fault.why


@pytest.mark.parametrize(
    ("tokens", "tags"),
    [
        ("['Ann', 'Lee', 'left']", "['B-PER', 'I-PER', 'O']"),  # lists
        ("['Ann' 'Lee' 'left']", "['B-PER' 'I-PER'\n 'O']"),  # arrays of numpy
    ],
)
def test_a_table_holds_tokens_and_tags_as_python_writes_them(tokens: str, tags: str) -> None:
    row = read({"tokens": tokens, "tags": tags}, "tokens", "tags")
    assert (row.text, row.tags) == ("Ann Lee left", ["B-PER", "I-PER", "O"])


def test_a_table_holds_spans_as_python_writes_them() -> None:
    row = read({"text": "Ann's here", "spans": """[{'start': 0, 'end': 3, 'label': "PER", 'id': None}]"""})
    assert row.tags is not None
    assert row.tags[0] == "B-PER"


@pytest.mark.parametrize(
    "cell", ["[{'start': 0, 'end': nan}]", "[{'label': 'a' 'b'}]", "[open('x')]", "[{1, 2}]", "[" * 100_000]
)
def test_a_cell_that_holds_no_plain_values_names_the_fix(cell: str) -> None:
    fix = 'write the table with df.to_json("FILE.jsonl", orient="records", lines=True)'
    refused(lambda: read({"text": ROME, "spans": cell}), "spans", "starts like a JSON list but is none", fix)


def test_entities_in_a_table_that_pandas_wrote(tmp_path: Path) -> None:
    tokens = [["Ann", "left", str(number)] for number in range(9)]
    frame = pd.DataFrame({"tokens": tokens, "tags": [["B-PER", "O", "O"]] * 9})
    frame.to_csv(tmp_path / "train.csv", index=False)
    frame[:2].to_csv(tmp_path / "validation.csv", index=False)
    found = read_data(tmp_path, task="ner").splits["train"]
    assert found["text"][:2] == ["Ann left 0", "Ann left 1"]
    assert found["label"][0] == found["label"][8]
    assert [found["label"][0][word] == 0 for word in range(3)] == [False, True, True]


def test_a_table_holds_tokens_spans_and_tags_as_json_lists() -> None:
    row = read({"tokens": '["Ann", "Lee", "left"]', "tags": '["B-PER", "I-PER", "O"]'}, "tokens", "tags")
    assert (row.text, row.tags) == ("Ann Lee left", ["B-PER", "I-PER", "O"])
    broken = {"tokens": "['Ann', 'Lee'", "tags": "B-PER I-PER"}
    refused(lambda: read(broken, "tokens", "tags"), "tokens", "starts like a JSON list but is none")
    assert read({"tokens": "[ 1 ]", "tags": "O O O"}, "tokens", "tags").tags == ["O", "O", "O"]
    assert read({"text": ROME, "spans": " "}).tags is None
    assert read({"text": ROME, "spans": '[[12, 16, "LOC"]]'}).tags == ["O", "O", "O", "B-LOC", "O"]
    assert read({"text": "Ann ran", "spans": '["B-PER", "O"]'}).tags == ["B-PER", "O"]


def test_files_that_hold_something_else_are_named(tmp_path: Path) -> None:
    article = {"title": "Fox", "paragraphs": [{"context": ROME, "qas": [{"question": "?", "answers": []}]}]}
    (tmp_path / "train.json").write_text(json.dumps({"version": "1.1", "data": [article]}))
    (tmp_path / "validation.conll").write_text("Ann\nran\n\nBob\n")
    (tmp_path / "test.jsonl").write_text('{"text": "Ann ran home", "label": "good"}\n')
    with pytest.raises(DataError) as caught:
        load(tmp_path, settings=DataSection(), format=NER.format)
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [
        *("train.json, row 1", "validation.conll, line 1", "validation.conll, line 4"),
    ]
    assert "--task qa reads" in caught.value.problems[0]
    for name in ("train.json", "validation.conll"):
        (tmp_path / name).unlink()
    with pytest.raises(DataError, match="one label for the whole text, which --task classification learns"):
        load(tmp_path, settings=DataSection(), format=NER.format, need=("test",))


def test_what_nobody_sees_makes_no_type() -> None:
    assert read_tokens(["Rome"], ["\ufeffB-LOC\u200b"]).tags == ["B-LOC"]
    assert read({"text": "Rome", "spans": [[0, 4, "LOC\u200b"]]}).tags == ["B-LOC"]
