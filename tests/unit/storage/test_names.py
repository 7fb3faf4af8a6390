"""Names of files that are no text: bytes that are not UTF-8, kept by Python as halves of surrogate pairs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tinybert.config import build_recipe
from tinybert.errors import DataError, ModelError, RunError
from tinybert.models import load_config, load_tokenizer
from tinybert.runs import digest_input
from tinybert.sources.encoding import SourceFile
from tinybert.sources.readers import open_file
from tinybert.storage import Output, name_problem, read_json, write_json, write_text

BAD = os.fsdecode(b"\xff\xfe")
PROBLEM = "the name is not text in utf-8; rename it"


@pytest.mark.parametrize(("name", "problem"), [("好 é", None), (Path("a"), None), (BAD, PROBLEM)])
def test_a_name_is_text_or_not(name: str | Path, problem: str | None) -> None:
    assert name_problem(name) == problem


def test_an_output_of_such_a_name_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=PROBLEM), Output(tmp_path / BAD, {}, report="report.json"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_such_a_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / BAD).mkdir()
    for load in (load_config, load_tokenizer):
        with pytest.raises(ModelError, match=PROBLEM):
            load(tmp_path / BAD)


def test_a_parquet_file_of_such_a_name_is_refused(tmp_path: Path) -> None:
    file = tmp_path / f"{BAD}.parquet"
    file.touch()
    with pytest.raises(DataError, match=PROBLEM):
        open_file(SourceFile(file, file.name))


def test_data_of_such_a_name_is_known_by_its_content(tmp_path: Path) -> None:
    folder = tmp_path / BAD
    folder.mkdir()
    (folder / f"{BAD}.txt").write_text("one")
    before = digest_input(folder, is_text=True)
    (folder / f"{BAD}.txt").write_text("two")
    assert digest_input(folder, is_text=True) != before
    assert digest_input(BAD) != digest_input("other")


def test_files_that_name_it_are_written_and_json_and_recipes_read_it_back(tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    write_json(file, {"path": f"好{BAD}"})
    assert read_json(file) == {"path": f"好{BAD}"}
    write_text(file, f"好{BAD}")
    assert file.read_bytes() == "好\\udcff\\udcfe".encode()
    recipe = build_recipe({"stage": "finetune", "model": "m", "data": {"path": BAD}}, [])
    assert recipe.data.path == BAD
