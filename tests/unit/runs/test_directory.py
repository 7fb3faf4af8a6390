from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tinybert.checksums import CHECKSUMS, record_file
from tinybert.config import Recipe, build_recipe
from tinybert.errors import DataError, RunError
from tinybert.runs import Run, RunInProgress, is_run, open_run
from tinybert.storage import lock, partial_path, write_text

RECIPE = Recipe()
OTHER = build_recipe({}, ["train.seed=7"])


def found(out: Path, recipe: Recipe = RECIPE, **inputs: str) -> Run | None:
    """Return the run that the same command finds finished."""
    with RunInProgress(out, recipe, inputs) as run:
        return run.finished


def test_nothing_stands_under_the_final_name_until_all_is_written(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with RunInProgress(out, RECIPE) as run:
        run.step("one", lambda folder: {"folder": folder.name})
        run.log([{"epoch": 1}])
        assert not out.exists()
        assert not is_run(run.path)
        finished = run.finish({"score": 1.0})
    assert finished.path == out
    assert not partial_path(out).exists()
    assert is_run(out)
    assert finished.metrics["score"] == 1.0
    assert finished.recipe == RECIPE
    assert not (out / "work").exists()
    assert json.loads((out / "log.jsonl").read_text()) == {"epoch": 1}


def test_metrics_say_which_versions_made_them(tmp_path: Path) -> None:
    with RunInProgress(tmp_path / "run", RECIPE) as run:
        environment = run.finish({}).metrics["environment"]
    assert isinstance(environment, dict)
    assert {"python", "torch", "transformers", "tinybert"} <= environment["versions"].keys()


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    with RunInProgress(out, RECIPE) as run:
        run.finish({})
    assert is_run(out)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_exists_is_refused(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "run"
    if kind == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="already exists; choose another --out"):
        RunInProgress(out, RECIPE).begin()
    assert (out if kind == "file" else out / "thesis.txt").read_text() == "mine"


def test_a_done_step_is_not_done_again(tmp_path: Path) -> None:
    calls: list[str] = []

    def make(folder: Path) -> dict[str, object]:
        calls.append(folder.name)
        (folder / "product").write_text("whole")
        return {"steps": 3}

    for _ in range(2):
        with RunInProgress(tmp_path / "run", RECIPE) as run:
            folder, facts = run.step("one", make)
    assert calls == ["one"]
    assert facts == {"steps": 3}
    assert (folder / "product").read_text() == "whole"


def test_a_step_that_was_cut_short_is_done_again(tmp_path: Path) -> None:
    def cut_short(folder: Path) -> dict[str, object]:
        (folder / "product").write_text("ha")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), RunInProgress(tmp_path / "run", RECIPE) as run:
        run.step("one", cut_short)
    seen: list[str] = []
    with RunInProgress(tmp_path / "run", RECIPE) as run:
        run.step("one", lambda folder: seen.append((folder / "product").read_text()) or {})
    assert seen == ["ha"]


def test_a_mark_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "mark.json"
    target.write_text("old")
    monkeypatch.setattr(Path, "replace", lambda self, target: (_ for _ in ()).throw(OSError("killed")))
    with pytest.raises(OSError, match="killed"):
        write_text(target, "new")
    assert target.read_text() == "old"


def test_an_unfinished_run_of_other_settings_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt), RunInProgress(out, RECIPE) as run:
        run.step("teacher", lambda folder: {"at": (folder / "model").write_text("weights")})
        raise KeyboardInterrupt
    with pytest.raises(RunError, match="an unfinished one with other settings") as caught:
        RunInProgress(out, OTHER).begin()
    assert str(partial_path(out)) in str(caught.value)
    with RunInProgress(out, RECIPE):
        pass


def test_a_mistake_before_any_training_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(DataError), RunInProgress(out, RECIPE) as run:
        run.step("precision", lambda _: {"precision": "fp32"})
        raise DataError("rows.csv", "row 3, text: empty")
    assert list(tmp_path.iterdir()) == []
    with RunInProgress(out, OTHER) as run:
        run.finish({})


@pytest.mark.parametrize("product", ["teacher/model/weights", "student/checkpoints/checkpoint-3/weights"])
def test_a_mistake_after_training_keeps_what_was_trained(tmp_path: Path, product: str) -> None:
    with pytest.raises(DataError), RunInProgress(tmp_path / "run", RECIPE) as run:
        file = run.work / product
        file.parent.mkdir(parents=True)
        file.write_text("hours")
        if "checkpoints" not in product:
            run.step("teacher", lambda _: {})
        raise DataError("rows.csv", "gone")
    assert file.read_text() == "hours"


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from tinybert.config import Recipe\nfrom tinybert.runs import RunInProgress\n"
        "RunInProgress(Path(sys.argv[1]), Recipe()).begin()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    with RunInProgress(tmp_path / "run", RECIPE):
        second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "another process is making this just now" in second.stderr
    after = subprocess.run(command, capture_output=True, text=True, check=False)
    assert after.returncode == 0, after.stderr


