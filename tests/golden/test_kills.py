"""What a kill left half made is made whole by the same command, and equals what nobody disturbed.

The other stages: pre-training and general distillation in ``test_resume_text``, distillation in
``test_resume``, files of predictions in ``tests/e2e/test_engine_cli``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests import easy
from tests.command import call, is_whole, kill_when, metrics_of

TIMED = ("metrics.json", "log.jsonl", "report.md", "learning_curve.png")
"""What a run measures of the clock."""


@dataclass(frozen=True)
class Case:
    """A command that is killed.

    Attributes:
        words: ``(data, model, out) -> words``.
        out: The name of what is made.
        mark: What is there, beside ``out``, when the work is half done.
    """

    words: Callable[[Path, Path, Path], list[object]]
    out: str
    mark: str


def tokenizer(data: Path, _model: Path, out: Path) -> list[object]:
    return ["tokenizer", data / "text.txt", "--vocab-size", 100, "--out", out, "corpus.near_duplicates=null"]


def trim(data: Path, model: Path, out: Path) -> list[object]:
    return ["trim", model, data / "text.txt", "--out", out]


def augment(data: Path, model: Path, out: Path) -> list[object]:
    chosen = ["augment.method=neighbours", "augment.language=other"]
    return ["augment", data / "rows" / "train.jsonl", "--copies", 4, "--model", model, "--out", out, *chosen]


def finetune(data: Path, model: Path, out: Path) -> list[object]:
    return ["finetune", data / "rows", "--model", model, "--out", out, *easy.FAST, "train.num_epochs=3"]


CASES = {
    "tokenizer": Case(tokenizer, "new", ".new.partial/work/**/*.arrow"),
    "trim": Case(trim, "new", ".new.partial/work/**/*.arrow"),
    "augment": Case(augment, "new.jsonl", ".new.jsonl.partial/blocks/block-*.json"),
    "finetune": Case(finetune, "new", ".new.partial/work/model/checkpoints/*/trainer_state.json"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw text and rows, enough of them to be killed amid."""
    folder = tmp_path_factory.mktemp("kills")
    easy.write_documents(folder / "text.txt", 4000)
    easy.write_splits(folder / "rows", easy.make_splits(train=800))
    return folder


def content(path: Path) -> dict[str, bytes | None]:
    """File → content, None where the clock is in it."""
    if path.is_file():
        return {"": path.read_bytes()}
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return {
        file.relative_to(path).as_posix(): None if file.name in TIMED else file.read_bytes() for file in files
    }


@pytest.mark.parametrize("name", CASES)
def test_a_killed_command_makes_what_an_undisturbed_one_makes(
    name: str, data: Path, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case, places = CASES[name], [tmp_path / "killed", tmp_path / "whole"]
    for place in places:
        place.mkdir()
    killed, whole = (place / case.out for place in places)
    words = case.words(data, tiny_encoder, killed)
    kill_when(words, lambda: any(map(is_whole, places[0].glob(case.mark))))
    assert not killed.exists()
    capsys.readouterr()
    call(*words)
    said = capsys.readouterr().err
    call(*case.words(data, tiny_encoder, whole))
    assert content(killed) == content(whole)
    left, expected = ({file.name for file in place.iterdir()} for place in places)
    assert left == expected
    if name == "finetune":
        assert "Epoch 1," not in said  # it was resumed, not begun again
        assert "Epoch 3," in said
        assert metrics_of(killed)["model"]["test"] == metrics_of(whole)["model"]["test"]


@pytest.mark.slow
def test_a_killed_export_is_made_whole_by_the_same_command(
    easy_rows: Path, tiny_teacher: Path, tmp_path: Path
) -> None:
    killed, whole = (Path(shutil.copytree(tiny_teacher, tmp_path / name)) for name in ("killed", "whole"))
    words = ["--precision", "fp32", "--data", easy_rows]
    exports = killed / "exports"
    kill_when(["export", killed, *words], lambda: (exports / ".onnx-fp32.partial" / "config.json").exists())
    assert not (exports / "onnx-fp32").exists()
    call("export", killed, *words)
    call("export", whole, *words)
    assert [path.name for path in exports.iterdir()] == ["onnx-fp32"]
    assert content(exports).keys() == content(whole / "exports").keys()
    model = "onnx-fp32/onnx/model.onnx"
    assert content(exports)[model] == content(whole / "exports")[model]
