"""Raw text: read from anywhere, cleaned, none twice, some held out; what cannot be read is named."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import easy

from tinybert.config import CorpusSection
from tinybert.corpus.cleaning import clean, is_damaged
from tinybert.corpus.corpus import Corpus, load_corpus
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


@pytest.mark.parametrize(
    "ending", ["txt", "md", "jsonl", "csv", "parquet", "txt.gz", "jsonl.gz", "JSONL.GZ", "json"]
)
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


def test_texts_that_differ_in_case_are_another_corpus(tmp_path: Path) -> None:
    shouted = [text.upper() for text in TEXTS]
    assert documents(corpus_of(TEXTS, work=tmp_path)) == set(TEXTS)
    assert documents(corpus_of(shouted, work=tmp_path)) == set(shouted)


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
    assert corpus.warnings == ["the test split is not read: test.jsonl"]


def test_language_is_detected_or_taken() -> None:
    chinese = [f"我们在北京大学读书第{number}年了" for number in range(5)]
    assert corpus_of(chinese).language == "zh"
    assert corpus_of(chinese, language="other").language == "other"


def test_the_second_call_finds_the_documents_and_changed_text_is_read_anew(tmp_path: Path) -> None:
    path, work = write(tmp_path / "text.txt", "\n".join(TEXTS)), tmp_path / "work"
    corpus_of(path, work=work)
    (file,) = work.glob("corpus-*/train.arrow")
    before = file.stat().st_mtime_ns
    assert corpus_of(path, work=work).counts["kept"] == 40
    assert file.stat().st_mtime_ns == before
    write(path, "\n".join(TEXTS[:20]))
    assert corpus_of(path, work=work).counts["kept"] == 20
    assert not list(work.glob(".*"))


def test_a_binary_file_is_refused_alone_and_passed_over_in_a_folder(tmp_path: Path) -> None:
    binary = write(tmp_path / "image.txt", bytes(range(256)) * 40)
    assert problems(binary) == ["image.txt: holds binary data, not text; convert it to UTF-8 text first"]
    write(tmp_path / "text.txt", "\n".join(TEXTS))
    assert corpus_of(tmp_path).warnings == ["1 file is binary and not read: image.txt"]


def test_other_encodings_are_named_with_line_and_byte_all_at_once(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", b"good line\n" + "caf\xe9\n".encode("latin-1"))
    write(tmp_path / "b.txt", "中文\n".encode("gb18030"))
    write(tmp_path / "d.txt", "a text in UTF-16, with its mark".encode("utf-16"))
    write(tmp_path / "c.txt", "\n".join(TEXTS))
    first, second = problems(tmp_path)
    assert first.startswith("a.txt: line 2: character 4 (byte 0xe9) is not UTF-8; save the file as UTF-8")
    assert second.startswith("b.txt: line 1: the file is not UTF-8")
    (tmp_path / "a.txt").unlink()
    (tmp_path / "b.txt").unlink()
    assert "a text in UTF-16, with its mark" in documents(corpus_of(tmp_path))


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
    assert "give --text COLUMN" in problem


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


MIXED = [
    *TEXTS,
    "",
    " ",
    "short",
    TEXTS[0].upper(),
    TEXTS[1] + " \n",
    "lost \ufffd\ufffd and \ufffd more text",
    "NaÃ¯ve cafÃ© donâ€™t",
]


def test_every_document_read_is_accounted_for() -> None:
    counts = corpus_of(MIXED).counts
    left_out = ("empty", "short", "damaged", "duplicates", "near_duplicates")
    assert counts["read"] == len(MIXED) == counts["kept"] + sum(counts[name] for name in left_out)
    corpus = corpus_of(MIXED)
    assert counts["characters"] == sum(map(len, documents(corpus)))
    assert counts["held_out"] == len(corpus.validation)


@pytest.mark.parametrize(
    ("text", "damaged"),
    [
        ("NaÃ¯ve cafÃ©s everywhere", True),
        ("donâ€™t do it", True),
        ("è¿\x99æ\x98¯ä¸\xadæ\x96\x87", True),
        ("锟斤拷锟斤拷 text", True),
        ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚ Ð¼Ð¸Ñ€", True),
        ("NÃO É MAÇÃ, São João à «Âncora»", False),
        ("»Viel Spaß« und »zu Fuß«, sagte er", False),
        ("Привет, мир: «да»", False),
        ("这是中文…“好”", False),
        ("one lost \ufffd in a long text " + "word " * 30, False),
    ],
)
def test_text_that_was_decoded_wrongly_is_told_from_sound_text(text: str, damaged: bool) -> None:
    assert is_damaged(text) is damaged


def test_a_lone_surrogate_does_no_harm() -> None:
    assert clean("half \ud83d") == "half \ufffd"
    assert clean("e\x00\u0301") == "é"


def test_near_duplicates_of_what_is_held_out_leave_train(tmp_path: Path) -> None:
    rng = random.Random(1)
    long = [" ".join(rng.choices([f"w{n}" for n in range(900)], k=200)) for _ in range(20)]
    write(tmp_path / "train.txt", "\n".join([*TEXTS, *(f"{text} end" for text in long)]))
    write(tmp_path / "dev.txt.gz", gzip.compress("\n".join(long).encode()))
    corpus = corpus_of(tmp_path)
    assert set(corpus.validation["text"]) == set(long)
    assert set(corpus.train["text"]) == set(TEXTS)
    assert corpus.counts["near_duplicates"] == 20


def test_at_most_so_many_are_held_out_and_one_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(corpus_of(TEXTS).validation) == 1
    assert len(corpus_of(TEXTS[:2], held_out=0.99).train) == 1
    monkeypatch.setattr("tinybert.corpus.corpus.MAX_HELD_OUT", 3)
    assert len(corpus_of(TEXTS, held_out=0.5).validation) == 3


def test_splits_of_a_mapping_and_of_one_json_file(tmp_path: Path) -> None:
    splits = {part: [{"text": text} for text in texts] for part, texts in SPLITS.items()}
    for source in (splits, write(tmp_path / "all.json", json.dumps(splits))):
        corpus = corpus_of(source)
        assert set(corpus.train["text"]) == {*SPLITS["train"], *SPLITS["unlabelled"]}
        assert set(corpus.validation["text"]) == set(SPLITS["validation"])
        assert any("test split" in warning for warning in corpus.warnings)


SPLITS = {"train": TEXTS[:20], "unlabelled": TEXTS[20:25], "validation": TEXTS[25:30], "test": TEXTS[30:]}


def test_a_folder_is_read_with_its_folders_but_not_below_splits(tmp_path: Path) -> None:
    write(tmp_path / "b.txt", "\n".join(TEXTS[:10]))
    write(tmp_path / "a" / "chapter", "\n".join(TEXTS[10:20]))
    write(tmp_path / "a" / "rows.jsonl", as_lines(TEXTS[20:30]))
    write(tmp_path / "a" / "test.txt", "\n".join(TEXTS[30:]))
    write(tmp_path / ".hidden" / "c.txt", "\n".join(TEXTS[30:]))
    assert documents(corpus_of(tmp_path)) == set(TEXTS[:30])
    write(tmp_path / "train-00000-of-00002.txt", "\n".join(TEXTS[30:35]))
    write(tmp_path / "train-00001-of-00002.txt", "\n".join(TEXTS[35:]))
    assert documents(corpus_of(tmp_path)) == set(TEXTS[30:])


def test_a_txt_of_two_words_a_line_is_no_file_of_tags(tmp_path: Path) -> None:
    texts = [f"abc{number} def{number}" for number in range(10)]
    assert documents(corpus_of(write(tmp_path / "a.txt", "\n".join(texts)), min_chars=1)) == set(texts)


def test_old_line_ends(tmp_path: Path) -> None:
    assert documents(corpus_of(write(tmp_path / "a.txt", "\r".join(TEXTS)))) == set(TEXTS)
    assert documents(corpus_of(write(tmp_path / "b.txt", "\r\n".join(TEXTS)))) == set(TEXTS)
    pages = write(tmp_path / "c.txt", "one page\x0cand the next\u2028of it\r\n" + "\r\n".join(TEXTS))
    assert "one page and the next of it" in documents(corpus_of(pages))


@pytest.mark.parametrize("name", ["正文", "Sentence", "note"])
def test_the_column_of_the_text_is_found(tmp_path: Path, name: str) -> None:
    rows = [{"id": number, "stars": "4", name: text} for number, text in enumerate(TEXTS)]
    assert documents(corpus_of(easy.write_rows(tmp_path / "rows.jsonl", rows))) == set(TEXTS)


def test_numbers_further_down_are_found_too(tmp_path: Path) -> None:
    rows = [{"text": text if n < 300 else str(n)} for n, text in enumerate([*TEXTS * 8, *TEXTS * 40])]
    (problem,) = problems(easy.write_rows(tmp_path / "rows.jsonl", rows))
    assert "full of numbers" in problem


def test_problems_of_several_files_come_at_once(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "id,stars\n1,2\n")
    write(tmp_path / "b.txt.gz", gzip.compress("\n".join(TEXTS * 50).encode())[:200])
    write(tmp_path / "c.txt", "中文的一行文字而已\n".encode("gb18030"))
    found = problems(tmp_path)
    assert [problem.split(":")[0] for problem in found] == ["a.csv", "b.txt.gz", "c.txt"]
    assert "the columns are: id, stars" in found[0]
    assert "gb18030: '中文的一行文字而已'" in found[2]
    assert "iconv -f NAME -t UTF-8 c.txt" in found[2]


def test_more_that_cannot_be_read_is_passed_over_by_name(tmp_path: Path) -> None:
    for number in range(7):
        write(tmp_path / f"{number}.bin", b"\x00\x01" * 50)
    write(tmp_path / "empty.txt", "")
    write(tmp_path / "paper.docx", b"PK")
    write(tmp_path / "text", "\n".join(TEXTS))
    closed, binary, empty = corpus_of(tmp_path).warnings
    assert closed.endswith(": paper.docx")
    assert binary == "7 files are binary and not read: 0.bin, 1.bin, 2.bin, 3.bin, 4.bin and 2 more"
    assert empty == "1 file is empty: empty.txt"


def test_a_file_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.txt", "\n".join(TEXTS))
    opened = Path.open

    def refuse(self: Path, *args: object, **options: object) -> object:
        if self == path:
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    assert problems(path) == ["a.txt: cannot read this file: Permission denied"]


def test_an_endless_document_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinybert.corpus.plain_text.MAX_DOCUMENT_CHARS", 400)
    path = write(tmp_path / "a.txt", "\n".join(TEXTS))
    for layout in ("file", "blank_line"):
        (problem,) = problems(path, documents=layout)
        assert "more than 400 characters" in problem
        assert "corpus.documents=line" in problem
    assert len(documents(corpus_of(path))) == 40
    (problem,) = problems(write(tmp_path / "b.txt", "word " * 1000))
    assert "no line ends" in problem


def test_other_settings_are_another_corpus_and_both_stay(tmp_path: Path) -> None:
    path, work = write(tmp_path / "text.txt", "\n".join(TEXTS)), tmp_path / "work"
    first = corpus_of(path, work=work)
    longest = max(map(len, TEXTS))
    with pytest.raises(DataError, match="short"):
        corpus_of(path, work=work, min_chars=longest + 1)
    half = corpus_of(path, work=work, held_out=0.5)
    corpus_of(path, work=work, cross_documents=True)  # that is for whoever cuts blocks
    assert len(list(work.glob("corpus-*"))) == 2
    for held_out, made in ((0.01, first), (0.5, half)):
        assert corpus_of(path, work=work, held_out=held_out).train["text"][:] == made.train["text"][:]


def test_a_kill_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    path, work = write(tmp_path / "text.txt", "\n".join(TEXTS)), tmp_path / "work"
    killed = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tinybert.config import CorpusSection\n"
        "from tinybert.corpus import corpus\n"
        "corpus._put = lambda *_: os._exit(9)\n"
        "path, work = map(Path, sys.argv[1:])\n"
        "corpus.load_corpus(path, settings=CorpusSection(), text=None, work_dir=work)\n"
    )
    done = subprocess.run([sys.executable, "-c", killed, path, work], check=False)
    assert done.returncode == 9
    (left,) = work.iterdir()
    assert left.name.startswith(".reading-")
    assert list(left.rglob("train.arrow"))  # it was nearly done
    assert len(documents(corpus_of(path, work=work))) == 40
    (whole,) = work.iterdir()
    assert whole.name.startswith("corpus-")


def test_the_scratch_of_a_living_process_stays(tmp_path: Path) -> None:
    from tinybert.corpus.corpus import _scratch_name

    living = tmp_path / f"{_scratch_name(os.getppid())}x"
    living.mkdir()
    corpus_of(TEXTS, work=tmp_path)
    assert living.is_dir()


def test_another_pipe_is_another_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe:
        def __init__(self, texts: list[str]) -> None:
            self.buffer = io.BytesIO("\n".join(texts).encode())

    for texts in (TEXTS, TEXTS[:10]):
        monkeypatch.setattr(sys, "stdin", Pipe(texts))
        assert documents(corpus_of("-", work=tmp_path)) == set(texts)
    monkeypatch.setattr(sys, "stdin", Pipe([]))
    assert problems("-") == ["nothing came through the pipe; text in UTF-8 is needed"]


def test_a_named_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = write(tmp_path / "text.txt", "\n".join(TEXTS))
    with subprocess.Popen(["/bin/sh", "-c", f"cat {text} > {pipe}"]) as writer:
        assert documents(corpus_of(pipe)) == set(TEXTS)
        assert writer.wait() == 0


def test_bundled_text_is_read_like_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "train.jsonl", as_lines(TEXTS[:30]))
    write(tmp_path / "validation.jsonl", as_lines(TEXTS[30:]))
    write(tmp_path / "LICENSE", "not text to learn from\n")
    monkeypatch.setattr("tinybert.corpus.places.fetch", lambda name: tmp_path)
    corpus = corpus_of("bundled:snippets")
    assert (corpus.source, corpus.counts["kept"]) == ("bundled:snippets", 40)


@given(st.lists(st.text(alphabet="abc é\n\r\t\u0301\x00", max_size=12), max_size=12), st.integers(1, 4))
def test_nothing_is_kept_twice_or_lost(texts: list[str], min_chars: int) -> None:
    wanted = {clean(text) for text in texts if len(clean(text)) >= min_chars}
    if len({text.casefold() for text in wanted}) < 2:
        return
    corpus = corpus_of(texts, min_chars=min_chars, near_duplicates=None, language="other")
    kept = [*corpus.train["text"], *corpus.validation["text"]]
    assert set(kept) <= wanted
    assert sorted(text.casefold() for text in kept) == sorted({text.casefold() for text in wanted})


def test_the_second_call_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "text" / "a.txt", "\n".join(TEXTS))
    write(tmp_path / "text" / "b.jsonl", as_lines(TEXTS[:3]))
    first = corpus_of(tmp_path / "text", work=tmp_path / "work")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr("tinybert.corpus.corpus.collect", refuse)
    monkeypatch.setattr("tinybert.corpus.corpus.usable", refuse)
    again = corpus_of(tmp_path / "text", work=tmp_path / "work")
    assert (again.counts, again.language, again.warnings) == (first.counts, first.language, first.warnings)
    assert again.train["text"][:] == first.train["text"][:]
    write(tmp_path / "text" / "c.txt", "a text that was not there before")
    with pytest.raises(AssertionError, match="read again"):
        corpus_of(tmp_path / "text", work=tmp_path / "work")


def test_documents_keep_their_order_over_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinybert.corpus.batches.CHARS_AT_ONCE", 60)
    texts = [text for pair in zip(TEXTS, TEXTS[5:], strict=False) for text in pair]
    corpus = corpus_of(texts, held_out=0.2)
    held_out = set(corpus.validation["text"])
    assert len(held_out) == 8
    assert corpus.train["text"][:] == [text for text in dict.fromkeys(texts) if text not in held_out]


def test_what_lies_beside_a_train_file_is_told(tmp_path: Path) -> None:
    for name, lines in (("train.txt", TEXTS), ("novel.txt", ["another text that is not read"])):
        write(tmp_path / "text" / name, "\n".join(lines))
    write(tmp_path / "text" / "sub" / "more.txt", "nor is this one")
    corpus = corpus_of(tmp_path / "text", work=tmp_path / "work")
    [warning] = [each for each in corpus.warnings if "not read" in each]
    assert "2 files are not read, because the folder has a train file of its own: novel.txt, " in warning


def test_lone_halves_of_characters_are_signs_of_damage(tmp_path: Path) -> None:
    rows = [{"text": text} for text in (*TEXTS, "broken \ud800 text")]
    write(tmp_path / "rows.jsonl", "\n".join(json.dumps(row) for row in rows))
    assert corpus_of(tmp_path / "rows.jsonl", work=tmp_path / "work").counts["damaged"] == 1
