from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from tinybert.errors import MissingExtraError, RecipeError
from tinybert.training import check_trackers, tracked


def test_a_tracker_that_is_not_installed_comes_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        MissingExtraError, match=r"wandb: not installed; run: pip install 'tinybert\[track\]'"
    ):
        check_trackers(["wandb"])
    check_trackers([])


def test_trackers_write_into_the_run_and_the_surroundings_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    with tracked(["tensorboard", "trackio"], tmp_path, "student"):
        assert os.environ["TENSORBOARD_LOGGING_DIR"] == str(tmp_path / "tensorboard" / "student")
        assert os.environ["TRACKIO_DIR"] == str(tmp_path)
    assert "TENSORBOARD_LOGGING_DIR" not in os.environ
    assert "TRACKIO_DIR" not in os.environ


def test_a_place_that_the_user_set_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "/mine")
    with tracked(["tensorboard"], tmp_path, "student"):
        assert os.environ["TENSORBOARD_LOGGING_DIR"] == "/mine"
    assert os.environ["TENSORBOARD_LOGGING_DIR"] == "/mine"


def test_weights_and_biases_that_is_not_set_up_is_said(tmp_path: Path) -> None:
    problem = type("UsageError", (Exception,), {"__module__": "wandb.errors"})
    with (
        pytest.raises(RecipeError, match="wandb: no API key; log in"),
        tracked(["wandb"], tmp_path, "student"),
    ):
        raise problem("no API key")
    with pytest.raises(ValueError, match="another"), tracked(["wandb"], tmp_path, "student"):
        raise ValueError("another")
