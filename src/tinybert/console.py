"""What a command says while it works: to standard error, so that standard output stays data; rank 0 only.

No stream stops a command. What a stream's encoding cannot write becomes ASCII (:data:`MARKS`), or its escape;
JSON keeps its text, in JSON's own escapes. Words that nobody can read any more are dropped, and the work
continues; data that nobody reads ends the command, quietly.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import select
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol, TextIO

from tinybert.legible import escaped

if TYPE_CHECKING:
    from tqdm import tqdm

SHARE_A_LINE, MIN_LINE_S, MAX_LINE_S = 0.1, 2, 60
MIN_COLUMNS = 20
MARKS = {
    **{"✓": "ok", "✗": "x", "…": "...", "→": "->", "←": "<-", "≥": ">=", "≤": "<=", "×": "x", "·": "*"},
    **{"–": "-", "−": "-", "─": "-", "’": "'"},
}
"""A mark → what a stream shows that cannot write it."""
DEGRADED = "tinybert.degraded"
"""The name of :func:`_degraded` among the error handlers of an encoding."""
STRICT = ("strict", "surrogateescape", "backslashreplace")
"""Error handlers that Python sets by itself; any other was asked for (PYTHONIOENCODING) and is kept."""
NOT_ASCII, NOT_UNICODE = re.compile("[^\x00-\x7f]"), re.compile("[\ud800-\udfff]")

_bars: list[tqdm] = []


class Advance(Protocol):
    """Moves a progress bar."""

    def __call__(self, count: int, note: str = "", *, total: int | None = None) -> object:
        """Count what has been done since the last call.

        Args:
            count: So many more.
            note: Comes after the figures.
            total: How many there are by now, where that has changed.
        """
        ...


def is_first_process() -> bool:
    """Return whether this process is the one of several that speaks."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """Print a line, above the progress bar where there is one."""
    if is_first_process():
        put_words(text)


def put_words(text: str) -> None:
    """Print a line to standard error; what is made matters more than words that cannot be written."""
    stream, text = _open(sys.stderr), escaped(text)
    if stream is None:
        return
    try:
        if _bars:
            _bars[-1].write(_writable(text, stream), file=stream)
        else:
            print(_writable(text, stream), file=stream, flush=True)
    except BrokenPipeError:
        _forget(stream)
    except OSError:  # a full disk, a terminal that has gone
        pass


def warn(text: str) -> None:
    """Print a line about something odd that does not stop the command."""
    say(f"warning: {text}")


def put_json(value: object) -> None:
    """Print figures as JSON on standard output."""
    put_json_lines(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def put_json_lines(text: str) -> None:
    """Write JSON to standard output: as it is in UTF-8; in any other encoding ASCII, with JSON's escapes."""
    if (stream := _open(sys.stdout)) is not None:
        foreign = NOT_UNICODE if _is_unicode(stream) else NOT_ASCII
        stream.write(foreign.sub(lambda found: json.dumps(found[0])[1:-1], text))


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether somebody looks at a stream; nobody at one that is closed."""
    return (found := _open(stream)) is not None and found.isatty()


@contextmanager
def safe_streams() -> Generator[None]:
    """Let no character and no closed stream stop a command, and show no traceback of a stream at its end."""
    _fill_closed()
    _widen_narrow()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in STRICT:
            with suppress(OSError):
                stream.reconfigure(errors=DEGRADED)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                _forget(stream)
            except ValueError:  # closed
                pass


def has_no_reader(stream: TextIO) -> bool:
    """Return whether a stream, of which a pipe is known to be broken, is that pipe."""
    if not hasattr(select, "poll"):  # nobody can say, as on Windows
        return True
    asked = select.poll()
    with suppress(OSError, ValueError):  # no file, or closed
        asked.register(stream.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in asked.poll(0))
    return False


def _fill_closed() -> None:
    """Give closed streams a place: else the next file that is opened takes theirs, and gets what they get."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


def _widen_narrow() -> None:
    """Let help be laid out where a terminal is narrower than a word, or COLUMNS=0 says that nobody knows."""
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given) == 0:
        del os.environ["COLUMNS"]
    columns = int(given) if given.isdigit() and int(given) else _columns_of_terminal()
    if 0 < columns < MIN_COLUMNS:
        os.environ["COLUMNS"] = str(MIN_COLUMNS)


