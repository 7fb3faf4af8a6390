from __future__ import annotations

import sys

import pytest

from tinybert import console
from tinybert.console import progress, say, warn


class Clock:
    def __init__(self) -> None:
        self.now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(console.time, "perf_counter", lambda: clock.now)
    return clock


def test_all_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("one")
    warn("two")
    assert capsys.readouterr() == ("", "one\nwarning: two\n")


def test_a_line_has_share_speed_and_time_left(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading", 2000, unit="rows", done=500) as advance:
        clock.now = 10.0
        advance(500, "file 2")
    assert capsys.readouterr().err == "reading: 1,000/2,000 rows (50%), 50 a second, 20 s left, file 2\n"


def test_a_line_comes_at_a_tenth_but_not_every_moment_and_at_the_end(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("reading", 100, unit="rows", every_s=30) as advance:
        for now, count in ((1.0, 50), (2.0, 1), (3.9, 40), (34.0, 1), (34.1, 8)):
            clock.now = now
            advance(count)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" rows")[0] for line in lines] == [
        "reading: 51/100",  # a tenth, and two seconds
        "reading: 92/100",  # late
        "reading: 100/100",  # the end
    ]


def test_without_a_total_a_line_comes_by_the_clock(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading", None, unit="documents", every_s=30) as advance:
        for now in (29.0, 30.0, 31.0):
            clock.now = now
            advance(30)
    assert capsys.readouterr().err == "reading: 60 documents, 2 a second\n"


def test_on_a_terminal_there_is_one_bar_and_what_is_said_stands_above_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress("reading", 10, unit="rows") as advance:
        advance(4, "file 2")
        say("a line")
        advance(6)
    said = capsys.readouterr().err
    assert "reading:" in said
    assert "/10" in said
    assert "a line\n" in said
    say("behind it")
    assert capsys.readouterr().err == "behind it\n"


@pytest.mark.parametrize("is_terminal", [False, True])
def test_only_the_first_of_several_processes_speaks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_terminal: bool
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    say("one")
    warn("two")
    with progress("reading", 1, unit="rows") as advance:
        advance(1)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("RANK", "0")
    say("one")
    assert capsys.readouterr().err == "one\n"


def test_an_error_closes_the_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(KeyboardInterrupt), progress("reading", 10, unit="rows"):
        raise KeyboardInterrupt
    capsys.readouterr()
    say("behind it")
    assert capsys.readouterr().err == "behind it\n"


def test_control_characters_are_said_as_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    say("label '\x1b[31mx'\tis\nodd")
    assert capsys.readouterr().err == "label '\\x1b[31mx'\tis\nodd\n"
