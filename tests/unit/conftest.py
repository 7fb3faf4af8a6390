from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import settings
from tests.unit.data.made_up import Row, make_tokenizer
from transformers import PreTrainedTokenizerFast

# a busy machine is no failure, and the same examples every time; many new ones in make test-slow
settings.register_profile("tinybert", deadline=None, derandomize=True, max_examples=50, database=None)
settings.register_profile("thorough", deadline=None, max_examples=1000, database=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tinybert"))


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tokenizer()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of text, bytes or rows; return its path."""

    def write_file(name: str, content: str | bytes | Sequence[Row]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_bytes(content.encode())
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
        return path

    return write_file
