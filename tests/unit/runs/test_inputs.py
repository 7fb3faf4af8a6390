from __future__ import annotations

from pathlib import Path

from datasets import Dataset

from tinybert.runs import digest_input

ROWS = [{"text": "good", "label": 1}, {"text": "bad", "label": 0}]


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"a" * (1 << 20) + b"b")
    before = digest_input(file)
    assert digest_input(str(file)) == before
    file.write_bytes(b"a" * (1 << 20) + b"c")
    assert digest_input(file) != before


def test_a_folder_is_known_by_the_files_that_are_read(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label")
    before = digest_input(tmp_path)
    (tmp_path / "notes.md").write_text("not read")
    assert digest_input(tmp_path) == before
    (tmp_path / "test.csv").write_text("text,label")
    assert digest_input(tmp_path) != before


def test_the_border_between_two_files_counts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("one")
    (tmp_path / "b.csv").write_text("two")
    before = digest_input(tmp_path)
    (tmp_path / "a.csv").write_text("onet")
    (tmp_path / "b.csv").write_text("wo")
    assert digest_input(tmp_path) != before


def test_python_rows_are_known_by_their_values() -> None:
    assert digest_input(ROWS) == digest_input([dict(row) for row in ROWS])
    assert digest_input(ROWS) != digest_input(ROWS[::-1])
    assert digest_input({"train": ROWS}) != digest_input({"test": ROWS})


def test_a_data_set_is_known_by_its_fingerprint() -> None:
    rows = Dataset.from_list(ROWS)
    assert digest_input(rows) == digest_input(rows)
    assert digest_input(rows) != digest_input(rows.select([0]))


def test_names_are_their_own_digest() -> None:
    assert digest_input("bundled:minilm") == digest_input("bundled:minilm")
    assert digest_input("bundled:minilm") != digest_input("owner/model")


def test_raw_text_counts_in_every_folder_and_under_any_ending(tmp_path: Path) -> None:
    deep = tmp_path / "sub" / "text.md"
    deep.parent.mkdir()
    deep.write_text("one")
    before = digest_input(tmp_path, is_text=True)
    assert digest_input(tmp_path) == digest_input(tmp_path / "sub")  # a data folder's own files only
    deep.write_text("two")
    assert digest_input(tmp_path, is_text=True) != before
    deep.rename(tmp_path / "text.md")
    assert digest_input(tmp_path, is_text=True) != digest_input(tmp_path / "sub", is_text=True)
