"""No stream stops a command: any encoding, closed, or a pipe that nobody reads."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from tests import easy

from tinybert.cli import main
from tinybert.console import (
    has_no_reader,
    is_terminal,
    progress,
    put_json,
    put_json_lines,
    safe_streams,
    say,
)

ENCODINGS = ["ascii", "gbk", "cp1252", "utf-8", "utf-16"]
TEXT = "好é✓😀…\udcff"
LABELS = ("坏评…", "好评✓")
MARKS = "✓ ✗ … → ← ≥ ≤ × · – − ─ ’"
ASCII_MARKS = "ok x ... -> <- >= <= x * - - - '"


class Stream(io.TextIOWrapper):
    """A standard stream in an encoding, as Python opens it: characters that it lacks are an error."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="", write_through=True)

    @property
    def written(self) -> bytes:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue()

    @property
    def text(self) -> str:
        return self.written.decode(self.encoding)


class Broken(io.StringIO):
    """A stream whose reader has gone, or whose disk is full."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str, /) -> int:
        raise self.error


def called(*words: object, encoding: str) -> tuple[int, Stream, Stream]:
    """Run a command; return its exit code and its streams."""
    out, err, code = Stream(encoding), Stream(encoding), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
    assert b"Traceback" not in err.written
    return code, out, err


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = dict(zip(easy.LABELS, LABELS, strict=True))
    splits = easy.make_splits(train=16, validation=8, test=8)
    for split in splits.values():
        split[:] = [{**row, "label": names[str(row["label"])]} for row in split]
    splits["test"][0]["text"] = f"good {TEXT[:4]}"
    return easy.write_splits(tmp_path_factory.mktemp("数据"), splits)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("教师")
    names = dict(enumerate(LABELS))
    numbers = {label: number for number, label in names.items()}
    easy.seeded_classifier(num_labels=2, id2label=names, label2id=numbers).save_pretrained(folder)
    easy.make_tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_marks_that_an_encoding_lacks_become_ascii_and_other_characters_escapes(
    encoding: str,
) -> None:
    out = Stream(encoding)
    with redirect_stdout(out), safe_streams():
        print(MARKS, TEXT)
    expected = {
        "ascii": f"{ASCII_MARKS} \\u597d\\xe9ok\\U0001f600...\\udcff",
        "gbk": "ok x … → ← ≥ ≤ × · – - ─ ’ 好éok\\U0001f600…\\udcff",
        "cp1252": "ok x … -> <- >= <= × · – - - ’ \\u597déok\\U0001f600…\\udcff",
    }
    assert out.text.strip() == expected.get(encoding, f"{MARKS} {TEXT[:-1]}\\udcff")


def test_an_error_handler_that_was_asked_for_is_kept() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    with redirect_stdout(out), safe_streams():
        assert out.errors == "replace"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_keeps_its_text_in_every_encoding(encoding: str) -> None:
    out = Stream(encoding)
    with redirect_stdout(out):
        put_json({"text": TEXT, TEXT: [1]})
        put_json_lines(json.dumps({"text": TEXT}, ensure_ascii=False) + "\n")
    figures, _, line = out.text[:-1].rpartition("\n")
    assert json.loads(figures) == {"text": TEXT, TEXT: [1]}
    assert json.loads(line) == {"text": TEXT}
    if encoding in ("ascii", "gbk", "cp1252"):  # read as UTF-8, or in any other of them, it is the same
        assert out.written.isascii()
    elif encoding == "utf-8":
        assert TEXT[:-1] in out.text


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_words_are_said_on_a_stream_that_nobody_made_ready(encoding: str) -> None:
    err = Stream(encoding)
    with redirect_stderr(err):
        say(f"✓ {TEXT}")
        with progress(TEXT, 1, unit="rows") as advance:
            advance(1)
    assert err.text.startswith("✓" if encoding.startswith("utf") else "ok")
    assert len(err.text.splitlines()) == 2


@pytest.mark.parametrize("encoding", ENCODINGS[:-1])
def test_commands_in_every_encoding(teacher: Path, rows: Path, encoding: str, tmp_path: Path) -> None:
    student = [*easy.TINY_STUDENT, "--teacher", teacher]
    code, out, err = called("doctor", rows, *student, encoding=encoding)
    assert code in (0, 2), err.text
    assert ("✓" if encoding == "utf-8" else "ok") in out.text
    code, out, err = called("predict", teacher, TEXT[:4], encoding=encoding)
    assert json.loads(out.text)["text"] == TEXT[:4]
    code, out, err = called("predict", teacher, "--input", rows / "test.jsonl", encoding=encoding)
    first, *others = map(json.loads, out.text.splitlines())
    assert (first["text"], len(others)) == (f"good {TEXT[:4]}", 7)
    assert {first["input_label"], *(each["input_label"] for each in others)} == set(LABELS)
    code, out, err = called("evaluate", teacher, rows, "--json", encoding=encoding)
    assert json.loads(out.text)["num_rows"] == 8
    code, out, err = called("distill", rows, *student, "--dry-run", encoding=encoding)
    assert code == 0, err.text
    code, out, err = called("evaluate", teacher, tmp_path / "没有…\udcff.jsonl", encoding=encoding)
    assert code == 2
    assert "no such file" in err.text
    code, out, err = called("--help", encoding=encoding)
    assert (code, "distill" in out.text) == (0, True)
    code, out, err = called("错误✓", encoding=encoding)
    assert code == 2
    assert out.text + err.text


@pytest.mark.parametrize("error", [BrokenPipeError(32, "no reader"), OSError(28, "disk full")])
def test_words_that_nobody_can_read_do_not_stop_the_work(error: OSError) -> None:
    with redirect_stderr(Broken(error)):
        say("one")
        with progress("reading", 1, unit="rows") as advance:
            advance(1)


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_that_is_closed_gets_nothing_and_the_other_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setattr(sys, name, None)
    say("words")
    put_json({})
    assert not is_terminal(getattr(sys, name))
    assert capsys.readouterr() == ("", "words\n") if name == "stdout" else ("{}\n", "")


def test_a_pipe_without_a_reader_is_known() -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="utf-8") as stream:
        assert not has_no_reader(stream)
        os.close(read)
        assert has_no_reader(stream)
    assert not has_no_reader(io.StringIO())


def started(script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", script.replace("TINYBERT", f"{sys.executable} -m tinybert")],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_ends_a_command_quietly(unbuffered: str) -> None:
    done = started("TINYBERT fetch | true; echo ${PIPESTATUS[0]}", PYTHONUNBUFFERED=unbuffered)
    assert (done.stdout, done.stderr) == (b"0\n", b"")


def test_an_error_whose_words_nobody_reads_keeps_its_exit_code() -> None:
    done = started("TINYBERT fetch nothing 2>&1 >/dev/null | true; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == (b"2\n", b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_streams_that_are_closed_from_the_start(closed: str) -> None:
    done = started(f"TINYBERT fetch --json {closed}; echo $?")
    *figures, code = done.stdout.splitlines()
    assert (code, done.stderr) == (b"0", b"")
    assert bool(figures) == (closed == "2>&-")
    if figures:
        assert isinstance(json.loads(b"".join(figures)), list)


@pytest.mark.parametrize("columns", ["0", "1"])
def test_help_on_a_terminal_of_no_width(columns: str) -> None:
    done = started("ulimit -v 4000000; TINYBERT predict --help", COLUMNS=columns)
    assert (done.returncode, done.stderr) == (0, b"")
    longest = max(map(len, done.stdout.decode().splitlines()))
    assert longest == (80 if columns == "0" else 20)
