"""What a checkpoint says of the rows that it was trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests import easy

from tinybert.config import build_recipe
from tinybert.stages.pipeline import run_recipe
from tinybert.stages.steps.prepare import encode_rows, load_rows
from tinybert.tasks import BUILTIN as TASKS


@pytest.mark.parametrize("task_name", ["classification", "tests.unit.stages.test_prepare:FOREIGN"])
@pytest.mark.parametrize("is_pair", [False, True])
def test_rows_say_whether_they_are_pairs_and_how_a_foreign_task_is_named(
    tmp_path: Path, task_name: str, is_pair: bool
) -> None:
    second = {"text_pair": "bab"} if is_pair else {}
    source = {name: [{**row, **second} for row in rows] for name, rows in easy.make_splits().items()}
    recipe, task = build_recipe({"task": task_name}), TASKS["classification"]
    data = load_rows(source, recipe, task, work_dir=tmp_path / "rows", allow_unlabelled=False)
    rows = encode_rows(
        data, easy.make_tokenizer(), recipe=recipe, task=task, max_length=16, folder=tmp_path / "encoded"
    )
    named = {"task": task_name} if ":" in task_name else {}
    assert rows.config(tmp_path) == {"tinybert": {"text_pair": is_pair, **named}}


def test_every_checkpoint_of_a_run_says_it(tmp_path: Path, tiny_encoder: Path) -> None:
    recipe = build_recipe({"teacher": {"path": str(tiny_encoder)}}, [*easy.TINY_STUDENT, *easy.FAST])
    run = run_recipe(recipe, tmp_path / "run", source=easy.make_splits())
    for folder in (run.path, run.path / "teacher"):
        assert json.loads((folder / "config.json").read_text())["tinybert"] == {"text_pair": False}
