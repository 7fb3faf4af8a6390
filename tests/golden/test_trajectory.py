"""One tiny distillation, step by step, against a recorded curve; and the same curve reached in other ways.

Record it anew after a wanted change of the numerics: RECORD_GOLDEN=1 python -m pytest tests/golden
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from tests import easy
from torch import Tensor, nn
from transformers import TrainerCallback

from tinybert.data import Collator
from tinybert.objectives import DistillObjective, Teaching
from tinybert.tasks import BUILTIN as TASKS
from tinybert.teachers import ModelTeacher, Teacher, TeacherStore
from tinybert.training import Settings, train

FILE = Path(__file__).with_name("distillation.json")
ALL_LOSSES = {
    "hidden_state_mse": 1.0,
    "attention_score_mse": 0.5,
    "relation_kl": 0.5,
    "kl_divergence": 1.0,
    "hard": 0.1,
}
NARROW = {"num_hidden_layers": 2, "hidden_size": 16, "intermediate_size": 32}
CROSS_ENTROPY = TASKS["classification"].hard_loss("cross_entropy")


@dataclass
class Curve(TrainerCallback):
    """What happened at each forward and at each step of the optimiser."""

    losses: list[dict[str, float]] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)

    def on_pre_optimizer_step(self, args, state, control, **kwargs) -> None:
        squares = [float(p.grad.square().sum()) for p in kwargs["model"].parameters() if p.grad is not None]
        self.norms.append(sum(squares) ** 0.5)


def distil(
    folder: Path,
    losses: Mapping[str, float] = ALL_LOSSES,
    *,
    stored: bool = False,
    num_rows: int = 40,
    **changes: object,
) -> tuple[Curve, nn.Module]:
    student, teacher_model = easy.seeded_classifier(seed=1, **NARROW), easy.seeded_classifier(seed=2)
    teaching = Teaching(losses, (2, 4), temperature=2.0, num_relation_heads=4)
    rows = easy.make_rows(num_rows + 8)
    train_rows = easy.encode_rows(rows[:num_rows])
    collator = Collator(easy.make_tokenizer())
    teacher: Teacher = ModelTeacher(teacher_model, teaching.wanted())
    if stored:
        store = TeacherStore(folder / "store", num_rows=num_rows, wanted=teaching.wanted())
        store.fill(teacher, train_rows, collator)
        teacher = store
    start = torch.from_numpy(np.random.default_rng(3).normal(0, 0.2, size=(32, 16))).float()
    objective = DistillObjective(
        student, teacher, teaching, hard_loss=CROSS_ENTROPY, teacher_hidden_size=32, projection_start=start
    )
    curve = Curve()

    def recorded(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        terms = objective(model, batch)
        curve.losses.append({name: float(term.detach()) for name, term in terms.items()})
        return terms

    values: dict[str, object] = {
        "num_epochs": 2,
        "learning_rate": 1e-3,
        "batch_size": 8,
        "max_grad_norm": 1e9,
        "keep_best": False,
        **changes,
    }
    train(
        student,
        recorded,
        train_rows=train_rows,
        collator=collator,
        evaluator=easy.evaluator_of(rows[num_rows:]),
        settings=Settings(callbacks=(curve,), **values),
        work_dir=folder / "checkpoints",
    )
    return curve, student


def as_table(curve: Curve) -> dict[str, list[float]]:
    table = {name: [step[name] for step in curve.losses] for name in curve.losses[0]}
    return {**table, "grad_norm": curve.norms}


def test_the_curve_is_the_recorded_one(tmp_path: Path) -> None:
    table = as_table(distil(tmp_path)[0])
    if os.environ.get("RECORD_GOLDEN"):
        rounded = {name: [float(f"{value:.6g}") for value in values] for name, values in table.items()}
        FILE.write_text(json.dumps(rounded, indent=1) + "\n")
    recorded = json.loads(FILE.read_text())
    assert table.keys() == recorded.keys()
    for name, values in table.items():
        drift = np.abs(np.asarray(values) / np.asarray(recorded[name]) - 1)
        assert drift.shape == (10,)
        assert drift.max() < 5e-3, name
        assert drift.mean() < 1e-3, name


def test_every_term_of_the_teacher_falls(tmp_path: Path) -> None:
    curve, _ = distil(tmp_path, num_epochs=6, learning_rate=3e-3)
    table = as_table(curve)
    for name in ALL_LOSSES.keys() - {"hard"}:  # this teacher is random: it contradicts the labels
        assert np.mean(table[name][-5:]) < 0.9 * np.mean(table[name][:5]), name


def test_the_store_gives_the_curve_of_the_live_teacher(tmp_path: Path) -> None:
    live, stored = (
        as_table(distil(tmp_path / "live")[0]),
        as_table(distil(tmp_path / "stored", stored=True)[0]),
    )
    for name, values in live.items():
        np.testing.assert_allclose(stored[name], values, rtol=5e-3, err_msg=name)


def test_accumulating_one_row_eight_times_equals_eight_rows_once(tmp_path: Path) -> None:
    losses = {"kl_divergence": 1.0, "hard": 0.5}
    whole, one = distil(tmp_path / "8x1", losses)
    pieces, other = distil(tmp_path / "1x8", losses, batch_size=1, gradient_accumulation_steps=8)
    assert (len(whole.losses), len(pieces.losses)) == (10, 80)
    assert len(whole.norms) == len(pieces.norms) == 10
    np.testing.assert_allclose(pieces.norms, whole.norms, rtol=2e-3)
    for name in losses:
        means = np.asarray([step[name] for step in pieces.losses]).reshape(10, 8).mean(axis=1)
        np.testing.assert_allclose(means, [step[name] for step in whole.losses], rtol=2e-3, err_msg=name)
    for (name, ours), theirs in zip(one.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(
            ours, theirs, atol=2e-4, rtol=1e-3, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_the_second_epoch_comes_in_another_order(tmp_path: Path) -> None:
    seen: list[list[int]] = []
    student = easy.seeded_classifier(seed=1, num_hidden_layers=1)

    def objective(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append(batch["row"].tolist())
        return {"hard": CROSS_ENTROPY(model(batch["input_ids"], batch["attention_mask"]).logits, batch)}

    rows = easy.encode_rows(easy.make_rows(40))
    train(
        student,
        objective,
        train_rows=rows,
        collator=Collator(easy.make_tokenizer()),
        evaluator=easy.evaluator_of(easy.make_rows(4)),
        settings=Settings(num_epochs=2, learning_rate=1e-4, batch_size=8),
        work_dir=tmp_path,
    )
    first, second = seen[:5], seen[5:]
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(40))
    assert first != second


@pytest.mark.parametrize("losses", [{"hidden_state_mse": 1.0}, {"attention_score_mse": 1.0, "hard": 0.2}])
def test_a_teacher_that_is_the_student_teaches_nothing(losses: dict[str, float]) -> None:
    model, twin = easy.seeded_classifier(seed=4), easy.seeded_classifier(seed=4)
    teaching = Teaching(losses, (1, 2, 3, 4))
    objective = DistillObjective(
        model,
        ModelTeacher(twin, teaching.wanted()),
        teaching,
        hard_loss=CROSS_ENTROPY,
        teacher_hidden_size=32,
    )
    rows = easy.encode_rows(easy.make_rows(5))
    terms = objective(model, Collator(easy.make_tokenizer())([rows[i] for i in range(5)]))
    assert terms.keys() == losses.keys()
    for name in losses.keys() - {"hard"}:
        assert float(terms[name].detach()) == pytest.approx(0, abs=1e-9)