def test_the_lock_goes_with_the_failure_even_where_its_traceback_is_kept(tmp_path: Path) -> None:
    """As in a notebook: the frames of the last error stay alive."""
    kept: list[BaseException] = []
    try:
        with RunInProgress(tmp_path / "run", RECIPE):
            raise DataError("rows.csv", "row 3, text: empty")
    except DataError as error:
        kept.append(error)
    with RunInProgress(tmp_path / "run", RECIPE):
        pass


def test_a_folder_that_cannot_be_made_is_said_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write here: Not a directory"):
        RunInProgress(tmp_path / "file" / "run", RECIPE).begin()


def test_open_run_says_what_is_there_instead(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run directory"):
        open_run(tmp_path)
    partial_path(tmp_path / "run").mkdir()
    with pytest.raises(RunError, match="not finished; give the command that began it"):
        open_run(tmp_path / "run")


def test_a_run_made_from_other_data_is_another_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt), RunInProgress(out, RECIPE, {"data": "a"}) as run:
        run.step("one", lambda folder: {"folder": folder.name})
        raise KeyboardInterrupt
    with pytest.raises(RunError, match="an unfinished one with other data is in"):
        RunInProgress(out, RECIPE, {"data": "b"}).begin()
    with RunInProgress(out, RECIPE, {"data": "a"}) as run:
        run.finish({})
    assert found(out, data="a") == open_run(out)
    with pytest.raises(RunError, match="already exists, made with other data; choose"):
        found(out, data="b")
    with pytest.raises(
        RunError,
        match=r"already exists, made with other settings \(train.seed = 42, now 7\) and other data; choose",
    ):
        RunInProgress(out, OTHER, {"data": "b"}).begin()