def _columns_of_terminal() -> int:
    for number in range(3):
        with suppress(OSError, ValueError):
            return os.get_terminal_size(number).columns
    return 0


def _forget(stream: TextIO) -> None:
    """Let a stream that cannot be written lead nowhere: Python tries once more at the end, and complains."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _degraded(error: UnicodeError) -> tuple[str, int]:
    """Return what is written instead of characters that an encoding lacks, and where the text continues."""
    assert isinstance(error, UnicodeEncodeError)
    found = error.object[error.start : error.end]
    escaped = (MARKS.get(each) or each.encode("ascii", "backslashreplace").decode() for each in found)
    return "".join(escaped), error.end


codecs.register_error(DEGRADED, _degraded)


def _writable(text: str, stream: TextIO) -> str:
    """Return a text as a stream can write it, whoever opened that."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, DEGRADED).decode(encoding)


def _is_unicode(stream: TextIO) -> bool:
    encoding = getattr(stream, "encoding", None) or "utf-8"  # a StringIO has none
    return codecs.lookup(encoding).name.startswith("utf")


def _open(stream: TextIO | None) -> TextIO | None:
    """Return a stream unless it is closed: Python has None for one that was when it began."""
    return None if stream is None or getattr(stream, "closed", False) else stream


@contextmanager
def progress(
    label: str, total: int | None, *, unit: str, done: int = 0, every_s: float = MAX_LINE_S
) -> Generator[Advance]:
    """Show how far something is: a bar, or a few plain lines where there is no terminal.

    Args:
        label: What is going on.
        total: How many there are; None where nobody knows.
        unit: What they are, in the plural.
        done: How many an earlier, killed command did.
        every_s: Seconds after which a plain line comes at the latest; without a total, at the earliest.

    Yields:
        What is called with the number that has been done since the last call.
    """
    if not is_first_process():
        yield lambda count, note="", *, total=None: None
    elif is_terminal(sys.stderr):
        with _bar(label, total, unit=unit, done=done) as advance:
            yield advance
    else:
        yield _Lines(label, total, unit=unit, done=done, every_s=every_s)


@contextmanager
def _bar(label: str, total: int | None, *, unit: str, done: int) -> Generator[Advance]:
    from tqdm import tqdm

    scale = unit == "bytes"  # 94.4M, not 94387430
    with tqdm(
        total=total,
        initial=done,
        desc=label,
        unit=f" {unit}",
        unit_scale=scale,
        leave=False,
        dynamic_ncols=True,
    ) as bar:
        _bars.append(bar)

        def advance(count: int, note: str = "", *, total: int | None = None) -> None:
            bar.total = total or bar.total
            if note:
                bar.set_postfix_str(note, refresh=False)
            bar.update(count)

        try:
            yield advance
        finally:
            _bars.remove(bar)


class _Lines:
    """Prints a line at each tenth, if some seconds have passed since the last, and at the end."""

    def __init__(self, label: str, total: int | None, *, unit: str, done: int, every_s: float) -> None:
        self.label, self.total, self.unit, self.every_s = label, total, unit, every_s
        self.begun_with = self.done = self.last = done
        self.start = self.printed = time.perf_counter()

    def __call__(self, count: int, note: str = "", *, total: int | None = None) -> None:
        self.done += count
        self.total = total or self.total
        now = time.perf_counter()
        if self._is_due(now):
            self.last, self.printed = self.done, now
            say(self._line(now) + (f", {note}" if note else ""))

    def _is_due(self, now: float) -> bool:
        is_late = now - self.printed >= self.every_s
        if self.total is None:
            return is_late
        is_tenth = self.done - self.last >= self.total * SHARE_A_LINE and now - self.printed >= MIN_LINE_S
        return is_late or is_tenth or self.done == self.total

    def _line(self, now: float) -> str:
        speed = (self.done - self.begun_with) / max(now - self.start, 1e-9)
        if self.total is None:
            return f"{self.label}: {self.done:,} {self.unit}, {speed:,.0f} a second"
        left = max(self.total - self.done, 0) / max(speed, 1e-9)
        share = f"{self.done:,}/{self.total:,} {self.unit} ({self.done / max(self.total, 1):.0%})"
        return f"{self.label}: {share}, {speed:,.0f} a second, {left:,.0f} s left"
