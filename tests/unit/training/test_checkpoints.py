"""A training whose checkpoints were damaged resumes from a whole one, or begins again, and says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import easy
from tests.damage import DAMAGES, flip
from torch import nn
from transformers import TrainerCallback

from tinybert.checksums import CHECKSUMS
from tinybert.data import Collator
from tinybert.errors import RunError
from tinybert.training import Settings, train
from tinybert.training.checkpoints import last_whole_checkpoint

LAST_STEP = 6
WEIGHTS = "model.safetensors"


class Rises:
    """An evaluator whose score rises up to a step and falls behind it."""

    main_metric, greater_is_better, num_rows = "accuracy", True, 1_000
    best_score = 1.0

    def __init__(self, best: int) -> None:
        self.best, self.calls = best, 0

    def __call__(self, model: nn.Module) -> dict[str, float]:
        self.calls += 1
        return {"accuracy": 1 - abs(2 * self.calls - self.best) / 100}


class At(TrainerCallback):
    """Does something once a step is saved."""

    def __init__(self, step: int, act: Callable[[], None]) -> None:
        self.step, self.act = step, act

    def on_save(self, args, state, control, **kwargs: object) -> None:  # type: ignore[no-untyped-def]
        if state.global_step == self.step:
            self.act()


def kill() -> None:
    raise KeyboardInterrupt


def run(folder: Path, *callbacks: TrainerCallback, best: int = LAST_STEP, calls: int = 0) -> list[object]:
    """Train three epochs of two steps, or resume; return the last layer's weights."""
    model = easy.seeded_classifier(num_hidden_layers=1)
    evaluator = Rises(best)
    evaluator.calls = calls
    train(
        model,
        lambda model, batch: {
            "hard": model(**{name: batch[name] for name in ("input_ids", "attention_mask", "labels")}).loss
        },
        train_rows=easy.encode_rows(easy.make_rows(16)),
        collator=Collator(easy.make_tokenizer()),
        evaluator=evaluator,
        settings=Settings(num_epochs=3, learning_rate=1e-2, batch_size=8, callbacks=callbacks),
        work_dir=folder,
    )
    return model.classifier.weight.tolist()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    return run(tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of steps 2 and 4, where step 4 was the best so far; not to be changed."""
    folder = tmp_path_factory.mktemp("killed")
    with pytest.raises(KeyboardInterrupt):
        run(folder, At(4, kill))
    assert sorted(each.name for each in folder.iterdir()) == ["checkpoint-2", "checkpoint-4"]
    return folder


@pytest.fixture
def copy(killed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(killed, tmp_path / "checkpoints"))


def test_the_checkpoint_before_a_damaged_one_is_resumed_from(
    copy: Path, undisturbed: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    flip(copy / "checkpoint-4" / WEIGHTS)
    assert run(copy, calls=1) == undisturbed
    said = capsys.readouterr().err
    assert f"checkpoint-4: damaged ({WEIGHTS}: not the content that was written); " in said
    assert "the training resumes from step 2" in said
    assert "Epoch 2," in said
    assert "Epoch 1," not in said


def test_without_a_whole_one_the_training_begins_again(
    copy: Path, undisturbed: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    for step in (2, 4):
        (copy / f"checkpoint-{step}" / "optimizer.pt").unlink()
    assert run(copy) == undisturbed
    said = capsys.readouterr().err
    for step in (2, 4):
        assert f"checkpoint-{step}: damaged (optimizer.pt: missing); " in said
    assert "no checkpoint before it is whole: this training begins again" in said
    assert "Epoch 1," in said


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_checkpoint_is_of_no_use_without_the_best_weights_so_far(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, At(4, kill), best=2)
    assert last_whole_checkpoint(tmp_path) == tmp_path / "checkpoint-4"
    DAMAGES[damage](tmp_path / "checkpoint-2" / WEIGHTS)
    assert last_whole_checkpoint(tmp_path) is None
    assert f"checkpoint-4: damaged (checkpoint-2/{WEIGHTS}, its best so far: " in capsys.readouterr().err


def test_best_weights_that_were_damaged_meanwhile_are_not_taken(tmp_path: Path) -> None:
    def damage() -> None:
        flip(tmp_path / "checkpoint-2" / WEIGHTS)

    with pytest.raises(
        RunError, match=rf"checkpoint-2: damaged \({WEIGHTS}: .*; give the same command again"
    ):
        run(tmp_path, At(LAST_STEP, damage), best=2)


def test_the_best_weights_are_found_where_the_folder_was_moved(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "old", At(4, kill), best=2)
    (tmp_path / "old").rename(tmp_path / "new")
    assert run(tmp_path / "new", best=2, calls=2) == run(tmp_path / "other", best=2)


FILES = (WEIGHTS, "optimizer.pt", "scheduler.pt", "rng_state.pth")


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_of_an_earlier_version_is_used_if_it_can_be_read(
    damage: str, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for step in (2, 4):
        (copy / f"checkpoint-{step}" / CHECKSUMS).unlink()
    assert last_whole_checkpoint(copy) == copy / "checkpoint-4"
    for number, name in enumerate(FILES if damage != "flipped" else (WEIGHTS, "optimizer.pt")):
        work_dir = Path(shutil.copytree(copy, tmp_path / str(number)))
        DAMAGES[damage](work_dir / "checkpoint-4" / name)
        found = last_whole_checkpoint(work_dir)
        if (damage, name) == ("flipped", WEIGHTS):  # safetensors has no checksum of its own
            assert found == work_dir / "checkpoint-4"
        else:
            assert found == work_dir / "checkpoint-2"
            assert f"checkpoint-4: damaged ({name}: " in capsys.readouterr().err


@pytest.mark.parametrize("content", ["[]", "{}", '{"log_history": 1}'])
def test_a_state_without_a_log_is_damaged(copy: Path, content: str) -> None:
    (copy / "checkpoint-4" / CHECKSUMS).unlink()
    (copy / "checkpoint-4" / "trainer_state.json").write_text(content)
    assert last_whole_checkpoint(copy) == copy / "checkpoint-2"


def test_what_only_has_the_name_of_a_checkpoint_is_cleared_away(copy: Path) -> None:
    (copy / "checkpoint-9").write_text("a file")
    (copy / "checkpoint-old").mkdir()
    assert last_whole_checkpoint(copy) == copy / "checkpoint-4"
    assert not (copy / "checkpoint-9").exists()


def test_every_file_of_a_checkpoint_is_recorded(killed: Path) -> None:
    folder = killed / "checkpoint-4"
    recorded = json.loads((folder / CHECKSUMS).read_text())
    assert {CHECKSUMS, *recorded} == {file.name for file in folder.iterdir()}
