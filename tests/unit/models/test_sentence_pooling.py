import json
from pathlib import Path

import pytest
import torch

from tinybert.errors import ModelError
from tinybert.models.pooling import POOLINGS, SentenceEncoder, read_sentence_encoder

STATES = torch.tensor([[[1.0, 5.0], [3.0, -1.0], [100.0, 100.0]]])
MASK = torch.tensor([[1, 1, 0]])
POOLED = {"mean": [2.0, 2.0], "max": [3.0, 5.0], "cls": [1.0, 5.0]}


@pytest.mark.parametrize("mode", POOLINGS)
def test_padding_counts_for_nothing(mode: str) -> None:
    assert POOLINGS[mode](STATES, MASK).tolist() == [POOLED[mode]]


def folder_of(path: Path, pooling: object, *more: dict[str, str], prompts: object = None) -> Path:
    modules = [
        {"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        *more,
    ]
    (path / "1_Pooling").mkdir(parents=True)
    (path / "modules.json").write_text(json.dumps(modules))
    (path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    if prompts is not None:
        (path / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    return path


@pytest.mark.parametrize(
    ("pooling", "mode"),
    [
        ({"word_embedding_dimension": 8, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode": "max"}, "max"),
        ({"pooling_mode": ["cls", "mean"]}, "cls+mean"),
        ({"pooling_mode_lasttoken": True}, "lasttoken"),
        ({}, "none"),
    ],
)
def test_old_and_new_folders_say_how_they_pool(tmp_path: Path, pooling: object, mode: str) -> None:
    assert read_sentence_encoder(folder_of(tmp_path / "model", pooling)) == SentenceEncoder(mode)


def test_what_a_head_has_no_place_for_is_named(tmp_path: Path) -> None:
    modules = (
        {"path": "2_Dense", "type": "sentence_transformers.models.Dense"},
        {"path": "3_Normalize", "type": "sentence_transformers.models.Normalize"},
    )
    prompts = {"query": "query: ", "document": ""}
    folder = folder_of(tmp_path / "model", {"pooling_mode": "mean"}, *modules, prompts=prompts)
    assert read_sentence_encoder(folder) == SentenceEncoder("mean", ("2_Dense", "'query: '"))


def test_other_checkpoints_and_hub_names_say_nothing(tmp_path: Path) -> None:
    assert read_sentence_encoder(tmp_path) is None
    assert read_sentence_encoder("some/model") is None


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("modules.json", "[{", "modules.json: cannot be read"),
        ("modules.json", '{"type": "x"}', "not a list of modules"),
        ("modules.json", '[{"type": "a.Pooling", "path": "../other"}]', "lies outside the folder"),
        ("1_Pooling/config.json", "[]", "not a pooling's settings"),
        ("1_Pooling/config.json", "mean", "cannot be read"),
        ("config_sentence_transformers.json", "{", "cannot be read"),
    ],
)
def test_a_damaged_folder_is_refused(tmp_path: Path, file: str, content: str, message: str) -> None:
    folder = folder_of(tmp_path / "model", {"pooling_mode": "mean"}, prompts={})
    (folder / file).write_text(content)
    with pytest.raises(ModelError, match=message):
        read_sentence_encoder(folder)


def test_a_module_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model", {"pooling_mode": "mean"})
    (folder / "1_Pooling").rename(tmp_path / "other")
    (folder / "1_Pooling").symlink_to(tmp_path / "other")
    with pytest.raises(ModelError, match="lies outside the folder"):
        read_sentence_encoder(folder)
