"""What is written to disk: whole or not at all, locked, resumed by the same command."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from reprlib import repr as brief
from types import TracebackType
from typing import BinaryIO, Self, TextIO, cast

from tinybert.console import say
from tinybert.errors import RunError, TinyBertError

Json = dict[str, object]

LOCK, WORK, MADE_FROM = "lock", "work", "made_from.json"
OF_PARTIAL = (LOCK, WORK, MADE_FROM)
"""Names in a partial folder that the finished one does not have."""
BLOCK_BYTES = 1 << 20
MAX_NAMED = 5
"""Settings that a message names."""
DISK_ERRORS = frozenset(
    getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO") if hasattr(errno, name)
)
DISK_FULL = os.strerror(errno.ENOSPC)


def cache_folder() -> Path:
    """Return ``$TINYBERT_CACHE``, or ``~/.cache/tinybert``; it need not exist yet."""
    return Path(os.environ.get("TINYBERT_CACHE") or "~/.cache/tinybert").expanduser()


def partial_path(target: Path) -> Path:
    """Return where an output grows until it is finished."""
    return target.parent / f".{target.name}.partial"


def name_problem(path: str | Path) -> str | None:
    """Say why libraries that are not Python's cannot open a path: its name is not text to this system."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        coding = sys.getfilesystemencoding()
        fix = "" if coding == "utf-8" else ", or set PYTHONUTF8=1 where it is UTF-8"
        return f"the name is not text in {coding}; rename it{fix}"
    return None


def read_json(path: Path) -> Json:
    """Read a JSON object.

    Raises:
        RunError: It is damaged.
    """
    fix = "copy it here once more, or make again what it belongs to"
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(str(path), f"cannot be read ({error.strerror or error}); {fix}") from error
    except (ValueError, RecursionError) as error:
        raise RunError(str(path), f"damaged ({error}); {fix}") from error
    if not isinstance(found, dict):
        raise RunError(str(path), f"damaged (it is not a JSON object); {fix}")
    return cast(Json, found)


def blocks_of(stream: BinaryIO, num_bytes: int | None = None) -> Iterator[bytes]:
    """Yield a file's first bytes, or all, in blocks that fit into any memory."""
    left = num_bytes
    while block := stream.read(BLOCK_BYTES if left is None else min(left, BLOCK_BYTES)):
        yield block
        left = None if left is None else left - len(block)


@contextmanager
def whole(path: Path) -> Generator[Path]:
    """Give a file another name until it is written: what has its own is whole.

    Raises:
        RunError: A folder has the name.
    """
    if path.is_dir():
        raise RunError(str(path), "a folder where a file belongs; delete it, or give it another name")
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; half of a surrogate pair (a name of bytes) becomes its escape."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def lock(folder: Path, *, subject: str, waits: bool = False) -> TextIO | None:
    """Keep a second process out of a folder, as :func:`hold` does from a file."""
    return hold(folder / LOCK, subject=subject, waits=waits)


def hold(path: Path, *, subject: str, waits: bool = False, shared: bool = False) -> TextIO | None:
    """Keep a second process from a file until what is returned is closed; its content stays.

    Args:
        path: The file.
        subject: What is made there, for the message.
        waits: Wait for the other process, instead of refusing.
        shared: Let others in that share it too.

    Returns:
        None where the system has no file locks.

    Raises:
        RunError: Another process has it.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    if path.is_dir():
        raise RunError(subject, f"{path} is a folder where a file belongs; delete it")
    how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if waits else fcntl.LOCK_NB)
    while True:
        with suppress(FileNotFoundError):
            file = path.open("a")
            try:
                fcntl.flock(file, how)
            except OSError as error:
                file.close()
                raise RunError(subject, "another process is making this just now") from error
            if _has_name(file, path):
                return file
            file.close()
        if not waits:
            raise RunError(subject, "another process has just put this away; give the command again")
        path.parent.mkdir(parents=True, exist_ok=True)


def _has_name(file: TextIO, path: Path) -> bool:
    """Return whether an open file is still the one of a name: its last holder may have deleted it."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    return False


