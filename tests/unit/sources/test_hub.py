from __future__ import annotations

import time
from pathlib import Path
from unittest.mock import Mock

import datasets
import huggingface_hub
import pytest
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from tinybert.errors import DataError
from tinybert.sources.hub import hub_problem
from tinybert.sources.locate import refuse_missing


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What the hub answers when it is asked for a model or a data set."""
    reply = Mock()
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda _, name, timeout: reply(name, timeout))
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda _, name, timeout: reply(name, timeout))
    return reply


def response(status: int) -> Mock:
    return Mock(status_code=status, headers={})


def test_without_a_network_the_answer_is_quick_and_says_so() -> None:
    start = time.perf_counter()
    problem = str(hub_problem("nonsense", "model"))
    assert "no such file or folder here; nor can the hub be asked" in problem
    assert "give its folder" in problem
    assert time.perf_counter() - start < 5


def test_a_name_the_hub_does_not_have(answer: Mock) -> None:
    answer.side_effect = RepositoryNotFoundError("404", response=response(404))
    assert str(hub_problem("owner/nonsense", "dataset")).endswith("nor a dataset of this name on the hub")


def test_a_name_the_hub_has(answer: Mock) -> None:
    assert hub_problem("owner/model", "model") is None
    answer.assert_called_once()


def test_other_words_of_the_hub_are_left_to_the_loading(answer: Mock) -> None:
    answer.side_effect = HfHubHTTPError("500", response=response(500))
    assert hub_problem("owner/model", "model") is None


@pytest.mark.parametrize("path", ["./model", "/tmp/model", "~/model", "a/b/c", "a model"])
def test_what_can_only_be_a_path_is_not_asked_for(path: str, answer: Mock) -> None:
    assert "no such file or folder" in str(hub_problem(path, "model"))
    answer.assert_not_called()


def test_the_nearest_neighbour_is_offered(tmp_path: Path, answer: Mock) -> None:
    (tmp_path / "teacher").mkdir()
    assert "did you mean 'teacher'?" in str(hub_problem(str(tmp_path / "teachr"), "model"))


def test_a_kept_download_needs_no_hub(tmp_path: Path, answer: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    (tmp_path / "owner___my_reviews").mkdir()
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda name, file: f"/{name}/{file}")
    assert hub_problem("Owner/MyReviews", "dataset") is None
    assert hub_problem("owner/model", "model") is None
    answer.assert_not_called()


def test_a_plan_asks_the_hub_for_the_name_without_its_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("tinybert.sources.locate.hub_problem", lambda name, kind: asked.append(name))
    for source in ("glue:sst2", "glue", "-", "bundled:snippets", tmp_path):
        refuse_missing(source)
    assert asked == ["glue", "glue"]
    for source in ("notes.txt", "rows.csv", tmp_path / "none"):
        with pytest.raises(DataError, match="no such file or folder"):
            refuse_missing(source)
    assert len(asked) == 2
