"""Every bad input: the error names the file, the row, the column and the fix."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.data.made_up import read, rows_of

from tinybert.data import LabelScheme
from tinybert.errors import DataError

Write = Callable[..., Path]
GOOD_CSV = "".join(f"film {index},{'good' if index % 2 else 'bad'}\n" for index in range(40))


def problems_of(source: object, **options: object) -> list[str]:
    with pytest.raises(DataError) as caught:
        read(source, **options)
    return list(caught.value.problems)


def only_problem(source: object, *wanted: str, **options: object) -> None:
    found = problems_of(source, **options)
    assert len(found) == 1, found
    for part in wanted:
        assert part in found[0], found[0]


@pytest.mark.parametrize(
    ("bad_line", "line", "wanted"),
    [
        (",good", 5, ["text: empty", "visible character"]),
        ('"   ",good', 5, ["text: empty"]),
        ("film x,", 5, ["label: no label", "give the row one"]),
        ("film, x,good", 5, ["3 fields where the header has 2", "quote a text that holds ','"]),
        ("film x", 5, ["1 field where the header has 2", "part the fields with ','"]),
        ('"film" x,good', 5, ["',' expected after '\"'", "double each"]),
        ("film\0x,good", 5, ["NUL byte", "remove it"]),
        ("film\rx,good", 5, ["carriage return", "quotes"]),
    ],
)
def test_bad_csv_row(write: Write, bad_line: str, line: int, wanted: list[str]) -> None:
    lines = GOOD_CSV.splitlines(keepends=True)
    path = write("reviews.csv", "text,label\n" + "".join(lines[:3]) + bad_line + "\n" + "".join(lines[3:]))
    only_problem(path, f"reviews.csv, line {line}", "data.on_bad_row=skip", *wanted)

    kept = read(path, on_bad_row="skip")
    assert sum(map(len, kept.splits.values())) == 40
    assert [(row.file, row.row) for row in kept.bad_rows] == [("reviews.csv", line)]
    assert kept.bad_rows[0].raw


def test_line_numbers_count_lines_inside_quotes_and_blank_ones(write: Write) -> None:
    path = write("reviews.csv", 'text,label\n"two\nlines",good\n\n,bad\n' + GOOD_CSV)
    only_problem(path, "reviews.csv, line 5, text: empty")


def test_a_quote_that_never_closes_names_where_it_opens_even_when_bad_rows_are_skipped(write: Write) -> None:
    path = write("reviews.csv", 'text,label\nfilm a,good\n"film b,good\n' + GOOD_CSV)
    only_problem(path, "line 3", "never closes", "40 lines after it", on_bad_row="skip")


@pytest.mark.parametrize(
    ("bad_line", "wanted"),
    [
        ('{"text": "x", "label": ', ["not valid JSON"]),
        ('["x", "good"]', ["not an object"]),
        ('{"text": ["x"], "label": "good"}', ["text: a list where a text is expected"]),
        ('{"text": {"a": 1}, "label": "good"}', ["text: a mapping where a text is expected"]),
        ('{"text": 5, "label": "good"}', ["text: a whole number where a text is expected"]),
        ('{"text": null, "label": "good"}', ["text: missing"]),
        ('{"label": "good"}', ["text: missing"]),
        ('{"text": "x", "label": null}', ["label: no label"]),
        ('{"text": "x"}', ["label: no label"]),
        ('{"text": "x", "label": 0.5}', ["0.5", "task=regression"]),
        ('{"text": "x", "label": ["good"]}', ["label: a list where one label", "task=multilabel"]),
        ('{"text": "x\\ud800", "label": "good"}', ["text: half of a surrogate pair"]),
    ],
)
def test_bad_json_line(write: Write, bad_line: str, wanted: list[str]) -> None:
    good = "".join(json.dumps(row) + "\n" for row in rows_of(40))
    path = write("reviews.jsonl", good + bad_line + "\n")
    only_problem(path, "reviews.jsonl, line 41", *wanted)
    assert len(read(path, on_bad_row="skip").bad_rows) == 1


@pytest.mark.parametrize(
    ("label", "wanted"),
    [
        ("high", "'high' is not a number"),
        ("3,5", "write a decimal point"),
        ("nan", "not a finite number"),
        ("inf", "not a finite number"),
        (float("inf"), "not a finite number"),
        (float("nan"), "no label"),
        (True, "a truth value where a number is expected"),
        ([1.0], "a list where a number is expected"),
        (None, "no label"),
        ("", "no label"),
    ],
)
def test_bad_number(label: object, wanted: str) -> None:
    rows = [*rows_of(40, label=lambda index: index / 7), {"text": "x", "label": label}]
    only_problem(rows, "rows, row 41, label", wanted, task="regression")
    assert len(read(rows, task="regression", on_bad_row="skip").bad_rows) == 1


@pytest.mark.parametrize("label", [[["a"]], [None], {"a": 1}, "", None, '["a"'])
def test_bad_set_of_labels(label: object) -> None:
    rows = [*rows_of(40, label=lambda index: ["a", "b"][: index % 3]), {"text": "x", "label": label}]
    only_problem(rows, "rows, row 41, label", task="multilabel")


def test_all_problems_of_all_files_come_at_once(write: Write, tmp_path: Path) -> None:
    write("train.csv", "text,label\n,good\nfilm x,\n" + GOOD_CSV)
    write("test.csv", "text,label\n,bad\nfilm y,awful\n")
    found = problems_of(tmp_path)
    assert [problem.split(":")[0] for problem in found] == [
        *("test.csv, line 2, text", "train.csv, line 2, text", "train.csv, line 3, label"),
        "test.csv, line 3, label",
    ]
    assert "awful" in found[-1]
    assert "unknown to train" in found[-1]
    assert "allowed: bad, good" in found[-1]


def test_unknown_label_is_named_with_the_nearest_one() -> None:
    splits = {"train": rows_of(40), "test": [{"text": "x", "label": "goood"}, {"text": "y", "label": "good"}]}
    only_problem(splits, "rows[test], row 1, label", "did you mean 'good'")
    kept = read(splits, on_bad_row="skip")
    assert kept.splits["test"]["text"][:] == ["y"]
    assert kept.bad_rows[0].raw == {"text": "x", "label": "goood"}


def test_label_that_the_model_does_not_know() -> None:
    known = LabelScheme(("bad", "good"))
    rows = [{"text": "x", "label": "good"}, {"text": "y", "label": "awful"}]
    only_problem({"test": rows}, "row 2", "unknown to the model", need=("test",), known_labels=known)


def test_encoding_is_named_by_line_and_byte(write: Write) -> None:
    path = write("reviews.csv", b"text,label\nfilm,good\ncaf\xe9,bad\n")
    only_problem(path, "line 3", "character 4 (byte 0xe9)", "data.encoding=NAME")
    path = write("reviews.jsonl", b'{"text": "caf\xe9", "label": 1}\n')
    only_problem(path, "line 1", "character 14 (byte 0xe9) is not UTF-8")
    path = write("reviews.json", b'[{"text": "fine",\n "label": 1}, {"text": "caf\xe9", "label": 1}]')
    only_problem(path, "row 2", "not UTF-8")


def test_missing_file_names_the_nearest(write: Write, tmp_path: Path) -> None:
    write("reviews.csv", "text,label\n")
    only_problem(tmp_path / "review.csv", "no such file", "did you mean 'reviews.csv'?")
    only_problem(str(tmp_path / "reviews"), "no such file")


def test_unknown_format_and_empty_files(write: Write) -> None:
    only_problem(write("reviews.xlsx", b"PK"), ".xlsx", "allowed: .csv, .tsv, .jsonl")
    only_problem(write("reviews.csv", ""), "empty", "header line")
    only_problem(write("reviews.jsonl", ""), "no row in it")
    only_problem(write("reviews.json", "[]"), "no row in it")
    only_problem(write("reviews.json", "3"), "list of objects")
    only_problem(write("reviews.parquet", b"nothing of the kind"), "not a Parquet file")
    only_problem([], "no row in it")


def test_header_without_rows(write: Write) -> None:
    found = problems_of(write("reviews.csv", "text,label\n"))
    assert found == ["no rows: there is nothing below the header, or nothing at all"]


def test_measured_numbers_taken_for_classes() -> None:
    rows = [{"text": f"film {i}", "label": i / 7} for i in range(60)]
    only_problem([{**row, "label": f"{row['label']:.3f}"} for row in rows], "60 different ones in 60 rows")
    stars = [{"text": f"film {i}", "label": f"{i % 5 / 2}"} for i in range(60)]
    assert read(stars).labels.names == ("0.0", "0.5", "1.0", "1.5", "2.0")


@pytest.mark.parametrize(
    ("header", "options", "wanted"),
    [
        ("Words,label", {}, ["known as the text", "Words, label", "data.text=COLUMN"]),
        ("text,mood", {}, ["known as the label", "text, mood", "data.label=COLUMN"]),
        ("text,label", {"label": "labl"}, ["data.label=labl", "did you mean 'label'", "text, label"]),
        ("text,label", {"text_pair": "other"}, ["data.text_pair=other", "no such column"]),
        ("sentence,content,label", {}, ["'sentence' and 'content'", "data.text=sentence"]),
        ("text,label,label", {}, ["'label' is there twice"]),
        ("text,label", {"text": "label", "label": "label"}, ["'label' cannot be two things"]),
    ],
)
def test_columns_that_are_not_found(
    write: Write, header: str, options: dict[str, str], wanted: list[str]
) -> None:
    row = ",".join("x" for _ in header.split(","))
    only_problem(write("reviews.csv", f"{header}\n{row}\n"), *wanted, **options)


def test_one_file_with_pairs_and_one_without(write: Write, tmp_path: Path) -> None:
    write("train.csv", "sentence1,sentence2,label\n" + "".join(f"a{i},b{i},{i % 2}\n" for i in range(30)))
    write("test.csv", "text,label\na,0\n")
    only_problem(tmp_path, "test.csv", "no second text", "data.text_pair=COLUMN")


def test_folder_without_train_lists_what_it_holds(write: Write, tmp_path: Path) -> None:
    write("test.csv", "text,label\na,0\n")
    write("notes.txt", "x")
    only_problem(tmp_path, "no train split", "train.*", "notes.txt, test.csv")


def test_two_files_for_one_split(write: Write, tmp_path: Path) -> None:
    write("train.csv", "text,label\n" + GOOD_CSV)
    write("train.jsonl", rows_of(4))
    only_problem(tmp_path, "train.csv, train.jsonl", "keep one")


def test_one_class_only() -> None:
    only_problem(rows_of(40, label=lambda _: "good"), "have the label 'good'", "at least two")
    only_problem(rows_of(40, label=lambda index: int(index == 3)), "max_train_rows", max_train_rows=2)


def test_one_number_only() -> None:
    only_problem(rows_of(40, label=lambda _: 2.5), "have the number '2.5'", "at least two", task="regression")


def test_too_few_texts_to_split() -> None:
    found = problems_of([*rows_of(2), *rows_of(2)])
    assert any("split is empty" in problem for problem in found)


def test_leakage_above_the_limit_stops_with_rows(write: Write, tmp_path: Path) -> None:
    write("train.jsonl", rows_of(100))
    write("test.jsonl", [*rows_of(3, start=97), *rows_of(7, start=200)])
    only_problem(
        tmp_path,
        *("test: 3 of 10 rows (30.0%) are in train too", "test.jsonl, lines 1, 2, 3"),
        *("train.jsonl, line 98", "data.max_leakage=0.2", "data.on_bad_row=skip"),
    )


def test_leakage_at_the_limit_warns(write: Write, tmp_path: Path) -> None:
    write("train.jsonl", rows_of(100))
    write("test.jsonl", [*rows_of(3, start=97), *rows_of(7, start=200)])
    found = read(tmp_path, max_leakage=0.3)
    assert len(found.splits["test"]) == 10
    assert any("test: 3 of 10 rows" in warning for warning in found.warnings)


def test_leakage_is_set_aside_when_bad_rows_are_skipped(write: Write, tmp_path: Path) -> None:
    write("train.jsonl", rows_of(100))
    write("test.jsonl", [*rows_of(3, start=97), *rows_of(7, start=200)])
    found = read(tmp_path, on_bad_row="skip", max_leakage=1.0)
    assert len(found.splits["test"]) == 7
    assert [(row.row, row.field) for row in found.bad_rows] == [(1, "text"), (2, "text"), (3, "text")]
    assert found.bad_rows[0].raw == {"text": "film 97", "label": "good"}


def test_validation_leakage_only_warns() -> None:
    found = read({"train": rows_of(40), "validation": rows_of(10)})
    assert any("validation: 10 of 10 rows" in warning for warning in found.warnings)
    assert len(found.splits["validation"]) == 10


def test_pairs_leak_only_as_pairs() -> None:
    train = [{"sentence1": f"a{i}", "sentence2": f"b{i}", "label": i % 2} for i in range(40)]
    test = [
        {"sentence1": "a1", "sentence2": "b2", "label": 1},
        {"sentence1": "a1b", "sentence2": "1", "label": 0},
    ]
    assert not read({"train": train, "test": test}).warnings
    only_problem({"train": train, "test": [train[0], *test]}, "1 of 3 rows")


def test_duplicates_and_contradictions_in_train_warn() -> None:
    train = [*rows_of(40), {"text": "film 1", "label": "good"}, {"text": "film 1", "label": "bad"}]
    warnings = read({"train": train, "validation": rows_of(4, start=90)}).warnings
    assert any(
        "2 rows repeat the text of an earlier row (rows[train], rows 41, 42)" in each for each in warnings
    )
    assert any(
        "1 rows repeat an earlier text with another label (rows[train], rows 42)" in each for each in warnings
    )


def test_unlabelled_rows_only_where_allowed_and_only_in_train() -> None:
    nobody = [{"text": "x", "label": None}]
    splits = {"train": [*rows_of(40), *nobody], "test": [*rows_of(2, start=90), *nobody]}
    only_problem({**splits, "test": rows_of(2, start=90)}, "rows[train], row 41")
    only_problem(splits, "rows[test], row 3", allow_unlabelled=True)


def test_damaged_parquet(tmp_path: Path) -> None:
    path = tmp_path / "reviews.parquet"
    pq.write_table(pa.table({"text": [f"film {i}" for i in range(1000)], "label": list(range(1000))}), path)
    content = bytearray(path.read_bytes())
    content[100:2000] = b"\xff" * 1900
    path.write_bytes(bytes(content))
    assert problems_of(path)


def test_parquet_whose_text_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "reviews.parquet"
    texts = pa.array([b"fine", b"caf\xe9"]).view(pa.string())
    pq.write_table(pa.table({"text": texts, "label": [0, 1]}), path)
    only_problem(path, "the Parquet file is damaged: 'utf-8' codec")


@pytest.mark.parametrize(
    "features", ["{", '{"info": 3}', '{"info": {"features": {"label": {"_type": "Unknown"}}}}']
)
def test_parquet_whose_class_names_cannot_be_read(tmp_path: Path, features: str) -> None:
    path = tmp_path / "reviews.parquet"
    table = pa.table({"text": ["a"], "label": [1]})
    pq.write_table(table.replace_schema_metadata({"huggingface": features}), path)
    only_problem(path, "not a Parquet file that can be read")


def test_json_array_that_breaks_names_the_row(write: Write) -> None:
    path = write("reviews.json", '[{"text": "a", "label": 1}, {"text": "b" "label": 2}]')
    only_problem(path, "row 2: not valid JSON")
    path = write("reviews.json", '[{"text": "a", "label": 1}] {"text": "b"}')
    only_problem(path, "after the end of the list")
    only_problem(write("reviews.json", '{"text": "a", '), "not valid JSON")
    only_problem(write("reviews.json", '{"tran": [], "train": []}'), "'tran': not a split")


def test_python_rows_that_are_no_mappings() -> None:
    only_problem([*rows_of(40), "a film"], "row 41", "mapping of column to value")
    only_problem({"train": "reviews"}, "'train': expected a list of rows")


def test_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr("tinybert.sources.locate.hub_problem", lambda *_: None)
    monkeypatch.setattr("datasets.load_dataset", refuse)
    only_problem("someone/reviews", "hub", "no route", "download the data")


def test_rows_that_stray_quotes_merge_are_set_aside_or_stop(write: Write) -> None:
    lines = GOOD_CSV.splitlines()
    lines[4], lines[14] = f'"{lines[4]}', lines[14].replace(",", '",')
    two = write("two.csv", "\n".join(["text,label", *lines, ""]))
    only_problem(two, 'two.csv, line 6: one row with a line break in quotes, or 11 rows? double each "')
    found = read(two, on_bad_row="skip")
    texts = [text for split in found.splits.values() for text in split["text"][:]]
    assert sorted(texts) == sorted(f"film {index}" for index in range(40) if not 4 <= index <= 14)
    lines[38] = f'"{lines[38]}'
    three = write("three.csv", "\n".join(["text,label", *lines, ""]))
    only_problem(three, 'three.csv, line 40: a quote (") opens here and never closes', on_bad_row="skip")
    lines[4:15] = ['"one', 'two",good']
    end = write("end.csv", "\n".join(["text,label", *lines[:-1], ""]))
    only_problem(end, 'an earlier " may have merged rows into one at line 6', on_bad_row="skip")
    assert not any("on_bad_row" in problem for problem in problems_of(end))
