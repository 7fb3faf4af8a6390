"""Raw text: read from anywhere, cleaned, none twice, some held out; what cannot be read is named."""

from __future__ import annotations

import gzip
import io
import json
import random
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import easy

from tinybert.config import CorpusSection
from tinybert.data.corpus import Corpus, clean, load_corpus
from tinybert.errors import DataError

TEXTS = [" ".join(random.Random(number).choices(easy.WORDS, k=12)) for number in range(40)]


def corpus_of(source: object, text: str | None = None, work: Path | None = None, **changes: object) -> Corpus:
    return load_corpus(source, settings=CorpusSection.model_validate(changes), text=text, work_dir=work)


def documents(corpus: Corpus) -> set[str]:
    return {*corpus.train["text"], *corpus.validation["text"]}


def problems(source: object, text: str | None = None, **changes: object) -> list[str]:
    with pytest.raises(DataError) as caught:
        corpus_of(source, text, **changes)
    return list(caught.value.problems)


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def as_lines(texts: list[str]) -> str:
    return "".join(json.dumps({"id": 1, "text": text}, ensure_ascii=False) + "\n" for text in texts)


@pytest.mark.parametrize("ending", ["txt", "md", "jsonl", "csv", "parquet", "txt.gz", "jsonl.gz", "json"])
def test_every_format_gives_the_same_documents(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"text.{ending}"
    if ending in ("txt", "md"):
        write(path, "\n".join(TEXTS))
    elif ending == "jsonl":
        write(path, as_lines(TEXTS))
    elif ending == "json":
        write(path, json.dumps([{"text": text} for text in TEXTS]))
    elif ending == "csv":
        write(path, "text,stars\n" + "\n".join(f"{text},3" for text in TEXTS))
    elif ending == "parquet":
        pq.write_table(pa.table({"n": range(len(TEXTS)), "text": TEXTS}), path)
    else:
        inner = "\n".join(TEXTS) if "txt" in ending else as_lines(TEXTS)
        write(path, gzip.compress(inner.encode()))
    assert documents(corpus_of(path)) == set(TEXTS)


def test_a_document_is_a_line_or_ends_at_a_blank_line_or_is_a_file(tmp_path: Path) -> None:
    one = write(tmp_path / "a" / "one.txt", "first line here\nsecond line here\n\nthird line here\n")
    write(tmp_path / "a" / "sub" / "two.txt", "fourth line here\n")
    by_line = {"first line here", "second line here", "third line here"}
    assert documents(corpus_of(one)) == by_line
    assert documents(corpus_of(one, documents="blank_line")) == {
        "first line here second line here",
        "third line here",
    }
    whole = {"first line here second line here third line here", "fourth line here"}
    assert documents(corpus_of(tmp_path / "a", documents="file")) == whole


def test_standard_input_is_read_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe:
        buffer = io.BytesIO("\n".join(TEXTS).encode())

    monkeypatch.setattr(sys, "stdin", Pipe())
    assert documents(corpus_of("-", work=tmp_path)) == set(TEXTS)
    assert documents(corpus_of("-", work=tmp_path)) == set(TEXTS)  # the pipe is empty now


def test_python_texts_and_rows() -> None:
    assert documents(corpus_of(TEXTS)) == set(TEXTS)
    assert documents(corpus_of([{"content": text, "n": 1} for text in TEXTS])) == set(TEXTS)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("  two\t words \n", "two words"),
        ("Cafe\u0301", "Café"),
        ("bell\x07 and\u200b zero\ufeff", "bell and zero"),
        ("full width 我 stays", "full width 我 stays"),
    ],
)
def test_cleaning(raw: str, kept: str) -> None:
    assert clean(raw) == kept


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_what_is_left_out_is_counted() -> None:
    twice = [*TEXTS, TEXTS[0].upper(), TEXTS[1] + "  ", "", "   ", "short", "damaged \ufffd\ufffd\ufffd text"]
    corpus = corpus_of(twice)
    names = ("read", "empty", "short", "damaged", "duplicates", "kept")
    assert [corpus.counts[name] for name in names] == [46, 2, 1, 1, 2, 40]
    assert any("wrong encoding" in warning for warning in corpus.warnings)
    assert len(corpus.train) + len(corpus.validation) == 40


def test_near_duplicates_count_once() -> None:
    words = [f"w{number}" for number in range(400)]
    long = " ".join(words)
    changed = " ".join([*words[:399], "other"])
    far = " ".join(f"v{number}" for number in range(400))
    assert corpus_of([long, changed, far, *TEXTS]).counts["near_duplicates"] == 1
    assert corpus_of([long, changed, far, *TEXTS], near_duplicates=None).counts["near_duplicates"] == 0


