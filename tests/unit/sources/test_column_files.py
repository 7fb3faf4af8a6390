"""Files of columns, one token a line, and loading rows of entities from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.data.made_up import read

from tinybert.config import DataSection
from tinybert.data import load
from tinybert.errors import DataError
from tinybert.sources.encoding import SourceFile
from tinybert.sources.text_files import Fault
from tinybert.sources.token_columns import read_columns
from tinybert.tasks.classification import CLASSIFICATION
from tinybert.tasks.ner import NER

Write = Callable[..., Path]
Sentence = tuple[list[str], list[str]]
ANN = ["Ann B-PER", "Lee I-PER", "sleeps O"]
ROME = ["Rome B-LOC", "burns O"]


def sentences(path: Path) -> list[tuple[int, object, object]]:
    rows = list(read_columns(SourceFile(path, path.name)))
    assert not any(isinstance(row, Fault) for row in rows), rows
    return [(number, raw["tokens"], raw["tags"]) for number, raw in rows]  # type: ignore[misc]


def conll(*parts: Sequence[str]) -> str:
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def numbered(count: int, *, start: int = 0) -> list[list[str]]:
    return [[f"Ann{number} B-PER", "in O", "Rome B-LOC"] for number in range(start, start + count)]


def problems_of(source: object, **options: object) -> list[str]:
    with pytest.raises(DataError) as caught:
        read(source, task="ner", **options)
    return list(caught.value.problems)


def names_of(data: object, split: str, row: int) -> list[str]:
    return [data.labels.names[tag] for tag in data.splits[split]["label"][row]]  # type: ignore[attr-defined]


@pytest.mark.parametrize("gap", [" ", "\t", "   "])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n\n"])
def test_sentences_are_parted_by_blank_lines(write: Write, gap: str, line_end: str, last: str) -> None:
    text = conll(ANN, ROME).rstrip("\n").replace(" ", gap) + last
    path = write("a.conll", text.replace("\n", line_end))
    assert sentences(path) == [
        (1, ["Ann", "Lee", "sleeps"], ["B-PER", "I-PER", "O"]),
        (5, ["Rome", "burns"], ["B-LOC", "O"]),
    ]


def test_the_token_stands_first_and_the_tag_last(write: Write) -> None:
    path = write("a.conll", "Ann NNP B-NP B-PER\nsleeps VBZ B-VP O\n")
    assert sentences(path) == [(1, ["Ann", "sleeps"], ["B-PER", "O"])]


def test_a_token_with_a_space_needs_tabs(write: Write) -> None:
    assert sentences(write("a.conll", "New York\tB-LOC\n")) == [(1, ["New York"], ["B-LOC"])]


def test_beginnings_of_documents_part_sentences(write: Write) -> None:
    path = write("a.conll", "-DOCSTART- -X- -X- O\n\nAnn B-PER\n-DOCSTART- O\nRome B-LOC\n")
    assert sentences(path) == [(3, ["Ann"], ["B-PER"]), (5, ["Rome"], ["B-LOC"])]


@pytest.mark.parametrize("comment", ["# sent_id = weather-1", "#", "#id", "# text = Ann sleeps ."])
def test_comments_before_a_sentence_are_no_tokens(write: Write, comment: str) -> None:
    assert sentences(write("a.conll", f"{comment}\n{comment}\nAnn B-PER\n")) == [(3, ["Ann"], ["B-PER"])]


def test_a_hash_that_is_a_token_stays(write: Write) -> None:
    path = write("a.conll", "# O\n1 O\n\nrank O\n#1 O\n\n#winning\tO\n")
    assert [tokens for _, tokens, _ in sentences(path)] == [["#", "1"], ["rank", "#1"], ["#winning"]]


def test_a_hash_that_is_the_first_token_of_four_columns_stays(write: Write) -> None:
    path = write("a.conll", "Rome NNP B-NP B-LOC\n\n# NN B-NP B-PRODUCT\n1 CD I-NP I-PRODUCT\n")
    assert sentences(path)[1] == (3, ["#", "1"], ["B-PRODUCT", "I-PRODUCT"])


def test_a_byte_order_mark_is_no_part_of_a_token(write: Write) -> None:
    assert sentences(write("a.conll", b"\xef\xbb\xbfAnn B-PER\n")) == [(1, ["Ann"], ["B-PER"])]


@pytest.mark.parametrize("text", ["", "\n\n", "-DOCSTART- O\n", "# a comment of words\n"])
def test_no_sentence_at_all(write: Write, text: str) -> None:
    assert list(read_columns(SourceFile(write("a.conll", text), "a.conll"))) == []


COUNTED = "1\tAnn\tB-PER\n2\tleft\tO\n\n1\tStop\tO\n"


@pytest.mark.parametrize(
    "text",
    [
        COUNTED,
        COUNTED.replace("\t", " "),
        COUNTED.replace("\n", "\r\n"),
        "#\thttp://de.wikipedia.org/wiki/Ann [2009-10-17]\n" + COUNTED,  # GermEval
        "# sent_id = 1\n# text = Ann left\n1-2\tAnnleft\t_\n" + COUNTED,  # CoNLL-U
        COUNTED.replace("\n\n", "\n2.1\tthere\t_\n\n"),
    ],
)
def test_tokens_that_are_counted_are_in_the_second_column(write: Write, text: str) -> None:
    found = [(tokens, tags) for _, tokens, tags in sentences(write("a.conll", text))]
    assert found == [(["Ann", "left"], ["B-PER", "O"]), (["Stop"], ["O"])]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("1 CD B-NP O\n", [["1"]]),  # a sentence of CoNLL-2003
        ("1 CD B-NP O\n\n1 CD B-NP O\n", [["1"], ["1"]]),
        ("1 CD B-NP O\n2 CD I-NP O\n\nAnn NNP B-NP B-PER\n", [["1", "2"], ["Ann"]]),
        ("1 O\n2 O\n", [["1", "2"]]),
        ("2 CD O\n3 CD O\n", [["2", "3"]]),
        ("1 CD O\n2 CD O\n4 CD O\n", [["1", "2", "4"]]),
    ],
)
def test_numbers_that_are_tokens_stay(write: Write, text: str, tokens: list[list[str]]) -> None:
    assert [found for _, found, _ in sentences(write("a.conll", text))] == tokens


def test_the_first_twenty_sentences_decide_whether_tokens_are_counted(write: Write) -> None:
    path = write("a.conll", COUNTED + "\n" + "1\tAnn\tB-PER\n\n" * 18 + "Lee\tNNP\tB-PER\n\n5\tJo\tO\n")
    *rows, fault, last = read_columns(SourceFile(path, "a.conll"))
    assert len(rows) == 20
    assert isinstance(fault, Fault)
    assert fault.why.startswith("line 42 is 'Lee\\tNNP\\tB-PER': a number is expected first")
    assert last == (44, {"tokens": ["Jo"], "tags": ["O"]})


def test_a_line_of_one_column_is_a_fault_of_its_sentence_alone(write: Write) -> None:
    path = write("a.conll", "Ann B-PER\nLee\nJo\nsleeps O\n\nRome B-LOC\n")
    fault, row = read_columns(SourceFile(path, "a.conll"))
    assert isinstance(fault, Fault)
    assert (fault.number, fault.is_fatal) == (1, False)
    assert fault.why.startswith("line 2 is 'Lee': a token and its tag are expected")
    assert row == (6, {"tokens": ["Rome"], "tags": ["B-LOC"]})


TOKENS = st.text(st.sampled_from("aB1.北é😀-"), min_size=1, max_size=5).filter(
    lambda word: word != "-DOCSTART-"
)


@given(st.lists(st.lists(TOKENS, min_size=1, max_size=6), min_size=1, max_size=6), st.sampled_from(" \t"))
def test_what_was_written_is_read(tmp_path_factory, wanted: list[list[str]], gap: str) -> None:
    path = tmp_path_factory.mktemp("columns") / "a.conll"
    path.write_text(conll(*[[f"{word}{gap}O" for word in words] for words in wanted]), encoding="utf-8")
    assert [tokens for _, tokens, _ in sentences(path)] == wanted


# a folder


def test_a_folder_of_columns(write: Write, tmp_path: Path) -> None:
    write("train.conll", "-DOCSTART- O\n\n" + conll(ANN, ROME))
    write("validation.conll", conll(*numbered(2)))
    data = read(tmp_path, task="ner")
    train = data.splits["train"]
    assert data.labels.names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert train["text"][:] == ["Ann Lee sleeps", "Rome burns"]
    assert train["word_starts"][:] == [[0, 4, 8], [0, 5]]
    assert train["word_ends"][:] == [[3, 7, 14], [4, 10]]
    assert names_of(data, "train", 0) == ["B-PER", "I-PER", "O"]
    assert data.warnings == []


def test_a_folder_of_json_lines_with_tokens_and_with_spans(write: Write, tmp_path: Path) -> None:
    write("train.jsonl", [{"tokens": ["Ann", "Lee"], "ner_tags": ["S-PER", "O"]}])
    write("validation.jsonl", [{"text": "Ann's cat", "spans": [{"start": 0, "end": 3, "label": "PER"}]}])
    data = read(tmp_path, task="ner")
    assert names_of(data, "train", 0) == ["B-PER", "O"]
    assert names_of(data, "validation", 0) == ["B-PER", "O", "O"]


@pytest.mark.parametrize("ending", ["bio", "iob", "iob2", "conll"])
def test_one_file_of_columns_is_split(write: Write, ending: str) -> None:
    data = read(write(f"all.{ending}", conll(*numbered(40))), task="ner")
    assert sum(map(len, data.splits.values())) == 40
    assert set(data.splits) == {"train", "validation", "test"}


def test_a_line_without_a_tag_is_named_by_file_and_line(write: Write, tmp_path: Path) -> None:
    write("train.conll", conll(ANN, ["Rome B-LOC", "burns"]))
    write("validation.conll", conll(["Jo B-PER"]))
    (problem,) = problems_of(tmp_path)
    assert problem.startswith("train.conll, line 5: line 6 is 'burns'")
    kept = read(tmp_path, task="ner", on_bad_row="skip")
    assert kept.splits["train"]["text"][:] == ["Ann Lee sleeps"]


def test_tags_that_train_does_not_know_are_refused_by_file_and_row(write: Write, tmp_path: Path) -> None:
    write("train.conll", conll(*numbered(4)))
    write("validation.conll", conll(["Rome B-LOC"], ["Acme B-ORG", "Inc I-ORG"]))
    (problem,) = problems_of(tmp_path)
    assert problem.startswith("validation.conll, line 3")
    assert "unknown to train: label 'B-ORG'" in problem
    kept = read(tmp_path, task="ner", on_bad_row="skip")
    assert kept.splits["validation"]["text"][:] == ["Rome"]
    assert [(row.file, row.row) for row in kept.bad_rows] == [("validation.conll", 3)]


def test_iob1_is_read_and_told_once_a_file(write: Write, tmp_path: Path) -> None:
    write("train.conll", conll(["Ann I-PER", "Lee I-PER", "x O"], ["Rome I-LOC"], ["A I-PER", "B B-PER"]))
    write("validation.conll", conll(*numbered(2)))
    data = read(tmp_path, task="ner")
    assert names_of(data, "train", 0) == ["B-PER", "I-PER", "O"]
    assert names_of(data, "train", 2) == ["B-PER", "B-PER"]
    (warning,) = data.warnings
    assert warning.startswith("train.conll: 3 of 4 entities")
    assert "read as IOB1" in warning


def test_a_few_orphans_are_repaired_and_their_rows_named(write: Write, tmp_path: Path) -> None:
    write("train.conll", conll(ANN, ROME, ["in O", "Paris I-LOC"]))
    write("validation.conll", conll(*numbered(2)))
    data = read(tmp_path, task="ner")
    assert names_of(data, "train", 2) == ["O", "B-LOC"]
    (warning,) = data.warnings
    assert "train.conll: 1 of 3 entities" in warning
    assert "repaired (the first in lines 8)" in warning


def test_orphans_are_bad_rows_on_request(write: Write, tmp_path: Path) -> None:
    write("train.conll", conll(ANN, ROME, ["in O", "Paris I-LOC"]))
    write("validation.conll", conll(*numbered(2)))
    (problem,) = problems_of(tmp_path, on_orphan_tag="refuse")
    assert problem.startswith("train.conll, line 8, tags: tag 2 is 'I-LOC' without a B-LOC before it")
    kept = read(tmp_path, task="ner", on_orphan_tag="refuse", on_bad_row="skip")
    assert kept.splits["train"]["text"][:] == ["Ann Lee sleeps", "Rome burns"]
    assert kept.warnings == []


def test_bad_rows_are_set_aside(write: Write, tmp_path: Path) -> None:
    rows = [
        {"tokens": ["Ann"], "tags": ["B-PER"]},
        {"tokens": ["Ann", "Lee"], "tags": ["B-PER"]},
        {"tokens": [], "tags": []},
        {"tokens": ["Rome"]},
        {"tokens": ["Rome"], "tags": ["LOC"]},
        {"tokens": ["a\0b"], "tags": ["O"]},
    ]
    write("train.jsonl", rows)
    write("validation.jsonl", [*rows[:1], {"tokens": ["Lee"], "tags": ["B-PER"]}])
    assert [problem.split(":")[0] for problem in problems_of(tmp_path)] == [
        "train.jsonl, line 2, tags",
        "train.jsonl, line 3, tokens",
        "train.jsonl, line 4, tags",
        "train.jsonl, line 5, tags",
        "train.jsonl, line 6, tokens",
    ]
    kept = read(tmp_path, task="ner", on_bad_row="skip")
    assert kept.splits["train"]["text"][:] == ["Ann"]
    assert [row.row for row in kept.bad_rows] == [2, 3, 4, 5, 6]


def test_rows_without_tags_are_for_training_only_and_only_where_they_are_allowed() -> None:
    rows = [{"tokens": ["Ann"], "tags": ["B-PER"]}, {"tokens": ["Jo", "Lee"], "tags": None}]
    splits = {"train": rows, "validation": [{"tokens": ["Rome"], "tags": ["O"]}]}
    (problem,) = problems_of(splits)
    assert problem.startswith("rows[train], row 2, tags: no label; give each token a tag")
    train = read(splits, task="ner", allow_unlabelled=True).splits["train"]
    assert train["label"][:] == [[1], None]
    assert train["word_starts"][:] == [[0], [0, 3]]


def test_rows_without_any_entity_are_a_problem() -> None:
    splits = {name: [{"tokens": [name], "tags": ["O"]}] for name in ("train", "validation")}
    assert "no row has an entity" in problems_of(splits)[0]


def test_columns_may_end_in_txt_and_are_no_texts_of_one_label(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.txt").write_text(
            f"{split} NNP B-LOC\nsleeps VBZ O\n\nA DT O\n{split} NN B-LOC\n"
        )
    data = load(tmp_path, settings=DataSection(), format=NER.format)
    assert data.splits["validation"]["text"][0] == "valid sleeps"
    with pytest.raises(DataError, match="holds tokens and tags, which --task ner reads"):
        load(tmp_path, settings=DataSection(), format=CLASSIFICATION.format)
