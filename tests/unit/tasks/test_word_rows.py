"""Tables with one word a row: which they are, their sentences, and rows that cannot be used."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinybert.config import DataSection
from tinybert.data import TextData, load
from tinybert.errors import DataError
from tinybert.sources.text_files import Fault, RawRow
from tinybert.tasks.ner import NER
from tinybert.tasks.ner.word_rows import find_word_columns, joined_sentences

Rows = list[dict[str, object]]
SENTENCES = [
    (["Ann", "Lee", "left"], ["B-PER", "I-PER", "O"]),
    (["In", "Rome", ","], ["O", "B-LOC", "O"]),
    (["null", "NA", "nan"], ["O", "O", "O"]),
    (["Bob"], ["B-PER"]),
]


def word_rows(*, filled: bool = False, sentences: Sequence[tuple[list[str], list[str]]] = SENTENCES) -> Rows:
    """Kaggle's table; the sentence is named in its first row, or in every row."""
    return [
        {
            "Sentence #": f"Sentence: {number}" if filled or index == 0 else "",
            "Word": word,
            "POS": f"P{index}",
            "Tag": tag,
        }
        for number, (words, tags) in enumerate(sentences, 1)
        for index, (word, tag) in enumerate(zip(words, tags, strict=True))
    ]


def joined(
    rows: Sequence[Mapping[str, object] | Fault], *, text: str | None = None, label: str | None = None
) -> list[RawRow | Fault]:
    numbered = [row if isinstance(row, Fault) else (number, row) for number, row in enumerate(rows, 1)]
    return list(joined_sentences(iter(numbered), text=text, label=label, names=("tokens", "tags")))


def one_fault(rows: Sequence[Mapping[str, object] | Fault]) -> Fault:
    (fault,) = [row for row in joined(rows) if isinstance(row, Fault)]
    return fault


def loaded(source: object, **settings: object) -> TextData:
    section = DataSection(**settings)
    return load(source, settings=section, format=NER.format, need=("test",))  # type: ignore[arg-type]


def sentences_in(data: TextData) -> list[tuple[list[str], list[str]]]:
    return [
        (
            [row["text"][start:end] for start, end in zip(row["word_starts"], row["word_ends"], strict=True)],
            [data.labels.names[tag] for tag in row["label"]],
        )
        for row in data.splits["test"]
    ]


def write(path: Path, rows: Rows) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(
            pa.Table.from_pylist([{**row, "Sentence #": row["Sentence #"] or None} for row in rows]), path
        )
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_the_words_of_a_sentence_are_one_row(tmp_path: Path, ending: str, filled: bool) -> None:
    file = write(tmp_path / f"words.{ending}", word_rows(filled=filled))
    assert sentences_in(loaded(file)) == SENTENCES
    assert sentences_in(loaded(file, text="Word", label="Tag")) == SENTENCES


def test_lists_of_rows_with_numbers_of_sentences() -> None:
    rows = [
        {"sentence_id": number, "words": word, "labels": tag}
        for number, (words, tags) in enumerate(SENTENCES)
        for word, tag in zip(words, tags, strict=True)
    ]
    assert sentences_in(loaded(rows)) == SENTENCES
    gaps = [
        {
            **row,
            "sentence_id": float("nan")
            if row["sentence_id"] == before["sentence_id"]
            else float(row["sentence_id"]),
        }
        for before, row in zip([{"sentence_id": None}, *rows], rows, strict=False)
    ]
    assert sentences_in(loaded(gaps)) == SENTENCES  # as pandas reads them


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("sentence_id", "words", "labels"), ("words", "labels", ("sentence_id",))),
        (("Sentence #", "Word", "Tag"), ("Word", "Tag", ("Sentence #",))),
        (("sentence", "token", "ner_tag"), ("token", "ner_tag", ("sentence",))),
        (("sentence_idx", "word", "tag"), ("word", "tag", ("sentence_idx",))),
        (("sent_id", "text", "label"), ("text", "label", ("sent_id",))),
    ],
)
def test_usual_names(names: tuple[str, str, str], found: tuple[str, str, tuple[str, ...]]) -> None:
    rows = [dict(zip(names, row, strict=True)) for row in [(1, "Ann", "B-PER"), (1, "left", "O")]]
    columns = find_word_columns(rows, None, None)
    assert columns is not None
    assert (columns.word, columns.tag, columns.sentence) == found


@pytest.mark.parametrize(
    "rows",
    [
        [{"tokens": ["Ann"], "tags": ["B-PER"]}, {"tokens": ["left"], "tags": ["O"]}],
        [{"tokens": '["Ann"]', "tags": '["B-PER"]'}, {"tokens": '["left"]', "tags": '["O"]'}],
        [{"text": "Ann left", "label": "B-PER O"}, {"text": "In Rome", "label": "O B-LOC"}],
        [
            {"id": 1, "text": "北京欢迎你", "spans": '[[0, 2, "LOC"]]'},
            {"id": 1, "text": "你好", "spans": "[]"},
        ],
        [{"sid": 1, "text": "北京欢迎你"}, {"sid": 1, "text": "你好"}],  # texts to predict, in Chinese
        [{"text": "yes", "label": "good"}, {"text": "no", "label": "bad"}],
        [{"sentence": "Ann", "tag": "B-PER"}],
        [],
    ],
)
def test_other_tables_are_unchanged(rows: Rows) -> None:
    assert joined(rows) == list(enumerate(rows, 1))