def remove(path: Path) -> None:
    """Delete a file, or a folder with all that is in it."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def clear(folder: Path, *, but: Iterable[str] = ()) -> None:
    """Empty a folder of all but some names."""
    for file in folder.iterdir():
        if file.name not in but:
            remove(file)


def differences(known: Mapping[str, object], made_from: Mapping[str, object]) -> list[str]:
    """Return what differs between what two outputs are made from: settings, and names of inputs.

    Example:
        >>> known = {"recipe": {"seed": 1}, "inputs": {"data": "a"}}
        >>> differences(known, {"recipe": {"seed": 2}, "inputs": {"data": "b"}})
        ['settings (seed = 1, now 2)', 'data']
    """
    one, other = _parts({name: known.get(name) for name in made_from}), _parts(made_from)
    names = [name for name in one | other if one.get(name) != other.get(name)]
    changed = {"settings": _changed(one.get("settings"), other.get("settings"))}
    return [name + changed.get(name, "") for name in names]


def _parts(made_from: Mapping[str, object]) -> Json:
    plain = cast(Json, json.loads(json.dumps(made_from)))
    inputs = cast(Json, plain.pop("inputs", None) or {})
    return {"settings" if name == "recipe" else name: value for name, value in plain.items()} | inputs


def disk_problem(error: BaseException) -> str | None:
    """Return what the system says of a disk that takes no more; None for any other error."""
    if isinstance(error, TinyBertError):
        return None  # it says so itself
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return error.strerror
    return DISK_FULL if DISK_FULL in str(error) else None  # as safetensors and torch pass it on


def keep_nothing(path: Path, error: BaseException | None) -> bool:
    """Say that nothing half made took time."""
    return False


class Output:
    """What a command makes: a folder, or a file with a report beside it.

    ``with`` looks at what is there. Made already from the same: ``metadata`` is its report, and nothing is
    to do. Half made from the same: it is resumed. Anything else is refused. It grows in ``.NAME.partial``
    beside its place, under a lock, and is renamed by :meth:`commit`: what has the final name is whole.

    Args:
        target: The final place.
        made_from: JSON: settings and, under ``inputs``, name → digest. Compared with that of what is there.
        report: The JSON file that keeps the metadata: its name in the folder, or beside a file the ending in
            place of the file's own; empty for none. What the output is made from is written in it, or in its
            ``made_from``.
        file: For a file: its name in ``path`` while it is written.
        keep: Says of what an earlier process left in ``path``, or what an error leaves now, whether it took
            time. If not it is deleted, but for ``work`` where the same may be resumed.
        is_comparable: False where inputs cannot be compared (a pipe): what exists is then refused.
        replaces: What has the final name is replaced, never returned or refused.
        waits: Wait while another process makes it.
        option: Of the command, that gives the final place.

    Attributes:
        note: The file in ``path`` that says what is made there.
        is_noted: All versions left that note: earlier ones left none in the folder of a tokenizer.
        path: The folder to write in.
        metadata: The report, once the output is finished.

    Example:
        >>> from tempfile import mkdtemp
        >>> def make(target: Path) -> Json:
        ...     with Output(target, {"settings": 1}, report="report.json") as output:
        ...         if output.metadata is None:
        ...             (output.path / "product").touch()
        ...             return output.commit({"settings": 1, "size": 0})
        ...         return output.metadata
        >>> target = Path(mkdtemp()) / "out"
        >>> make(target) == make(target)
        True
    """

    def __init__(
        self,
        target: Path,
        made_from: Mapping[str, object],
        *,
        report: str,
        file: str | None = None,
        keep: Callable[[Path, BaseException | None], bool] = lambda path, error: True,
        is_comparable: bool = True,
        replaces: bool = False,
        waits: bool = False,
        option: str = "--out",
    ) -> None:
        self.target, self.made_from = target, made_from
        self.report, self.file = report, file
        self.keep, self.is_comparable, self.replaces = keep, is_comparable, replaces
        self.waits, self.option = waits, option
        self.note, self.is_noted = MADE_FROM, file is not None
        self.path = partial_path(target)
        self.metadata: Json | None = None
        self._held: TextIO | None = None

    @property
    def work(self) -> Path:
        """The folder in ``path`` for what the result does not need."""
        return self.path / WORK

    def known(self, *, is_finished: bool) -> Json | None:
        """Return what the output at the final place, or the half made one, is made from."""
        file = self._report_in(self.target) if is_finished else self.path / MADE_FROM
        if not file.is_file():
            return None
        found = read_json(file)
        return cast(Json, found.get("made_from", found))

    def mark(self) -> None:
        """Note in ``path`` what is made there."""
        write_json(self.path / MADE_FROM, self.made_from)

    def is_made(self) -> bool:
        """Return whether the same is finished already, and read its report.

        Raises:
            RunError: Something else has the final name.
        """
        is_empty = self.file is None and self.target.is_dir() and not any(self.target.iterdir())
        if self.replaces or is_empty or not self.target.exists():
            return False
        damaged = ""
        try:
            known = self.known(is_finished=True)
        except RunError as error:
            known, damaged = None, f", and its {Path(error.subject).name} cannot be used"
        other = [] if known is None else differences(known, self.made_from)
        if known is not None and not other and self.is_comparable:
            self.metadata = read_json(self._report_in(self.target))
            if self.file is not None:
                self.discard()  # what a kill has left
            say(f"{self.target} is finished already, with these settings, from these inputs: nothing to do")
            return True
        why = f", made with {_listed(other)}" if other else damaged
        if known is not None and not self.is_comparable:
            why = ", maybe from other text: what a pipe brings is not compared"
        raise RunError(
            str(self.target), f"already exists{why}; choose another {self.option}, or delete it first"
        )

    def begin(self) -> None:
        """Find it made, or half made, or begin it.

        Raises:
            RunError: Something else is in the way, another process is making it, or nobody can write there.
        """
        if not self.target.name:
            raise RunError(str(self.target), f"not a new name; give {self.option} a name, such as first")
        if problem := name_problem(self.target):
            raise RunError(str(self.target), problem)
        if self.is_made():
            return
        try:
            self._held = self._take()
            if self.is_made():  # by another process, since the last look
                self.discard()
                self._release()
            else:
                self._resume()
        except OSError as error:
            self._release()
            raise RunError(str(self.target), f"cannot write here: {error.strerror or error}") from error
        except BaseException:
            self._release()
            raise

    def look(self) -> None:
        """Say what :meth:`begin` would find there, for a dry run; nothing is written.

        Raises:
            RunError: Something else is in the way, or what is half made cannot be resumed.
        """
        if self.is_made() or not self.path.is_dir() or not self.keep(self.path, None):
            return
        if self._resumable() is not None:
            say(f"{self.path}: an unfinished one of the same, which the command would resume")

    def commit(self, metadata: Mapping[str, object]) -> Json:
        """Write the report, clear away what the result does not need, and give it its name."""
        if self.report:
            write_json(self._report_in(self.path), metadata)
        self.metadata = dict(metadata)
        self._name()
        return self.metadata

    def discard(self) -> None:
        """Delete what is half made."""
        shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_half = error is not None and self.metadata is None
        is_left = is_half and self.keep(self.path, error)
        if is_half and not is_left:
            self.discard()
        self._release()  # by hand: a kept traceback (a notebook's) would keep the lock too
        if error is not None and (problem := disk_problem(error)):
            kept = f"{self.path} keeps what is there; " if is_left else ""
            advice = f"{kept}fix this and give the same command again{' to resume' if is_left else ''}"
            raise RunError(str(self.target), f"cannot be written: {problem}; {advice}") from error

    def _take(self) -> TextIO | None:
        self.path.mkdir(parents=True, exist_ok=True)
        return lock(self.path, subject=str(self.target), waits=self.waits)

    def _refuse_other(self) -> Json | None:
        """Refuse what is half made from something else; return what it is made from."""
        try:
            known = self.known(is_finished=False)
        except RunError as error:
            problem = error.problems[0].partition(";")[0]
            raise self._not_resumable(f"{Path(error.subject).name}: {problem}") from error
        if known is not None and (other := differences(known, self.made_from)):
            raise RunError(
                str(self.target),
                f"an unfinished one with {_listed(other)} is in {self.path}; give its command again to "
                f"resume, {self._other_place()}",
            )
        return known

    def _not_resumable(self, problem: str) -> RunError:
        text = f"the unfinished one in {self.path} cannot be resumed: {problem}; {self._other_place()}"
        return RunError(str(self.target), text)

    def _other_place(self) -> str:
        return f"delete that {'folder' if self.path.is_dir() else 'file'}, or choose another {self.option}"

    def _resumable(self) -> Json | None:
        """Return what the half made one is made from; None where there is none."""
        known = self._refuse_other()
        is_begun = any(file.is_file() for file in self.path.glob("*/**/*"))
        if known is None and is_begun and self.is_noted:
            raise self._not_resumable(f"{self.note} is missing")
        return known

    def _resume(self) -> None:
        is_kept = self.keep(self.path, None)
        if not is_kept:
            clear(self.path, but=(LOCK, WORK))
        known = self._resumable() if is_kept else None
        report = self._report_in(self.path)
        if known is not None and self.file is None and report.is_file():  # killed before it got its name
            self.metadata = read_json(report)
            self._name()
            self._release()
        else:
            self.work.mkdir(exist_ok=True)
            self.mark()

    def _report_in(self, place: Path) -> Path:
        return place / self.report if self.file is None else self.target.with_suffix(self.report)

    def _name(self) -> None:
        if self.file is not None:
            (self.path / self.file).replace(self.target)
            shutil.rmtree(self.path, ignore_errors=True)
            return
        shutil.rmtree(self.work, ignore_errors=True)
        old = self.target.with_name(f".{self.target.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self.replaces and self.target.exists():
            self.target.replace(old)
        elif self.target.exists():
            self.target.rmdir()  # only an empty one: what others have put there since stays
        self.path.replace(self.target)
        shutil.rmtree(old, ignore_errors=True)
        for name in (LOCK, MADE_FROM):
            (self.target / name).unlink(missing_ok=True)

    def _release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


def _listed(names: Iterable[str]) -> str:
    return " and ".join(f"other {name}" for name in names)


def _changed(known: object, now: object) -> str:
    """Name the settings that differ, where both are by name."""
    if not isinstance(known, dict) or not isinstance(now, dict):
        return ""
    one, other = cast(Json, known), cast(Json, now)
    names = [name for name in one | other if one.get(name) != other.get(name)]
    shown = [f"{name} = {brief(one.get(name))}, now {brief(other.get(name))}" for name in names[:MAX_NAMED]]
    more = [f"{len(names) - MAX_NAMED} more"] if len(names) > MAX_NAMED else []
    return f" ({'; '.join([*shown, *more])})"
