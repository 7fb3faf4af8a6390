"""``pip download`` of pinned archives: hash-checked, resumed after a kill, with progress; no installation."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tinybert.checksums import file_sha256
from tinybert.console import Advance, progress
from tinybert.errors import DataError

POLL_S = 0.5
STALL_S = 300
"""pip itself gives up on a silent server before; this ends a pip that hangs."""
PARTIAL = "pip-"


@dataclass(frozen=True)
class Archive:
    """One file that pip saves.

    Attributes:
        requirement: The package at its pinned version.
        sha256: Of the file.
        size_bytes: Of the file.
        is_source: True when the wanted files are only in the source distribution.
        platform: Of the wheel, where it is named after one although the wanted files suit any.
    """

    requirement: str
    sha256: str
    size_bytes: int
    is_source: bool = False
    platform: str | None = None


def download(name: str, archives: Sequence[Archive], folder: Path) -> list[Path]:
    """Let pip bring archives, one after the other; those that an earlier command brought whole are kept.

    Args:
        name: What they are for, in messages.
        archives: In the order wanted.
        folder: Where they are kept, each under its SHA-256. Only one process may use it.

    Returns:
        The files, in that order.

    Raises:
        DataError: pip cannot bring one, or its bytes are not the pinned ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for partial in folder.glob(f"{PARTIAL}*"):  # of a killed command
        shutil.rmtree(partial, ignore_errors=True)
    missing = [archive for archive in archives if not _is_whole(folder / archive.sha256, archive)]
    total = sum(archive.size_bytes for archive in archives)
    done = total - sum(archive.size_bytes for archive in missing)
    if missing:
        with progress(name, total, unit="bytes", done=done) as advance:
            for archive in missing:
                _bring(name, archive, folder=folder, advance=advance)
    return [folder / archive.sha256 for archive in archives]


def _is_whole(file: Path, archive: Archive) -> bool:
    return file.is_file() and file_sha256(file) == archive.sha256


def _bring(name: str, archive: Archive, *, folder: Path, advance: Advance) -> None:
    """Let pip save one archive; it compares the hash before it builds anything, and so do we."""
    with TemporaryDirectory(dir=folder, prefix=PARTIAL) as partial:
        saved = _saved_by_pip(name, archive, work=Path(partial), advance=advance)
        if (found := file_sha256(saved)) != archive.sha256:
            problem = f"{saved.name} has SHA-256 {found}, pinned is {archive.sha256}; not used"
            raise DataError(name, problem)
        saved.replace(folder / archive.sha256)


def _saved_by_pip(name: str, archive: Archive, *, work: Path, advance: Advance) -> Path:
    saved = work / "saved"
    growth = _Growth(work, archive.size_bytes, advance)
    command = _command(archive, work, saved)
    # pip reads a source archive's metadata; with setuptools at hand it need not build an environment for that
    quick = [["--no-build-isolation"]] if archive.is_source and importlib.util.find_spec("setuptools") else []
    message = ""
    for options in [*quick, []]:
        message = _run([*command, *options], folder=work, watch=growth.measure)
        files = [path for path in saved.iterdir() if path.is_file()] if saved.is_dir() else []
        if not message and files:
            growth.finish()
            return files[0]
    raise DataError(name, _explain(archive, message))


def _command(archive: Archive, work: Path, saved: Path) -> list[str]:
    wanted = work / "requirements.txt"
    wanted.write_text(f"{archive.requirement} --hash=sha256:{archive.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    command += ["--no-cache-dir", "--require-hashes", "--requirement", str(wanted), "--dest", str(saved)]
    command += ["--no-binary" if archive.is_source else "--only-binary", ":all:"]
    return command + (["--platform", archive.platform] if archive.platform else [])


class _Growth:
    """Counts the bytes that pip has in a folder: it writes there before the file is whole."""

    def __init__(self, folder: Path, size_bytes: int, advance: Advance) -> None:
        self.folder, self.size_bytes, self.advance = folder, size_bytes, advance
        self.seen = 0

    def measure(self) -> int:
        """Tell the progress bar what is new, and return what there is."""
        self._move(
            sum(_size(Path(parent, file)) for parent, _, files in os.walk(self.folder) for file in files)
        )
        return self.seen

    def finish(self) -> None:
        self._move(self.size_bytes)

    def _move(self, size_bytes: int) -> None:
        now = min(max(size_bytes, self.seen), self.size_bytes)  # a file that pip copies counts twice
        if now > self.seen or now < self.size_bytes:
            self.advance(now - self.seen)
        self.seen = now


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # gone since
        return 0


def _run(command: list[str], *, folder: Path, watch: Callable[[], int]) -> str:
    """Return an empty string, or what pip complained about; its temporary files are in the folder."""
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    with subprocess.Popen(  # noqa: S603 (a fixed command, no shell)
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env=os.environ | places,
    ) as process:
        try:
            complaint = _wait(process, watch)
        except BaseException:
            process.kill()
            raise
    if process.returncode == 0:
        return ""
    lines = [line.strip() for line in complaint.splitlines()]
    # a connection that broke comes first: the errors after it say only that nothing was found
    reported = [line for line in lines if "connection broken by" in line][-1:]
    reported = reported or [line for line in lines if "ERROR" in line or "No module" in line]
    return " ".join(reported) or complaint.strip()[-500:] or f"pip stopped with {process.returncode}"


def _wait(process: subprocess.Popen[str], watch: Callable[[], int]) -> str:
    """Return what pip wrote to standard error, once it has ended; one that does nothing more is ended."""
    last, since = -1, time.monotonic()
    while True:
        try:
            return process.communicate(timeout=POLL_S)[1]
        except subprocess.TimeoutExpired:
            now = watch()
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > STALL_S:
                process.kill()
                return process.communicate()[1] + f"\nERROR: nothing new within {STALL_S} seconds"


def _explain(archive: Archive, message: str) -> str:
    wanted = archive.requirement
    if "No module named pip" in message:
        return "this Python has no pip to download with; run: python -m ensurepip"
    if "connection broken by" in message:
        return (
            f"the package index cannot be reached for {wanted}; connect, or behind a mirror set "
            f"PIP_INDEX_URL, and give the command again (pip: {_reason(message)})"
        )
    if "HASHES" in message or "hash" in message.lower():
        return f"the index serves another {wanted} than the pinned one: {message}"
    return (
        f"pip cannot bring {wanted}: {message or 'it saved no file'}. Check that this works "
        f"here: pip download --no-deps {wanted}; behind a mirror set PIP_INDEX_URL"
    )


def _reason(message: str) -> str:
    """Return what pip says of a broken connection, without its class names and the path."""
    text = message.partition("connection broken by ")[2].strip("'\"")
    return text.rpartition("': ")[0].rpartition(": ")[2].removesuffix('")') or text
