"""What a checkpoint says of the rows that it was trained on."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from tests import easy, tokens

from tinybert.config import build_recipe
from tinybert.errors import DataError
from tinybert.stages.pipeline import run_recipe
from tinybert.stages.steps.fit import add_to_config
from tinybert.stages.steps.prepare import encode_rows, load_rows
from tinybert.tasks import BUILTIN as TASKS


@pytest.mark.parametrize("task_name", ["classification", "tests.unit.stages.test_prepare:FOREIGN"])
@pytest.mark.parametrize("is_pair", [False, True])
def test_rows_say_whether_they_are_pairs_and_how_a_foreign_task_is_named(
    tmp_path: Path, task_name: str, is_pair: bool
) -> None:
    second = {"text_pair": "bab"} if is_pair else {}
    source = {name: [{**row, **second} for row in rows] for name, rows in easy.make_splits().items()}
    recipe, task = build_recipe({"task": task_name, "hard_loss": "cross_entropy"}), TASKS["classification"]
    data = load_rows(source, recipe, task, work_dir=tmp_path / "rows", allow_unlabelled=False)
    rows = encode_rows(
        data, easy.make_tokenizer(), recipe=recipe, task=task, max_length=16, folder=tmp_path / "encoded"
    )
    named = {"task": task_name} if ":" in task_name else {}
    assert rows.config(tmp_path) == {"tinybert": {"text_pair": is_pair, **named}}


def test_a_threshold_of_the_first_weights_is_not_the_checkpoints(tmp_path: Path) -> None:
    task = TASKS["qa"]
    source = tokens.make_splits(tokens.make_question_rows, train=8, validation=8, test=8)
    recipe = build_recipe({"task": "qa", "hard_loss": "cross_entropy"})
    data = load_rows(source, recipe, task, work_dir=tmp_path / "rows", allow_unlabelled=False)
    rows = encode_rows(
        data, tokens.make_tokenizer(), recipe=recipe, task=task, max_length=64, folder=tmp_path / "encoded"
    )
    (tmp_path / "config.json").write_text('{"null_threshold": 0.5, "vocab_size": 7}')
    add_to_config(tmp_path, rows.config(tmp_path))
    assert json.loads((tmp_path / "config.json").read_text()) == {
        "vocab_size": 7,
        "tinybert": {"text_pair": True},
    }


def test_rows_to_train_on_need_labelled_ones_to_validate_on(tmp_path: Path) -> None:
    splits = easy.make_splits()
    source = {"train": [{"text": row["text"]} for row in splits["train"]], "test": splits["test"]}
    recipe, task = build_recipe({}), TASKS["classification"]
    with pytest.raises(
        DataError,
        match="validation split is empty; one good row at least is needed, outside train with a label",
    ):
        load_rows(source, recipe, task, work_dir=tmp_path / "rows", allow_unlabelled=True)


def test_every_checkpoint_of_a_run_says_it(tmp_path: Path, tiny_encoder: Path) -> None:
    short = ["teacher.num_epochs=1", "train.num_epochs=1", "baseline=false"]
    recipe = build_recipe({"teacher": {"path": str(tiny_encoder)}}, [*easy.TINY_STUDENT, *easy.FAST, *short])
    run = run_recipe(recipe, tmp_path / "run", source=easy.make_splits())
    for folder in (run.path, run.path / "teacher"):
        assert json.loads((folder / "config.json").read_text())["tinybert"] == {"text_pair": False}


def test_hard_labels_are_weighted_by_the_labelled_train_rows(tmp_path: Path) -> None:
    source = easy.make_splits(train=12)
    source["train"] = [*source["train"][:8:2], *source["train"][1:3:2], *source["train"][8:]]
    source["train"][-1]["label"] = source["train"][-2]["label"] = None  # left: 5 negative, 2 positive
    settings = {"hard_loss": "focal", "train": {"class_weights": "balanced", "focal_gamma": 1.0}}
    recipe, task = build_recipe(settings), TASKS["classification"]
    data = load_rows(source, recipe, task, work_dir=tmp_path / "rows", allow_unlabelled=True)
    rows = encode_rows(
        data, easy.make_tokenizer(), recipe=recipe, task=task, max_length=16, folder=tmp_path / "encoded"
    )
    logits, batch = torch.zeros(3, 2, dtype=torch.float64), {"labels": torch.tensor([0, 1, -100])}
    expected = (7 / (2 * 5) + 7 / (2 * 2)) * math.log(2) / 2 / 2  # γ = 1 halves each row
    assert rows.hard_loss(logits, batch).item() == pytest.approx(expected)
    assert rows.evaluator().hard_loss is rows.hard_loss
