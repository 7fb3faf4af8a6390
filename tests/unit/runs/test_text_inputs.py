"""Text that can be read only once is known by its name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tinybert.runs import digest_input


def test_a_pipe_is_known_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = digest_input("-", is_text=True)
    Path("-").write_text("a file of that name")
    assert digest_input("-", is_text=True) == before
    os.mkfifo("pipe")
    assert digest_input("pipe", is_text=True) != before
