"""Each file of each folder that is read again: emptied, cut, a bit flipped, a folder in its place, removed.

What is made of a folder then is what is made of a whole one, or the file is named: in an error that a user
can act on, or in a word that it is made again. Files are listed from the folder, so a new one is tested too.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests import easy
from tests.damage import DAMAGES

from tinybert.config import build_recipe
from tinybert.data import Collator, encode_split
from tinybert.errors import TinyBertError
from tinybert.inference import Predictor
from tinybert.runs import RunInProgress, digest_input, open_run
from tinybert.teachers import ModelTeacher, TeacherStore, Wanted
from tinybert.training import Settings, train
from tinybert.training.checkpoints import last_whole_checkpoint

TEXTS = ["good bab", "awful del", "bab del fin"]
NUM_ROWS = 12
NAMES = ("input_ids", "attention_mask", "labels")
RECIPE = build_recipe({"data": {"path": "rows"}}, [])


def save_run(out: Path, teacher: Path, rows: Path) -> Path:
    """Finish a run of a classifier that is there already."""
    with RunInProgress(out, RECIPE, {"data": digest_input(rows)}) as run:
        for file in (each for each in teacher.iterdir() if each.is_file()):
            shutil.copyfile(file, run.path / file.name)
        run.log([{"epoch": 1, "loss": 0.5}])
        run.finish({"score": 1.0})
    return out


def stop_run(out: Path) -> None:
    """Leave a run that was stopped after its first step."""
    with pytest.raises(KeyboardInterrupt), RunInProgress(out, RECIPE, {"data": "digest"}) as run:
        run.step("model", make_step)
        raise KeyboardInterrupt


def make_step(folder: Path) -> dict[str, object]:
    (folder / "model").mkdir()
    (folder / "model" / "weights").write_text("trained")
    return {"num_steps": 3}


def finish_step(folder: Path) -> object:
    with RunInProgress(folder / "run", RECIPE, {"data": "digest"}) as run:
        made, metadata = run.step("model", make_step)
        return metadata, (made / "model" / "weights").read_text()


def train_tiny(folder: Path, *, num_epochs: int = 3) -> object:
    """Train, or resume, and return the weights of the last layer."""
    model = easy.seeded_classifier(num_hidden_layers=1)
    rows = easy.make_rows(16)
    train(
        model,
        lambda model, batch: {"hard": model(**{name: batch[name] for name in NAMES}).loss},
        train_rows=easy.encode_rows(rows),
        collator=Collator(easy.make_tokenizer()),
        evaluator=easy.evaluator_of(rows),
        settings=Settings(num_epochs=num_epochs, learning_rate=1e-2, batch_size=8),
        work_dir=folder,
    )
    return model.classifier.weight.tolist()


def found_checkpoint(folder: Path) -> object:
    found = last_whole_checkpoint(folder)
    return found.name if found else None


def fill_store(folder: Path) -> object:
    """Fill a store, or what lacks in it, and return what it holds of all rows."""
    rows, collator = easy.encode_rows(easy.make_rows(NUM_ROWS)), Collator(easy.make_tokenizer())
    filled = TeacherStore(folder, num_rows=NUM_ROWS, wanted=Wanted())
    filled.fill(ModelTeacher(easy.seeded_classifier(num_hidden_layers=1), Wanted()), rows, collator)
    return filled.answer(collator([rows[i] for i in range(NUM_ROWS)])).logits.tolist()


def encode(folder: Path) -> object:
    rows = easy.make_dataset(easy.make_rows(NUM_ROWS))
    return encode_split(rows, easy.make_tokenizer(), max_length=32, cache_dir=folder)[:]


def read_notes(folder: Path) -> object:
    run = open_run(folder)
    return run.metrics, run.log, run.inputs, run.recipe


def predict(folder: Path, backend: str = "torch") -> object:
    return [each.scores for each in Predictor(folder, backend=backend)(TEXTS)]


@dataclass(frozen=True)
class Kind:
    """A folder that is read again.

    Attributes:
        make: Fills it, given a classifier with exports, and rows.
        read: What is made of it.
        edited: Files that users edit: a flipped bit that leaves them readable is taken for an edit.
        optional: Files that earlier versions did not write.
    """

    make: Callable[[Path, Path, Path], object]
    read: Callable[[Path], object]
    edited: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


KINDS = {
    "run, read": Kind(
        save_run, read_notes, ("recipe.yaml", "inputs.json", "metrics.json", "log.jsonl"), ("inputs.json",)
    ),
    "run, predicted": Kind(save_run, predict, ("config.json",)),
    "export, predicted": Kind(
        lambda out, model, rows: shutil.copytree(model / "exports" / "onnx-fp32", out),
        lambda folder: predict(folder, "onnx-fp32"),
    ),
    "steps, resumed": Kind(lambda out, *_: stop_run(out / "run"), finish_step),
    "teacher store, filled": Kind(lambda out, *_: fill_store(out), fill_store),
    "encoded rows, found again": Kind(lambda out, *_: encode(out), encode),
    "checkpoints, found": Kind(lambda out, *_: train_tiny(out, num_epochs=2), found_checkpoint),
}


@pytest.fixture(scope="module")
def folders(
    exported_teacher: Path, easy_rows: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A whole folder of each kind; not to be changed."""
    made = {name: tmp_path_factory.mktemp("whole") / "it" for name in KINDS}
    for name, folder in made.items():
        KINDS[name].make(folder, exported_teacher, easy_rows)
    return made


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_named_or_made_again(
    name: str,
    damage: str,
    folders: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kind, whole = KINDS[name], folders[name]
    expected = kind.read(Path(shutil.copytree(whole, tmp_path / "whole")))
    files = [file.relative_to(whole) for file in whole.rglob("*") if file.is_file()]
    assert files
    for number, file in enumerate(files):
        copy = Path(shutil.copytree(whole, tmp_path / str(number)))
        DAMAGES[damage](copy / file)
        capsys.readouterr()
        try:
            found, said = kind.read(copy), ""
        except TinyBertError as error:
            found, said = None, str(error)
        said += capsys.readouterr().err
        may_differ = {"flipped": kind.edited, "removed": kind.optional}.get(damage, ())
        if found != expected and file.name not in may_differ:
            is_digest = damage == "flipped" and file.name in ("export.json", "checksums.json")
            assert said if is_digest else file.name in said or f"*{file.suffix}" in said, (file, said)
