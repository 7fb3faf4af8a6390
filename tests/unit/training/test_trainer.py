from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from tests import easy
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerState

from tinybert.checksums import CHECKSUMS
from tinybert.data import Collator
from tinybert.errors import RunError, TinyBertError
from tinybert.models.inputs import model_inputs
from tinybert.tasks import BUILTIN as TASKS
from tinybert.training import Batch, Settings, Trained, train
from tinybert.training.checkpoints import epoch_rows, last_whole_checkpoint
from tinybert.training.settings import training_arguments

HARD = TASKS["classification"].hard_losses["cross_entropy"]


@dataclass
class Says:
    """An evaluator whose scores are given."""

    scores: Callable[[], dict[str, float]]
    main_metric: str = "accuracy"
    greater_is_better: bool = True
    best_score: float = 1.0
    num_rows: int = 1_000

    def __call__(self, model: nn.Module) -> dict[str, float]:
        return self.scores()


def two_terms(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    loss = HARD(model(**model_inputs(model, batch)).logits, batch["labels"])
    return {"hard": 0.75 * loss, "soft": 0.25 * loss}


def run(
    folder: Path,
    *,
    model: nn.Module | None = None,
    objective=two_terms,
    num_rows: int = 64,
    num_validation: int = 40,
    evaluator: Says | None = None,
    **changes: object,
) -> Trained:
    values: dict[str, object] = {
        "num_epochs": 2,
        "learning_rate": 2e-3,
        "batch_size": 16,
        **changes,
    }
    splits = easy.make_splits(train=num_rows, validation=num_validation, test=0)
    return train(
        model or easy.seeded_classifier(num_hidden_layers=2),
        objective,
        train_rows=easy.encode_rows(splits["train"]),
        collator=Collator(easy.make_tokenizer()),
        evaluator=evaluator or easy.evaluator_of(splits["validation"]),
        settings=Settings(**values),
        work_dir=folder,
    )


def test_history_names_every_term_and_they_add_up(tmp_path: Path) -> None:
    trained = run(tmp_path)
    assert [row["epoch"] for row in trained.history] == [1, 2]
    assert trained.num_steps == 8
    for row in trained.history:
        assert row["loss"] == pytest.approx(row["loss/hard"] + row["loss/soft"], abs=2e-4)
        assert row["loss/hard"] == pytest.approx(3 * row["loss/soft"], rel=1e-4)
        assert {"val_loss", "val_accuracy", "val_macro_f1", "grad_norm", "learning_rate"} <= row.keys()


def test_the_training_loss_is_a_mean_over_rows(tmp_path: Path) -> None:
    model = easy.seeded_classifier(num_hidden_layers=2)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    # batches of 16 and 4 rows, and a rate at which nothing moves
    history = run(tmp_path, model=model, num_rows=20, num_epochs=1, learning_rate=1e-12).history
    rows = easy.encode_rows(easy.make_splits(train=20, validation=40, test=0)["train"])
    batch = Collator(easy.make_tokenizer())([rows[i] for i in range(20)])
    with torch.no_grad():
        loss = float(HARD(model(**model_inputs(model, batch)).logits, batch["labels"]))
    assert history[0]["loss"] == pytest.approx(loss, abs=1e-5)
    assert history[0]["loss/hard"] == pytest.approx(0.75 * loss, abs=1e-5)


def test_validation_is_whole_and_its_loss_a_mean_over_rows(tmp_path: Path) -> None:
    model = easy.seeded_classifier(num_hidden_layers=2)
    # batches of 64 and 36 rows: a mean of the batches' means would be another number
    history = run(tmp_path, model=model, num_epochs=1, num_validation=100).history
    rows = easy.encode_rows(easy.make_splits(train=64, validation=100, test=0)["validation"])
    collator = Collator(easy.make_tokenizer())
    model.eval()
    batch = collator([rows[i] for i in range(100)])
    with torch.no_grad():
        logits = model(**model_inputs(model, batch)).logits
    assert history[-1]["val_loss"] == pytest.approx(float(HARD(logits, batch["labels"])), abs=1e-5)
    accuracy = float((logits.argmax(-1) == batch["labels"]).float().mean())
    assert history[-1]["val_accuracy"] == pytest.approx(accuracy)


def test_the_model_ends_with_the_weights_of_its_best_epoch(tmp_path: Path) -> None:
    class Ruin(TrainerCallback):
        """Spoils the weights after the first epoch's score is taken."""

        def on_epoch_begin(self, args, state, control, **kwargs) -> None:
            if state.epoch and state.epoch >= 1:
                with torch.no_grad():
                    kwargs["model"].classifier.weight.zero_()
                    kwargs["model"].classifier.bias.copy_(torch.tensor([9.0, 0.0]))

    model = easy.seeded_classifier(num_hidden_layers=2)
    trained = run(tmp_path, model=model, num_rows=256, learning_rate=3e-3, callbacks=(Ruin(),))
    first, second = (row["val_accuracy"] for row in trained.history)
    assert first > second
    assert trained.best["epoch"] == 1
    assert float(model.classifier.bias.detach()[0]) < 1
    # and without a score to choose by, the last ones are kept
    last = easy.seeded_classifier(num_hidden_layers=2)
    run(tmp_path / "last", model=last, num_rows=256, learning_rate=3e-3, callbacks=(Ruin(),), keep_best=False)
    assert float(last.classifier.bias.detach()[0]) > 5


def test_less_is_better_where_the_evaluator_says_so(tmp_path: Path) -> None:
    scores = iter([3.0, 1.0, 2.0])
    weights: list[float] = []

    class Note(TrainerCallback):
        def on_evaluate(self, args, state, control, **kwargs) -> None:
            weights.append(float(kwargs["model"].classifier.bias.detach()[0]))

    evaluator = Says(lambda: {"perplexity": next(scores)}, "perplexity", greater_is_better=False)
    model = easy.seeded_classifier(num_hidden_layers=2)
    trained = run(tmp_path, model=model, num_epochs=3, evaluator=evaluator, callbacks=(Note(),))
    assert (trained.best["epoch"], trained.best["val_perplexity"]) == (2, 1.0)
    assert float(model.classifier.bias.detach()[0]) == weights[1] != weights[2]


def test_early_stopping_counts_epochs_without_a_better_score(tmp_path: Path) -> None:
    trained = run(tmp_path, num_epochs=6, learning_rate=1e-9, early_stopping_patience=2)
    assert len(trained.history) == 3


def test_early_stopping_stops_a_resumed_training_at_the_same_epoch(tmp_path: Path) -> None:
    given = [0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]

    class Kill(TrainerCallback):
        def on_epoch_begin(self, args: object, state: TrainerState, *rest: object, **more: object) -> None:
            if round(state.epoch or 0) >= 4:
                raise KeyboardInterrupt

    def num_epochs(*, begun: int = 0, callbacks: tuple[TrainerCallback, ...] = ()) -> int:
        scores = iter(given[begun:])
        evaluator = Says(lambda: {"accuracy": next(scores), "loss": 1.0})
        options = {"num_epochs": 7, "learning_rate": 1e-4, "early_stopping_patience": 3, "num_rows": 16}
        return len(run(tmp_path, evaluator=evaluator, callbacks=callbacks, **options).history)

    with pytest.raises(KeyboardInterrupt):
        num_epochs(callbacks=(Kill(),))
    assert num_epochs(begun=4) == 5
    assert num_epochs(begun=5) == 5  # killed after its last checkpoint


def test_early_stopping_leaves_a_training_without_a_best_epoch_alone(tmp_path: Path) -> None:
    trained = run(
        tmp_path, num_epochs=3, learning_rate=1e-9, early_stopping_patience=1, keep_best=False, num_rows=16
    )
    assert len(trained.history) == 3


def test_max_steps_overrides_epochs(tmp_path: Path) -> None:
    assert run(tmp_path, max_steps=5).num_steps == 5


def test_the_seed_decides_the_order_and_dropout(tmp_path: Path) -> None:
    def history(name: str, seed: int) -> list[dict[str, float]]:
        torch.manual_seed(seed)
        rows = run(tmp_path / name, num_epochs=1, seed=seed).history
        return [
            {key: value for key, value in row.items() if key not in ("seconds", "tokens_per_second")}
            for row in rows
        ]

    first = history("a", 1)
    assert history("b", 1) == first
    assert history("c", 2) != first


def test_no_pickle_is_left_beside_a_checkpoint_but_the_optimiser(tmp_path: Path) -> None:
    run(tmp_path, num_epochs=1)
    assert not list(tmp_path.rglob("training_args.bin"))
    assert len(list(tmp_path.glob("checkpoint-*"))) == 1


@pytest.mark.parametrize("damage", ["no state", "half a state"])
def test_a_checkpoint_that_was_cut_short_is_removed(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, num_epochs=1)
    older = next(tmp_path.glob("checkpoint-*"))
    newest = tmp_path / "checkpoint-1000" / "trainer_state.json"
    shutil.copytree(older, newest.parent)
    (newest.parent / CHECKSUMS).unlink()
    assert last_whole_checkpoint(tmp_path) == newest.parent
    if damage == "no state":
        newest.unlink()
    else:
        newest.write_text('{"global_st')
    assert last_whole_checkpoint(tmp_path) == older
    assert "warning" not in capsys.readouterr().err  # a kill is no damage
    assert not newest.parent.exists()


def test_seconds_count_what_earlier_processes_took(tmp_path: Path) -> None:
    class Killed(TrainerCallback):
        def on_epoch_begin(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
            if state.global_step:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, num_epochs=2, callbacks=(Killed(),))
    state_file = next(tmp_path.glob("checkpoint-*")) / "trainer_state.json"
    state = json.loads(state_file.read_text())
    entry = next(entry for entry in state["log_history"] if "seconds" in entry)
    assert 0 < entry["seconds"] < 60
    entry["seconds"] += 1000
    state_file.write_text(json.dumps(state))
    (state_file.parent / CHECKSUMS).unlink()
    trained = run(tmp_path, num_epochs=2)
    assert 1000 < trained.seconds < 1100
    assert trained.history[1]["seconds"] > 1000


def test_a_training_that_diverges_is_stopped(tmp_path: Path) -> None:
    steps = iter([1.0, 1.0, math.inf])

    def grows(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return {name: term * next(steps) for name, term in {"hard": two_terms(model, batch)["hard"]}.items()}

    with pytest.raises(RunError, match=r"step 3: the loss is inf, .* set train\.learning_rate below 0\.002"):
        run(tmp_path, objective=grows)


def test_weights_that_are_no_numbers_are_not_blamed_on_the_rate(tmp_path: Path) -> None:
    def lacks_numbers(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return {"hard": two_terms(model, batch)["hard"] * math.nan}

    with pytest.raises(
        RunError, match=r"step 1: the loss is nan, before any weight was changed: the weights"
    ):
        run(tmp_path, objective=lacks_numbers)


def test_weights_that_the_last_step_broke_are_not_kept(tmp_path: Path) -> None:
    class Breaks(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **kwargs: object) -> None:
            if state.global_step == state.max_steps:
                next(model.parameters()).data.fill_(math.nan)

    with pytest.raises(TinyBertError, match="diverged"):
        run(tmp_path, callbacks=(Breaks(),), keep_best=False)
    with pytest.raises(RunError, match="the loss is nan"):
        run(
            tmp_path / "other",
            callbacks=(Breaks(),),
            keep_best=False,
            evaluator=Says(lambda: {"loss": 1.0, "accuracy": 1.0}),
        )


def test_only_a_best_epoch_that_is_wanted_is_looked_for(tmp_path: Path) -> None:
    """Where the last weights count, transformers would keep the highest perplexity's and drop the last."""
    evaluator = Says(dict, "perplexity", greater_is_better=False)
    for keep in (True, False):
        settings = Settings(num_epochs=1, learning_rate=1e-3, keep_best=keep)
        arguments = training_arguments(settings, evaluator, tmp_path, num_rows=8)
        assert arguments.greater_is_better is (False if keep else None)
        assert (arguments.metric_for_best_model is not None) == keep


def test_no_checkpoint_means_from_the_start(tmp_path: Path) -> None:
    assert last_whole_checkpoint(tmp_path / "none") is None


def test_warm_up_is_a_share_of_the_optimiser_steps(tmp_path: Path) -> None:
    settings = Settings(
        num_epochs=4,
        learning_rate=1e-4,
        batch_size=8,
        gradient_accumulation_steps=2,
        warmup_ratio=0.25,
        schedule="cosine",
    )
    arguments = training_arguments(settings, Says(dict), tmp_path, num_rows=100)
    assert arguments.warmup_steps == 7  # 7 steps an epoch, 28 in all
    assert arguments.lr_scheduler_type == "cosine"
    assert arguments.gradient_accumulation_steps == 2


def test_epochs_join_their_log_entries() -> None:
    log = [
        {"epoch": 1.0, "loss": 0.5, "loss/hard": 0.5, "grad_norm": 2.0, "learning_rate": 1e-4, "step": 4},
        {
            "epoch": 1.0,
            "eval_loss": 0.4,
            "eval_accuracy": 0.9,
            "eval_runtime": 3.0,
            "eval_samples_per_second": 9.0,
            "step": 4,
        },
        {"epoch": 2.0, "train_runtime": 9.0, "train_loss": 0.5, "step": 8},
    ]
    assert epoch_rows(log) == [
        {
            "epoch": 1.0,
            "step": 4,
            "loss": 0.5,
            "loss/hard": 0.5,
            "grad_norm": 2.0,
            "learning_rate": 1e-4,
            "val_loss": 0.4,
            "val_accuracy": 0.9,
        }
    ]


def test_a_training_killed_at_its_very_end_keeps_its_best_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.3, 0.9, 0.1, 0.3, 0.9, 0.1])
    evaluator = Says(lambda: {"accuracy": next(scores)})
    options = {"evaluator": evaluator, "max_steps": 6, "num_epochs": 3, "num_rows": 32}
    # two steps an epoch, the second the best

    def dies(_: object) -> None:
        raise KeyboardInterrupt

    whole, killed = (easy.seeded_classifier(num_hidden_layers=2) for _ in range(2))
    run(tmp_path / "whole", model=whole, **options)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("tinybert.training.trainer.ObjectiveTrainer._load_best_model", dies)
        run(tmp_path / "killed", model=easy.seeded_classifier(num_hidden_layers=2), **options)
    trained = run(tmp_path / "killed", model=killed, **options)
    assert (trained.num_steps, trained.best["val_accuracy"]) == (6, 0.9)
    assert easy.same_weights(whole, killed)


AUTO = {"max_steps": 6, "eval_steps": 2, "extends": True, "num_rows": 32, "learning_rate": 1e-3}
"""Two steps an epoch: cycles end at 6, 10, 14 and 18."""


def says(scores: list[float], losses: list[float] | None = None) -> Says:
    """Return an evaluator with these scores, in turn."""
    given = iter(zip(scores, losses or [1.0] * len(scores), strict=True))
    return Says(lambda: dict(zip(("accuracy", "loss"), next(given), strict=True)))


@pytest.mark.parametrize(
    ("scores", "num_steps", "rises"),
    [
        ([0.5, 0.6, 0.6], 6, False),
        ([0.5, 0.6, 0.7, 0.6, 0.7], 10, False),
        ([0.5, 0.6, 0.7, 0.6, 0.8, 0.8, 0.8], 14, False),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], 18, True),
    ],
)
def test_a_training_goes_on_while_its_score_rises(
    tmp_path: Path,
    scores: list[float],
    num_steps: int,
    rises: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained = run(tmp_path, evaluator=says(scores), **AUTO)
    said = capsys.readouterr().err
    assert (trained.num_steps, trained.is_rising) == (num_steps, rises)
    assert [row["val_accuracy"] for row in trained.history] == scores
    assert [row["epoch"] for row in trained.history] == list(range(1, num_steps // 2 + 1))
    assert "train: 6 steps, and more while the validation accuracy rises, at most 18" in said
    assert (
        said.count("the score still rises: 4 steps more, at half the learning rate") == (num_steps - 6) // 4
    )
    assert f"Epoch {num_steps // 2}, " in said
    peak = max(row["learning_rate"] for row in trained.history)
    assert all(row["learning_rate"] <= peak / 2 for row in trained.history[3:])


def test_a_number_of_epochs_that_is_set_is_kept_while_the_score_rises(tmp_path: Path) -> None:
    trained = run(tmp_path, evaluator=says([0.1, 0.2, 0.9]), num_rows=32, num_epochs=3)
    assert (trained.num_steps, trained.is_rising) == (6, True)


@pytest.mark.parametrize("amid", [5, 6, 9, 10, 13, 14])
def test_a_training_killed_before_or_after_it_went_on_ends_as_an_undisturbed_one(
    tmp_path: Path, amid: int
) -> None:
    scores = [0.5, 0.6, 0.7, 0.6, 0.8, 0.8, 0.7]

    class Killed(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs: object) -> None:
            if state.global_step == amid:
                raise KeyboardInterrupt

        def on_train_end(self, args, state, control, **kwargs: object) -> None:
            if state.global_step == amid:
                raise KeyboardInterrupt

    whole, first, resumed = (easy.seeded_classifier(num_hidden_layers=1) for _ in range(3))
    undisturbed = run(tmp_path / "whole", model=whole, evaluator=says(scores), **AUTO)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", model=first, evaluator=says(scores), callbacks=(Killed(),), **AUTO)
    left = says(scores[amid // 2 :])
    trained = run(tmp_path / "killed", model=resumed, evaluator=left, **AUTO)
    assert trained.num_steps == undisturbed.num_steps == 14
    assert [row["val_accuracy"] for row in trained.history] == scores
    for ours, theirs in zip(trained.history, undisturbed.history, strict=True):
        for name in ("step", "loss", "learning_rate", "grad_norm"):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-6), name
    for name, weight in resumed.state_dict().items():
        torch.testing.assert_close(weight, whole.state_dict()[name], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("scores", "num_rows", "epoch"),
    [
        ([0.8, 0.9, 0.9, 0.7], None, 2),  # epochs are set: the first
        ([0.8, 0.9, 0.9, 0.7], 1_000, 3),
        ([0.8, 0.9, 0.88, 0.7], 1_000, 2),
        ([0.8, 0.9, 0.86, 0.7], 30, 3),  # one standard error of 0.9 on 30 rows is 0.055
        ([0.8, 0.9, 0.84, 0.86], 30, 4),
        ([0.86, 0.8, 0.9, 0.84], 30, 3),
        ([0.0, 0.0, 0.0, 0.0], 30, 4),
        ([1.0, 0.9, 29 / 30, 28 / 30], 30, 3),  # one row is chance, whatever the standard error
        ([40.0, 70.0, 69.0, 60.0], 30, 2),  # of a score that is no share, nothing is known
        ([math.nan, 0.5, math.nan, 0.4], 1_000, 2),
    ],
)
def test_the_last_of_the_best_scores_is_kept_and_with_few_rows_of_those_within_chance(
    tmp_path: Path, scores: list[float], num_rows: int | None, epoch: int
) -> None:
    weights: list[float] = []

    class Note(TrainerCallback):
        def on_evaluate(self, args, state, control, **kwargs: object) -> None:
            weights.append(float(kwargs["model"].classifier.bias.detach()[0]))

    model = easy.seeded_classifier(num_hidden_layers=1)
    pace = {"max_steps": 8, "eval_steps": 2} if num_rows else {"num_epochs": 4}
    given = {"num_rows": 32, "callbacks": (Note(),), **pace}
    evaluator = replace(says(scores), num_rows=num_rows or 30)
    trained = run(tmp_path, model=model, evaluator=evaluator, **given)
    assert trained.best["epoch"] == epoch
    assert float(model.classifier.bias.detach()[0]) == weights[epoch - 1]
    assert len(set(weights)) == 4


def test_batches_by_tokens_train_on_every_row_and_resume_amid_an_epoch(tmp_path: Path) -> None:
    seen: list[Tensor] = []

    def recorded(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        if model.training:
            seen.append(batch["row"])
            assert batch["attention_mask"].numel() <= 64
        return two_terms(model, batch)

    def stopped(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        if len(seen) == 24:
            raise KeyboardInterrupt
        return recorded(model, batch)

    whole, killed, resumed = (easy.seeded_classifier(num_hidden_layers=1) for _ in range(3))
    options = {"batch_tokens": 64, "batch_size": 8, "max_steps": 28, "eval_steps": 7, "num_epochs": 1}
    assert run(tmp_path / "whole", model=whole, objective=recorded, **options).num_steps == 28
    assert sorted(torch.cat(seen[:10]).tolist()) == list(range(64))  # an epoch is ten batches
    seen.clear()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", model=killed, objective=stopped, **options)
    run(tmp_path / "killed", model=resumed, objective=recorded, **options)  # from step 21, amid an epoch
    assert easy.same_weights(whole, resumed)
