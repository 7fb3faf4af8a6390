"""One contract for everything that is written: made, half made, in the way, locked, killed, no room left."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tinybert.config import build_recipe
from tinybert.errors import DataError, RunError
from tinybert.runs import RunInProgress
from tinybert.storage import Output, differences, keep_nothing, lock, partial_path, write_text

Made = Mapping[str, object]
FIRST = {"settings": {"size": 1}, "inputs": {"data": "a"}}
SECOND = {"settings": {"size": 2}, "inputs": {"data": "b"}}
OTHER = r"other settings \((train\.seed|size) = 1, now 2\) and other data"


@dataclass(frozen=True)
class Kind:
    """One kind of output: how it is opened, half made, and finished."""

    name: str
    target: str
    open: Callable[[Path, Made], Output]
    write: Callable[[Output], None]
    finish: Callable[[Output], object]
    product: Callable[[Output], Path] = field(default=lambda output: output.target / "product")
    is_known: bool = True

    def make(self, folder: Path, made_from: Made = FIRST) -> Output:
        with self.open(folder / self.target, made_from) as output:
            if output.metadata is None:
                self.write(output)
                self.finish(output)
        return output


def write_product(output: Output) -> None:
    (output.path / "product").write_text("hours of work")
    (output.work / "scratch").write_text("needed until then")


def commit(output: Output) -> None:
    output.commit({"made_from": output.made_from, "size": 13})


def folder_of(target: Path, made_from: Made) -> Output:
    return Output(target, made_from, report="report.json")


def file_of(target: Path, made_from: Made) -> Output:
    return Output(target, made_from, report=".report.json", file="product")


def run_of(target: Path, made_from: Made) -> RunInProgress:
    settings, inputs = made_from["settings"], made_from["inputs"]
    return RunInProgress(target, build_recipe({"train": {"seed": settings["size"]}}), inputs)


def do_steps(run: Output) -> None:
    run.step("student", lambda folder: {"size": (folder / "model").write_text("hours of work")})
    write_text(run.path / "product", "hours of work")


def predictions_of(target: Path, made_from: Made) -> Output:
    from tinybert.inference.prediction_file import PredictionFile  # seconds of imports, for this kind alone

    return PredictionFile(target, {"settings": made_from["settings"], **made_from["inputs"]})


KINDS = [
    Kind("folder", "out", folder_of, write_product, commit),
    Kind("file", "out.jsonl", file_of, write_product, commit, lambda output: output.target),
    Kind("run", "run", run_of, do_steps, lambda run: run.finish({"score": 1.0})),
    Kind(
        "predictions",
        "out.jsonl",
        predictions_of,
        lambda file: file.add("hours of work", num_read=3, bad=[]),
        lambda file: None,
        lambda output: output.target,
        is_known=False,
    ),
]
EACH = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
KNOWN = pytest.mark.parametrize("kind", [each for each in KINDS if each.is_known], ids=lambda kind: kind.name)


def listing(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


def written(output: Output) -> dict[str, str]:
    files = [path for path in output.path.rglob("*") if path.is_file()] or [output.path]
    return {path.name: path.read_text() for path in files}


def stop_midway(kind: Kind, folder: Path, error: BaseException | None = None) -> Output:
    with pytest.raises(type(error or KeyboardInterrupt())), kind.open(folder / kind.target, FIRST) as output:
        kind.write(output)
        raise error or KeyboardInterrupt
    return output


@EACH
def test_what_is_finished_has_its_name_and_nothing_is_left_beside_it(kind: Kind, tmp_path: Path) -> None:
    output = kind.make(tmp_path)
    assert kind.product(output).read_text() == "hours of work"
    assert not output.path.exists()
    assert not [name for name in listing(tmp_path) if Path(name).name in ("lock", "work", "made_from.json")]


@KNOWN
def test_the_same_again_is_returned_and_nothing_is_touched(
    kind: Kind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata, before = kind.make(tmp_path).metadata, listing(tmp_path)
    again = kind.make(tmp_path)
    assert again.metadata == metadata
    assert listing(tmp_path) == before
    assert f"{again.target} is finished already" in capsys.readouterr().err


@KNOWN
def test_one_made_from_something_else_is_refused_with_what_differs(kind: Kind, tmp_path: Path) -> None:
    before = kind.make(tmp_path) and listing(tmp_path)
    with pytest.raises(RunError, match=f"already exists, made with {OTHER}; choose another --out") as caught:
        kind.make(tmp_path, SECOND)
    assert str(tmp_path / kind.target) in str(caught.value)
    with pytest.raises(RunError, match="already exists, made with other data; choose"):
        kind.make(tmp_path, FIRST | {"inputs": {"data": "b"}})
    assert listing(tmp_path) == before


@KNOWN
def test_what_is_not_ours_is_refused(kind: Kind, tmp_path: Path) -> None:
    target = tmp_path / kind.target
    target.write_text("my thesis")
    with pytest.raises(RunError, match="already exists; choose another --out, or delete it first"):
        kind.make(tmp_path)
    target.unlink()
    target.mkdir()
    (target / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="already exists; choose another --out, or delete it first"):
        kind.make(tmp_path)
    assert list(listing(tmp_path)) == [kind.target, f"{kind.target}/thesis.txt"]


@KNOWN
def test_a_damaged_report_is_not_taken_for_ours(kind: Kind, tmp_path: Path) -> None:
    kind.make(tmp_path)
    for name in ("out/report.json", "out.report.json", "run/metrics.json", "run/inputs.json"):
        if (tmp_path / name).exists():
            for content in ("{", "[1]"):
                (tmp_path / name).write_text(content)
                with pytest.raises(RunError, match="damaged"):
                    kind.make(tmp_path)


@EACH
def test_a_stopped_one_has_no_final_name_and_the_same_resumes(kind: Kind, tmp_path: Path) -> None:
    output = stop_midway(kind, tmp_path)
    assert not output.target.exists()
    before = written(output)
    with kind.open(tmp_path / kind.target, FIRST) as again:
        assert again.metadata is None
        assert written(again) == before
        kind.finish(again)
    assert kind.product(again).read_text() == "hours of work"
    assert not again.path.exists()


@EACH
def test_a_stopped_one_of_something_else_is_refused_and_stays(kind: Kind, tmp_path: Path) -> None:
    output = stop_midway(kind, tmp_path)
    before = listing(tmp_path)
    with pytest.raises(RunError, match=f"an unfinished one with {OTHER} is in") as caught:
        kind.make(tmp_path, SECOND)
    assert str(output.path) in str(caught.value)
    assert f"choose another {output.option}" in str(caught.value)
    assert listing(tmp_path).keys() == before.keys()
    assert kind.make(tmp_path).target.exists()


CHILD = """
import sys
from pathlib import Path
from tests.unit.storage.test_output import FIRST, KINDS
kind, = [each for each in KINDS if each.name == sys.argv[1]]
kind.make(Path(sys.argv[2]))
"""


@EACH
def test_a_second_process_is_refused_while_the_first_works(kind: Kind, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, kind.name, str(tmp_path)]
    with kind.open(tmp_path / kind.target, FIRST) as output:
        kind.write(output)
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "another process is making this just now" in second.stderr
        kind.finish(output)
    assert kind.product(output).read_text() == "hours of work"


@KNOWN
def test_one_that_waited_at_the_lock_finds_what_the_first_has_made(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, is_made = iter([True]), Output.is_made

    def first_look_is_too_early(output: Output) -> bool:
        return False if next(looks, False) else is_made(output)

    kind.make(tmp_path)
    before = listing(tmp_path)
    monkeypatch.setattr(Output, "is_made", first_look_is_too_early)
    again = kind.make(tmp_path)
    assert again.metadata is not None
    assert listing(tmp_path) == before


DIES = CHILD.replace(
    "kind.make",
    """