def test_a_finished_run_is_found_again_by_its_own_recipe_only(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with RunInProgress(out, RECIPE) as run:
        assert run.finished is None
        run.finish({})
    assert found(out) == open_run(out)
    with pytest.raises(RunError, match="already exists, made with other settings"):
        found(out, OTHER)


def test_a_setting_that_came_later_does_not_make_a_run_another(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with RunInProgress(out, build_recipe({"head_start": "auto"})) as run:
        run.finish({})
    lines = (out / "recipe.yaml").read_text().splitlines()
    assert "head_start: auto" in lines
    kept = [line for line in lines if line != "head_start: auto"]
    (out / "recipe.yaml").write_text("\n".join(kept) or "{}")
    assert found(out) is not None
    with pytest.raises(RunError, match="made with other settings"):
        found(out, build_recipe({"head_start": "random"}))
    (out / "recipe.yaml").write_text("unheard_of: 1\n")
    with pytest.raises(RunError, match=r"its recipe\.yaml cannot be used"):
        found(out)


@pytest.mark.parametrize("is_there", [False, True])
def test_a_run_that_was_killed_while_it_was_cleared_away_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    out = tmp_path / "run"
    if is_there:
        out.mkdir()

    def dies(path: Path, **_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), RunInProgress(out, RECIPE) as run:
        run.step("model", lambda folder: {"folder": folder.name})
        monkeypatch.setattr("tinybert.runs.directory.shutil.rmtree", dies)
        run.finish({"score": 1.0})
    monkeypatch.undo()
    assert not is_run(out)
    with pytest.raises(RunError, match="an unfinished one with other settings"):
        found(out, OTHER)
    held = lock(partial_path(out), subject="a test")
    assert held is not None
    with pytest.raises(RunError, match="another process is making this just now"):
        found(out)
    held.close()
    run = found(out)
    assert run is not None
    assert run.metrics["score"] == 1.0
    assert {path.name for path in out.iterdir()} == {"inputs.json", "metrics.json", "recipe.yaml"}
    assert not partial_path(out).exists()


def test_a_step_that_was_damaged_is_done_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[str] = []

    def make(folder: Path) -> dict[str, object]:
        calls.append(folder.name)
        (folder / "product").write_text("whole")
        return {"steps": 3}

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt), RunInProgress(tmp_path / "run", RECIPE) as run:
            folder, metadata = run.step("one", make)
            assert (folder / "product").read_text() == "whole"
            assert metadata == {"steps": 3}
            if len(calls) == 1:
                (folder / "product").write_text("w-ole")
            raise KeyboardInterrupt
    assert calls == ["one", "one"]
    said = capsys.readouterr().err
    assert "one: damaged (product: not the content that was written); this step is done again" in said


def test_a_mark_of_an_earlier_version_that_cannot_be_read_is_no_mark(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RunInProgress(tmp_path / "run", RECIPE) as run:
        folder, _ = run.step("one", lambda folder: {"steps": 3})
        (folder / CHECKSUMS).unlink()
        (folder / "done.json").write_text('{"ste')
        raise KeyboardInterrupt
    with RunInProgress(tmp_path / "run", RECIPE) as run:
        assert run.step("one", lambda folder: {"steps": 4})[1] == {"steps": 4}
        run.finish({})


def test_a_stopped_run_without_its_recipe_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RunInProgress(tmp_path / "run", RECIPE) as run:
        run.step("one", lambda folder: {"steps": 3})
        (run.path / "recipe.yaml").unlink()
        raise KeyboardInterrupt
    refused = r"cannot be resumed: recipe\.yaml is missing; delete that folder, or choose another --out"
    with pytest.raises(RunError, match=refused):
        RunInProgress(tmp_path / "run", OTHER).begin()
    assert (partial_path(tmp_path / "run") / "work" / "one" / "done.json").exists()


def test_a_finished_run_records_weights_and_tokenizer_and_nothing_that_is_edited(tmp_path: Path) -> None:
    names = ("model.safetensors", "tokenizer.json", "tokenizer_config.json", "config.json", "report.md")
    with RunInProgress(tmp_path / "run", RECIPE) as run:
        for name in names:
            (run.path / name).write_text(name)
        (run.path / "teacher").mkdir()
        (run.path / "teacher" / "model.safetensors").write_text("teacher")
        run.finish({})
    recorded = json.loads((tmp_path / "run" / CHECKSUMS).read_text())
    assert recorded.keys() == set(names[:3])
    assert json.loads((tmp_path / "run" / "teacher" / CHECKSUMS).read_text()).keys() == {names[0]}
    assert found(tmp_path / "run") is not None
    (tmp_path / "run" / "model.safetensors").write_text("other")
    with pytest.raises(RunError, match=r"already exists, and its model\.safetensors cannot be used"):
        found(tmp_path / "run")


def test_a_step_that_was_stopped_amid_its_work_keeps_what_it_has(tmp_path: Path) -> None:
    def stop(folder: Path) -> dict[str, object]:
        (folder / "head").write_text("fitted")
        record_file(folder / "head")
        (folder / "checkpoints").mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), RunInProgress(tmp_path / "run", RECIPE) as run:
        run.step("one", stop)
    with RunInProgress(tmp_path / "run", RECIPE) as run:
        found = run.step("one", lambda folder: {name.name: "" for name in folder.iterdir()})[1]
        run.finish({})
    assert found.keys() == {"head", "checkpoints", CHECKSUMS}


# a look, for a dry run


def stopped(out: Path) -> Path:
    """Leave a run that was stopped after its first step; return its folder."""
    with pytest.raises(KeyboardInterrupt), RunInProgress(out, RECIPE) as run:
        run.step("one", lambda folder: {"path": write_text(folder / "made", "made") or ""})
        raise KeyboardInterrupt
    return partial_path(out)


def test_a_look_says_what_would_be_resumed_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    partial = stopped(tmp_path / "run")
    before = {file: file.stat().st_mtime_ns for file in sorted(tmp_path.rglob("*"))}
    RunInProgress(tmp_path / "run", RECIPE).look()
    assert f"{partial}: an unfinished one of the same, which the command would resume" in (
        capsys.readouterr().err
    )
    assert {file: file.stat().st_mtime_ns for file in sorted(tmp_path.rglob("*"))} == before


def test_a_look_names_a_damaged_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    partial = stopped(tmp_path / "run")
    (partial / "work" / "one" / "made").write_text("")
    RunInProgress(tmp_path / "run", RECIPE).look()
    assert "this step would be done again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda partial: (partial / "recipe.yaml").write_text("{"), "cannot be resumed: recipe.yaml"),
        (lambda partial: (partial / "recipe.yaml").unlink(), "recipe.yaml is missing"),
    ],
)
def test_a_look_refuses_what_cannot_be_resumed(tmp_path: Path, damage: object, message: str) -> None:
    damage(stopped(tmp_path / "run"))  # type: ignore[operator]
    with pytest.raises(RunError, match=message):
        RunInProgress(tmp_path / "run", RECIPE).look()


def test_a_look_refuses_other_settings(tmp_path: Path) -> None:
    stopped(tmp_path / "run")
    with pytest.raises(RunError, match=r"an unfinished one with other settings .*train\.seed"):
        RunInProgress(tmp_path / "run", OTHER).look()
