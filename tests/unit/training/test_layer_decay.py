from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from tests import easy
from tests.unit.training.test_trainer import run
from torch import nn
from transformers import TrainerCallback

from tinybert.models.depth import layer_stack
from tinybert.training.layer_decay import decay_by_depth

RATE = 1e-2


class Note(TrainerCallback):
    """Keeps the groups of the optimiser after the first step."""

    def on_step_end(self, args, state, control, *, model, optimizer, **kwargs) -> None:
        if state.global_step == 1:
            names = {id(parameter): name for name, parameter in model.named_parameters()}
            self.groups = [
                (group["initial_lr"], group["weight_decay"], [names[id(each)] for each in group["params"]])
                for group in optimizer.param_groups
            ]


class Killed(TrainerCallback):
    def on_epoch_begin(self, args, state, control, **kwargs) -> None:
        if state.global_step:
            raise KeyboardInterrupt


class Look(TrainerCallback):
    def on_step_begin(self, args, state, control, *, model, **kwargs) -> None:
        self.is_wrapped = "forward" in vars(layer_stack(model)[0])


def rate_of(name: str, *, decay: float, num_layers: int) -> float:
    """Return the rate by the name of a BERT's parameter."""
    if "embeddings." in name:
        return RATE * decay**num_layers
    layer = re.search(r"encoder\.layer\.(\d+)\.", name)
    return RATE * decay ** (num_layers - 1 - int(layer[1])) if layer else RATE


@pytest.mark.parametrize("frozen", [0, 1])
def test_each_layer_learns_slower_than_the_one_above(tmp_path: Path, frozen: int) -> None:
    note, model = Note(), easy.seeded_classifier(num_hidden_layers=3)
    trained = run(
        tmp_path,
        model=model,
        learning_rate=RATE,
        layer_decay=0.5,
        frozen_layers=frozen,
        weight_decay=0.1,
        max_steps=2,
        callbacks=(note,),
    )
    given = [name for _, _, names in note.groups for name in names]
    frozen_parts = ("embeddings.", "encoder.layer.0.") if frozen else ()
    expected = [
        name for name, _ in model.named_parameters() if not any(part in name for part in frozen_parts)
    ]
    assert sorted(given) == sorted(expected)
    for rate, weight_decay, names in note.groups:
        for name in names:
            assert rate == pytest.approx(rate_of(name, decay=0.5, num_layers=3))
            assert weight_decay == (0 if "LayerNorm" in name or name.endswith("bias") else 0.1)
    assert note.groups[0][0] == RATE  # what is logged
    assert trained.num_steps == 2


def test_a_decay_of_one_changes_no_rate() -> None:
    model = easy.seeded_classifier(num_hidden_layers=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    decay_by_depth(optimizer, model, 1.0)
    assert {group["lr"] for group in optimizer.param_groups} == {RATE}


def test_frozen_layers_stay_and_the_others_learn(tmp_path: Path) -> None:
    model, before = (easy.seeded_classifier(num_hidden_layers=2) for _ in range(2))
    run(tmp_path, model=model, num_epochs=1, frozen_layers=1)
    for (name, after), start in zip(model.named_parameters(), before.parameters(), strict=True):
        is_frozen = "embeddings." in name or "encoder.layer.0." in name
        assert torch.equal(after, start) == is_frozen, name
        assert (after.grad is None) or not is_frozen


def histories(trained) -> list[dict[str, float]]:
    timed = ("seconds", "tokens_per_second")
    return [{key: value for key, value in row.items() if key not in timed} for row in trained.history]


def with_dropout() -> nn.Module:
    model = easy.seeded_classifier(num_hidden_layers=2)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.1
    torch.manual_seed(0)
    return model


def test_gradient_checkpointing_changes_no_loss(tmp_path: Path) -> None:
    looks = [Look(), Look()]
    plain = run(tmp_path / "plain", model=with_dropout(), callbacks=(looks[0],))
    recomputed = run(
        tmp_path / "on", model=with_dropout(), gradient_checkpointing=True, callbacks=(looks[1],)
    )
    assert [look.is_wrapped for look in looks] == [False, True]
    assert histories(recomputed) == histories(plain)


def test_a_killed_training_resumes_with_its_rates(tmp_path: Path) -> None:
    options = {"layer_decay": 0.5, "frozen_layers": 1, "gradient_checkpointing": True}
    whole, killed = with_dropout(), with_dropout()
    expected = run(tmp_path / "whole", model=whole, **options)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", model=with_dropout(), callbacks=(Killed(),), **options)
    trained = run(tmp_path / "killed", model=killed, **options)
    assert histories(trained) == histories(expected)
    assert easy.same_weights(whole, killed)