import os, shutil

def die(*_, **__):
    os._exit(9)
if kind.name in ("file", "predictions"):
    replace = Path.replace
    Path.replace = lambda self, target: (die if target.name == kind.target else replace)(self, target)
else:
    shutil.rmtree = die
kind.make""",
)


@EACH
def test_a_kill_between_the_last_write_and_the_name_costs_nothing(kind: Kind, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DIES, kind.name, str(tmp_path)], check=False)
    assert done.returncode == 9
    assert not (tmp_path / kind.target).exists()
    again = kind.make(tmp_path)
    assert kind.product(again).read_text().startswith("hours of work")
    assert not again.path.exists()


@EACH
def test_a_full_disk_is_told_with_what_to_do_and_what_there_is_stays(kind: Kind, tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "model.safetensors")
    with pytest.raises(RunError) as caught, kind.open(tmp_path / kind.target, FIRST) as output:
        kind.write(output)
        raise full
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / kind.target}: cannot be written: No space left on device; ")
    assert f"{output.path} keeps what is there; fix this and give the same command again to resume" in said
    assert output.path.exists()
    assert not output.target.exists()


def test_a_library_that_wraps_a_full_disk_is_understood_and_other_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No space left"), folder_of(tmp_path / "out", FIRST):
        raise RuntimeError("I/O error: No space left on device (os error 28)")
    with pytest.raises(FileNotFoundError), folder_of(tmp_path / "out", FIRST):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "rows.csv")


@EACH
def test_a_place_that_cannot_be_written(kind: Kind, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write here: Not a directory"):
        kind.make(tmp_path / "file")


def test_what_took_no_time_is_not_in_the_way_of_another(tmp_path: Path) -> None:
    def kind(made_from: Made) -> Output:
        return Output(tmp_path / "out", made_from, report="report.json", keep=keep_nothing)

    for error in (KeyboardInterrupt(), DataError("rows.csv", "row 3")):
        with pytest.raises(type(error)), kind(FIRST) as output:
            write_product(output)
            raise error
        assert not listing(tmp_path)
    with kind(FIRST) as output:
        write_product(output)
    with kind(SECOND) as output:  # as a kill leaves it: begun again, but for the folder of work
        assert not (output.path / "product").exists()
        assert (output.work / "scratch").exists()
        commit(output)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_output_that_replaces_leaves_the_old_one_until_the_new_is_whole(tmp_path: Path) -> None:
    def made(made_from: Made, text: str, *, is_finished: bool = True) -> None:
        options = {"report": "report.json", "keep": keep_nothing, "replaces": True}
        with Output(tmp_path / "out", made_from, **options) as output:
            assert output.metadata is None
            (output.path / "product").write_text(text)
            if is_finished:
                commit(output)

    made(FIRST, "old")
    made(SECOND, "half", is_finished=False)
    assert (tmp_path / "out" / "product").read_text() == "old"
    made(SECOND, "new")
    assert (tmp_path / "out" / "product").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_others_put_there_meanwhile_stays(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not empty"), folder_of(tmp_path / "out", FIRST) as output:
        write_product(output)
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.txt").write_text("mine")
        commit(output)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"
    assert (partial_path(tmp_path / "out") / "product").exists()


def test_a_pipe_is_never_the_same(tmp_path: Path) -> None:
    for is_there in (False, True):
        output = Output(tmp_path / "out", FIRST, report="report.json", is_comparable=False)
        if is_there:
            with pytest.raises(RunError, match="maybe from other text: what a pipe brings is not compared"):
                output.begin()
        else:
            with output:
                commit(output)


def test_a_place_without_a_name_is_refused() -> None:
    with pytest.raises(RunError, match="not a new name; give --out a name"):
        folder_of(Path(), FIRST).begin()


def test_half_made_things_of_the_version_before_are_resumed(tmp_path: Path) -> None:
    """They kept the lock in ``work``, no mark for a tokenizer, one for a file."""
    partial = partial_path(tmp_path / "out")
    (partial / "work").mkdir(parents=True)
    (partial / "work" / "lock").touch()
    (partial / "product").write_text("hours of work")
    with folder_of(tmp_path / "out", FIRST) as output:
        assert (output.path / "product").exists()
    shutil.rmtree(partial)
    partial = partial_path(tmp_path / "out.jsonl")
    partial.mkdir()
    (partial / "made_from.json").write_text('{"inputs": {"data": "a"}, "settings": {"size": 1}}')
    (partial / "product").write_text("hours of work")
    held = lock(partial, subject="out")
    with pytest.raises(RunError, match="another process"):
        file_of(tmp_path / "out.jsonl", FIRST).begin()
    assert held is not None
    held.close()
    with file_of(tmp_path / "out.jsonl", FIRST) as output:
        assert (output.path / "product").exists()
    with pytest.raises(RunError, match="an unfinished one with other settings"):
        file_of(tmp_path / "out.jsonl", FIRST | {"settings": 3}).begin()


def test_what_differs_is_named_as_people_know_it() -> None:
    known = {"recipe": {"a": (1, 2)}, "shapes": ["a"], "inputs": {"data": "x", "model": "y"}, "size": 3}
    same = {"recipe": {"a": [1, 2]}, "shapes": ("a",), "inputs": {"data": "x", "model": "y"}}
    assert differences(known, same) == []
    assert differences(known, {"recipe": 1, "shapes": ["b"], "inputs": {"data": "z", "teacher": "t"}}) == [
        *("settings", "shapes", "data", "model", "teacher")
    ]
