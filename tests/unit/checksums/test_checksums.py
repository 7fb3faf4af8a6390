from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tinybert import checksums
from tinybert.checksums import CHECKSUMS, find_damage, is_recorded, names_below, record_file, write_checksums
from tinybert.storage import Json, read_json, write_json


def files_in(folder: Path, count: int = 8) -> list[Path]:
    files = [folder / f"part-{number}" for number in range(count)]
    for file in files:
        file.write_text(file.name)
    return files


def test_what_others_record_at_the_same_time_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(path: Path, content: Json) -> None:
        time.sleep(0.01)  # long enough for all others to read what was recorded before
        write_json(path, content)

    monkeypatch.setattr(checksums, "write_json", slow)
    files = files_in(tmp_path)
    with ThreadPoolExecutor(len(files)) as pool:
        list(pool.map(record_file, files))
    names = [file.name for file in files]
    assert list(read_json(tmp_path / CHECKSUMS)) == names
    assert find_damage(tmp_path) == {}
    assert sorted(file.name for file in tmp_path.iterdir()) == [CHECKSUMS, *names]  # no lock is left


def test_of_several_processes_of_a_run_the_first_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = files_in(tmp_path, 2)
    monkeypatch.setenv("RANK", "1")
    record_file(first)
    write_checksums(tmp_path, [first.name])
    assert not (tmp_path / CHECKSUMS).exists()
    monkeypatch.setenv("RANK", "0")
    record_file(second)
    assert not is_recorded(first)
    assert is_recorded(second)


def test_the_record_and_its_lock_are_not_recorded(tmp_path: Path) -> None:
    names = [file.name for file in files_in(tmp_path, 2)]
    for name in (CHECKSUMS, f"{CHECKSUMS}.lock", f"{CHECKSUMS}.partial"):
        (tmp_path / name).touch()
    assert names_below(tmp_path) == names