def test_held_out_documents_are_a_share_and_not_in_train() -> None:
    texts = [f"{text} {number}" for number in range(10) for text in TEXTS]
    corpus = corpus_of(texts, held_out=0.1, near_duplicates=None)
    assert len(corpus.validation) == 40
    assert not set(corpus.validation["text"]) & set(corpus.train["text"])
    again = corpus_of(list(reversed(texts)), held_out=0.1, near_duplicates=None)
    assert set(again.validation["text"]) == set(corpus.validation["text"])


def test_a_folder_of_splits_keeps_them_and_never_reads_test(tmp_path: Path) -> None:
    easy.write_rows(tmp_path / "train.jsonl", [{"text": text} for text in TEXTS[:30]])
    easy.write_rows(tmp_path / "validation.jsonl", [{"text": text} for text in TEXTS[25:35]])
    easy.write_rows(tmp_path / "test.jsonl", [{"text": text} for text in TEXTS[35:]])
    corpus = corpus_of(tmp_path, near_duplicates=None)
    assert set(corpus.validation["text"]) == set(TEXTS[25:35])
    assert set(corpus.train["text"]) == set(TEXTS[:25])  # what is held out is taken out of train
    assert "the test split is not read" in corpus.warnings


def test_language_is_detected_or_taken() -> None:
    chinese = [f"我们在北京大学读书第{number}年了" for number in range(5)]
    assert corpus_of(chinese).language == "zh"
    assert corpus_of(chinese, language="other").language == "other"


def test_the_second_call_finds_the_documents_and_changed_text_is_read_anew(tmp_path: Path) -> None:
    path, work = write(tmp_path / "text.txt", "\n".join(TEXTS)), tmp_path / "work"
    corpus_of(path, work=work)
    file = work / "train.arrow"
    before = file.stat().st_mtime_ns
    assert corpus_of(path, work=work).counts["kept"] == 40
    assert file.stat().st_mtime_ns == before
    write(path, "\n".join(TEXTS[:20]))
    assert corpus_of(path, work=work).counts["kept"] == 20
    assert not list(work.glob("reading-*"))


def test_a_binary_file_is_refused_alone_and_passed_over_in_a_folder(tmp_path: Path) -> None:
    binary = write(tmp_path / "image.txt", bytes(range(256)) * 40)
    assert problems(binary) == ["image.txt: holds binary data, not text; convert it to UTF-8 text first"]
    write(tmp_path / "text.txt", "\n".join(TEXTS))
    assert "image.txt: binary, not read" in corpus_of(tmp_path).warnings


def test_other_encodings_are_named_with_line_and_byte_all_at_once(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", b"good line\n" + "caf\xe9\n".encode("latin-1"))
    write(tmp_path / "b.txt", "utf sixteen".encode("utf-16"))
    write(tmp_path / "c.txt", "\n".join(TEXTS))
    first, second = problems(tmp_path)
    assert first.startswith("a.txt: line 2, byte 4 (0xe9): the file is not UTF-8")
    assert second.startswith("b.txt: line 1: the file is UTF-16")


def test_a_cut_gz_is_named(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join(TEXTS * 50).encode())
    (problem,) = problems(write(tmp_path / "text.txt.gz", whole[: len(whole) // 2]))
    assert problem.startswith("text.txt.gz: cut short or damaged")
    (problem,) = problems(write(tmp_path / "fake.txt.gz", "no gzip at all"))
    assert problem.startswith("fake.txt.gz: cut short or damaged")


@pytest.mark.parametrize(
    ("rows", "column", "said"),
    [
        ([{"text": str(n)} for n in range(40)], None, "column 'text' is full of numbers, such as '0'"),
        ([{"a": "one text", "b": "another"}], None, "which column is the text? (the columns are: a, b)"),
        ([{"a": "one text", "b": "another"}], "c", "no column 'c' (the columns are: a, b)"),
        ([{"text": ["a", "list"]}], None, "a list, not a text"),
    ],
)
def test_a_column_that_is_no_text(
    tmp_path: Path, rows: list[dict[str, object]], column: str | None, said: str
) -> None:
    (problem,) = problems(easy.write_rows(tmp_path / "rows.jsonl", rows), column)
    assert said in problem
    assert "data.text=COLUMN" in problem


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", as_lines(TEXTS) + '{"text": "cut\n')
    (problem,) = problems(path)
    assert problem.startswith("rows.jsonl, line 41: not valid JSON")


@pytest.mark.parametrize(
    ("texts", "said"),
    [([], "0 of 0"), (["", " "], "2 empty"), (["a", "b"], "2 short"), (TEXTS[:1], "1 of 1")],
)
def test_too_little_text(texts: list[str], said: str) -> None:
    (problem,) = problems(texts) if texts else problems(iter(texts))
    assert said in problem or "no row in it" in problem


def test_names_that_are_nothing(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.txt")[0].startswith("no such file or folder")
    write(tmp_path / "paper.pdf", b"%PDF-1.4")
    assert problems(tmp_path / "paper.pdf") == [".pdf: not plain text; convert it to .txt first"]
    (problem,) = problems(tmp_path)
    assert "no text in it" in problem
    assert "paper.pdf" in problem
