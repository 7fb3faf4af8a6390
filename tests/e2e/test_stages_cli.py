"""Every stage as a recipe: planned, run, run again; what a stage does not use is refused or left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests import easy
from tests.command import call, refused

from tinybert.runs import Run


def write_recipe(folder: Path, name: str, **tree: object) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.fixture
def trees(tmp_path: Path, easy_rows: Path, tiny_teacher: Path) -> dict[str, dict[str, object]]:
    """A recipe of each stage that makes no run."""
    text = {"path": str(easy.write_documents(tmp_path / "text.txt", 60))}
    rows = {"path": str(easy_rows)}
    return {
        "tokenizer": {"data": text, "tokenizer": {"vocab_size": 40}},
        "trim": {"data": text, "model": str(tiny_teacher)},
        "augment": {"data": rows, "augment": {"method": "swap", "copies": 1}},
        "export": {"data": rows, "model": str(tiny_teacher), "export": {"precision": "fp32"}},
        "bench": {"data": rows, "bench": {"runs": [str(tiny_teacher)]}},
    }


@pytest.mark.parametrize("stage", ["tokenizer", "trim", "augment", "export", "bench"])
def test_a_dry_run_prints_the_settings_that_the_stage_reads(
    stage: str,
    trees: dict[str, dict[str, object]],
    tmp_path: Path,
    tiny_teacher: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = write_recipe(tmp_path, stage, stage=stage, **trees[stage])
    before = sorted(tmp_path.iterdir()), sorted(tiny_teacher.iterdir())
    capsys.readouterr()
    call("run", recipe, "--dry-run")
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["stage"] == stage
    assert shown[stage]
    assert "distill" not in shown
    assert before == (sorted(tmp_path.iterdir()), sorted(tiny_teacher.iterdir()))


@pytest.mark.parametrize("stage", ["tokenizer", "trim", "augment"])
def test_a_recipe_is_run_and_found_again(
    stage: str,
    trees: dict[str, dict[str, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = write_recipe(tmp_path, stage, stage=stage, **trees[stage])
    monkeypatch.chdir(tmp_path)
    call("run", recipe, "--json")
    made = json.loads(capsys.readouterr().out)
    assert made
    place = tmp_path / "runs" / (f"{stage}.jsonl" if stage == "augment" else stage)
    assert place.exists()
    call("run", recipe)
    assert "finished already" in capsys.readouterr().err
    assert "does not use it" in refused(capsys, "run", recipe, "distill.temperature=3")


def test_an_export_goes_into_its_checkpoint(
    trees: dict[str, dict[str, object]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, "export", stage="export", **trees["export"])
    assert "omit --out" in refused(capsys, "run", recipe, "--out", tmp_path / "elsewhere")


def test_a_sweep_over_copies_runs_without_copies_too(
    tmp_path: Path, easy_rows: Path, tiny_teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["distill", easy_rows, "--teacher", tiny_teacher, "--dry-run", *easy.TINY_STUDENT]
    swap = ["augment.method=swap", "augment.probability=0.3"]
    for copies in (0, 2):
        call(*words, *swap, f"augment.copies={copies}")
        captured = capsys.readouterr()
        shown = yaml.safe_load(captured.out)
        is_off = copies == 0
        assert ("warning: augment.method: not used with augment.copies=0" in captured.err) == is_off
        assert shown["augment"] == ({"copies": 0} if is_off else shown["augment"])
        assert ("method" in shown["augment"]) != is_off


def test_general_distillation_is_a_stage_and_still_a_task(
    tmp_path: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = easy.write_documents(tmp_path / "text.txt", 60)
    out = tmp_path / "run"
    short = ["train.num_steps=2", "data.max_length=32", "train.precision=fp32", *easy.NARROW_STUDENT]
    call("distill", text, "--task", "general", "--teacher", tiny_encoder, "--out", out, *short)
    written = yaml.safe_load((out / "recipe.yaml").read_text())
    assert written["stage"] == "general"
    assert "task" not in written
    assert "augment" not in written
    old = {**written, "stage": "distill", "task": "general", "baseline": True, "augment": {"copies": 0}}
    (out / "recipe.yaml").write_text(yaml.safe_dump(old))  # as the previous version wrote it
    assert Run(out).recipe.stage == "general"
    capsys.readouterr()
    call("distill", text, "--task", "general", "--teacher", tiny_encoder, "--out", out, *short)
    assert "finished already" in capsys.readouterr().err


def test_all_problems_are_said_at_once(easy_rows: Path, tiny_teacher: Path, tmp_path: Path) -> None:
    from tinybert.config import build_recipe
    from tinybert.errors import RecipeError
    from tinybert.stages.pipeline import make_plan

    tree = {"data": {"path": str(easy_rows)}, "teacher": {"path": str(tiny_teacher)}}
    wrong = [
        "model=nowhere",
        "data.max_length=1000",
        "distill.losses={hiden_mse: 1}",
        "augment.copies=2",
        "student.start=slice",
        *easy.NARROW_STUDENT,
    ]
    with pytest.raises(RecipeError) as caught:
        make_plan(build_recipe(tree, wrong))
    for part in ("model: stage distill", "positions", "did you mean", "augment.model is missing", "a slice"):
        assert any(part in problem for problem in caught.value.problems), part
