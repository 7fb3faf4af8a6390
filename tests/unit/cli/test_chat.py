"""``tinybert chat``: a line is a turn, a reply is a line."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.command import call, refused

from tinybert.cli import chat as command
from tinybert.inference import Predictor
from tinybert.inference.chat import Chat
from tinybert.tasks.seq2seq.turns import source_of_turns

SHORT = ("--max-new-tokens", 6)
DRAWN = ("--sample", "--temperature", 2, "--seed", 3)
Typed = Callable[[str], None]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Pipe lines into standard input."""

    def pipe(text: str | bytes) -> None:
        given = text.encode() if isinstance(text, str) else text
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))

    return pipe


def test_each_line_has_a_reply_the_same_that_predict_writes(
    tiny_writer: Path, typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("\ufeffgood bab\n\n   \n你好 世界\ngood 🙂")
    call("chat", tiny_writer, "--history", 0, *SHORT)
    replies = capsys.readouterr().out.splitlines()
    whole = Predictor(tiny_writer, generation={"num_beams": 1, "max_new_tokens": 6})
    assert replies == [each.text + each.mark for each in whole(["good bab", "你好 世界", "good 🙂"])]
    assert any("… [cut after 6 tokens]" in reply for reply in replies)


def test_json_lines_say_turn_length_and_time(
    tiny_writer: Path, typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("good bab\n你好\n/reset\ngood bab\n/quit\nbad\n")
    call("chat", tiny_writer, *SHORT, "--json")
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert [set(row) for row in rows] == [{"turn", "reply", "num_tokens", "is_finished", "seconds"}] * 3
    assert [row["turn"] for row in rows] == [1, 2, 1]
    assert rows[0]["reply"] == rows[2]["reply"]
    assert "all turns are forgotten" in captured.err
    assert all(row["num_tokens"] == 6 for row in rows if not row["is_finished"])


def test_drawn_replies_are_the_same_with_the_same_seed(
    tiny_writer: Path, typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    found: list[str] = []
    for seed in (3, 3, 4):
        typed("good bab\n你好\n")
        call("chat", tiny_writer, *SHORT, *DRAWN[:-1], seed)
        found.append(capsys.readouterr().out)
    assert found[0] == found[1] != found[2]


def test_an_unknown_command_and_a_line_of_bad_bytes_are_told_and_have_no_reply(
    tiny_writer: Path, typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(b"/rest\ngood \xff\n/help\ngood\n")
    call("chat", tiny_writer, *SHORT)
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert "/rest: unknown; did you mean '/reset'?" in captured.err
    assert "a line is not UTF-8, and has no reply: good" in captured.err
    assert captured.err.count("/quit, Ctrl-D or Ctrl-C: end") == 2


def test_a_terminal_shows_a_prompt_and_ends_politely(
    tiny_writer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for end in (EOFError, KeyboardInterrupt):
        lines = iter(["good bab", " ", end])

        def read(prompt: str, lines: Iterator[str | type[BaseException]] = lines) -> str:
            assert prompt == "> "
            line = next(lines)
            if isinstance(line, str):
                return line
            raise line

        monkeypatch.setattr("builtins.input", read)
        monkeypatch.setattr(command, "_is_interactive", lambda: True)
        call("chat", tiny_writer, *SHORT)
        shown = capsys.readouterr().out.splitlines()
        assert shown[0] == command.HELP
        assert len([line for line in shown if line]) == 2


def test_control_characters_of_a_reply_are_escaped(
    tiny_writer: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Predictor.write_stream

    def written(self: Predictor, text: str) -> object:
        yield "a\x1b[31m"
        yield "\nb"
        return (yield from whole(self, text))

    monkeypatch.setattr(Predictor, "write_stream", written)
    typed("good\n")
    call("chat", tiny_writer, *SHORT)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("a\\x1b[31m\\nb")


def test_the_last_turns_are_read(tiny_writer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor(tiny_writer, max_length=16, generation={"num_beams": 1, "max_new_tokens": 2})
    read: list[str] = []
    whole = predictor.write_stream
    monkeypatch.setattr(predictor, "write_stream", lambda text: read.append(text) or whole(text))
    talk = Chat(predictor, history=2)
    lines = ["good", "bad bab", "bel " * 12]
    for line in lines:
        list(talk.reply(line))
    before = talk.turns[: talk.turns.index("bad bab")]  # a reply may be empty
    assert read[:2] == ["good", source_of_turns([*before, "bad bab"], max_turns=2)]
    assert read[2].endswith(lines[2])
    ids = predictor.encode(predictor.task.format.columns_of([read[2]]))["input_ids"][0]
    newest = predictor.encode(predictor.task.format.columns_of([lines[2]]))["input_ids"][0]
    assert ids[-len(newest) + 1 :] == newest[1:]  # the newest turn is read whole
    assert talk.num_turns == 3
    talk.reset()
    list(talk.reply("good"))
    assert (read[3], talk.num_turns) == ("good", 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--temperature", "0.5"], "temperature: read in sampling only; give do_sample (--sample) too"),
        (["--max-new-tokens", "65"], "max_new_tokens = 65: allowed are whole numbers from 1 to 64"),
        (["--history", "-1"], "--history -1: give 0 or more"),
        (["--sample", "--top-p", "2"], "top_p = 2.0: allowed are numbers from 0 to 1"),
    ],
)
def test_wrong_options_are_refused(
    words: list[str], said: str, tiny_writer: Path, typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("good\n")
    assert said in refused(capsys, "chat", tiny_writer, *words)


def test_a_run_that_writes_no_texts_is_refused_with_the_fix(
    tiny_teacher: Path, typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("good\n")
    shown = refused(capsys, "chat", tiny_teacher)
    assert "writes no texts (its task is classification); give a run of task seq2seq" in shown
    assert "give a run of task seq2seq" in refused(capsys, "chat", tiny_teacher, "--sample")