def test_rows_to_predict_need_no_tags_where_the_column_says_words() -> None:
    rows = [
        {"sentence_id": "", "word": "left"},
        {"sentence_id": 7, "word": "Ann"},
        {"sentence_id": "", "word": "left"},
    ]
    assert joined(rows) == [
        (1, {"sentence_id": None, "tokens": ["left"]}),
        (2, {"sentence_id": "7", "tokens": ["Ann", "left"]}),
    ]


def test_without_a_column_of_sentences_the_table_is_refused() -> None:
    rows = [{"word": row["Word"], "tag": row["Tag"]} for row in word_rows()]
    fault = one_fault(rows)
    assert (fault.number, fault.is_fatal) == (1, True)
    assert fault.why.startswith(
        "one word a row (word) with its tag (tag), and no column says where a sentence begins; add a column "
        "sentence_id with its number, or give a row a whole sentence"
    )
    numbered = [{"sentence_id": number, **row} for number, row in enumerate(rows)]  # every word another
    assert one_fault(numbered).is_fatal
    with pytest.raises(DataError) as caught:
        loaded(rows, text="word", label="tag", on_bad_row="skip")
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith("rows, row 1: one word a row (word) with its tag (tag)")


def test_documents_number_their_sentences_anew() -> None:
    rows = [
        {"doc_id": document, "sent_id": 0, "lang": "en", "word": word, "tag": "O"}
        for document in "ab"
        for word in ("one", "two")
    ]
    wanted = {"lang": "en", "sent_id": "0", "tokens": ["one", "two"], "tags": ["O", "O"]}
    assert joined(rows) == [(1, {"doc_id": "a", **wanted}), (3, {"doc_id": "b", **wanted})]


@pytest.mark.parametrize(
    ("row", "cell", "why"),
    [
        (
            1,
            {"Word": " "},
            "Word: empty; a word has visible characters; the whole sentence (1–3) cannot be used",
        ),
        (
            1,
            {"Word": float("nan")},
            "Word: missing; pandas reads the words null, NA and nan so: keep them with",
        ),
        (1, {"Word": None}, "Word: missing; pandas"),
        (1, {"Word": 7}, "Word: a whole number where a word is expected; write it in quotes"),
        (2, {"Tag": ""}, "Tag: missing; give each word a tag, O for none; the whole sentence (1–3) cannot"),
        (
            2,
            {"Tag": "PER"},
            "Tag: tag 'PER': a tag is O, or a letter (B, I; M, E, S; L, U), a hyphen and a type",
        ),
    ],
)
def test_a_bad_word_takes_its_sentence_along(row: int, cell: dict[str, object], why: str) -> None:
    rows = word_rows()
    rows[row] = {**rows[row], **cell}
    found = joined(rows)
    assert isinstance(found[0], Fault)
    assert found[0].number == row + 1
    assert found[0].why.startswith(why)
    assert not found[0].is_fatal
    assert [each[1]["tokens"] for each in found[1:]] == [words for words, _ in SENTENCES[1:]]  # type: ignore[index]


def test_all_that_is_wrong_with_a_sentence_is_counted() -> None:
    rows = word_rows()
    rows[0]["Word"] = rows[2]["Tag"] = ""
    assert one_fault(rows).why == (
        "Word: empty; a word has visible characters, and 1 more; the whole sentence (1–3) cannot be used"
    )


def test_a_row_that_cannot_be_read_is_of_the_sentence_before_or_behind() -> None:
    rows: list[Mapping[str, object] | Fault] = [*word_rows(filled=True)]
    rows[1] = Fault(2, "5 fields where the header has 4", {})
    assert one_fault(rows).why == "5 fields where the header has 4; the whole sentence (1–3) cannot be used"
    rows = [*word_rows(filled=True)]
    rows[3] = Fault(4, "5 fields", {})
    assert [row.why for row in joined(rows) if isinstance(row, Fault)] == [
        "5 fields; the whole sentence (1–3) cannot be used",
        "5 fields; the whole sentence (5–6) cannot be used",
    ]
    rows[3] = Fault(4, "a quote opens here", {}, is_fatal=True)
    assert rows[3] in joined(rows)


def test_rows_without_anything_are_none() -> None:
    rows = word_rows()
    rows.insert(3, dict.fromkeys(rows[0], ""))
    assert [row[1]["tokens"] for row in joined(rows)] == [words for words, _ in SENTENCES]  # type: ignore[index]


def test_a_sentence_without_any_tag_has_no_label() -> None:
    rows = word_rows()
    for row in rows[:3]:
        row["Tag"] = ""
    assert [row[1]["tags"] for row in joined(rows)] == [None, *(tags for _, tags in SENTENCES[1:])]  # type: ignore[index]


def test_words_of_a_sentence_that_are_not_together_are_refused() -> None:
    rows = word_rows(filled=True)
    rows = [*rows[:2], *rows[3:], rows[2]]
    fault = one_fault(rows)
    assert fault.number == len(rows)
    assert fault.why.startswith(
        "Sentence #: Sentence: 1 is there before, from 1 on; sort the rows so that those of a sentence follow"
    )
