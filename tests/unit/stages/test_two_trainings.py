"""Two runs in two threads of one process are made one after the other, and each is what it is alone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from tests import easy
from transformers import AutoModelForMaskedLM, BertForMaskedLM, BertForSequenceClassification

from tinybert.config import build_recipe
from tinybert.errors import TinyBertError
from tinybert.inference import Predictor
from tinybert.models import load_config
from tinybert.models.load import load_model
from tinybert.models.start.initialise import random_start
from tinybert.search import Budget, distill_within
from tinybert.stages.classic import train_model
from tinybert.stages.doctor.examination import examine
from tinybert.stages.pipeline import run_recipe
from tinybert.tasks import TextDataset
from tinybert.training import one_at_a_time

WAITING = "another run of this process is not finished yet; waiting for it"
SPLITS = easy.make_splits(train=32, validation=8, test=8)


@pytest.fixture(autouse=True)
def _threads_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


def trained(seed: int) -> dict[str, torch.Tensor]:
    """Return the weights of a training with dropout."""
    model = BertForSequenceClassification(easy.make_config(num_labels=2, num_hidden_layers=1))
    model.load_state_dict(easy.seeded_classifier(num_labels=2, num_hidden_layers=1).state_dict())
    tokenizer = easy.make_tokenizer()
    train, validation = (
        TextDataset([row["text"] for row in rows], [row["label"] for row in rows], tokenizer, 32)
        for rows in (SPLITS["train"], SPLITS["validation"])
    )
    train_model(model, train, validation, epochs=1, batch_size=8, learning_rate=1e-3, seed=seed)
    return model.state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_two_trainings_in_threads_end_with_the_weights_that_each_has_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    seeds = (1, 2)
    alone = [trained(seed) for seed in seeds]
    assert not same(*alone)
    assert WAITING not in capfd.readouterr().err
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(trained, seeds))
    assert [same(*each) for each in zip(alone, together, strict=True)] == [True, True]
    assert capfd.readouterr().err.count(WAITING) == 1


def test_a_training_is_the_same_while_others_load_models_and_predict(tiny_teacher: Path) -> None:
    texts = [str(row["text"]) for row in SPLITS["test"]]
    expected = Predictor(tiny_teacher)(texts)
    alone = trained(1)
    is_done = threading.Event()
    predicted: list[Sequence[object]] = []

    def predict() -> None:
        while not is_done.is_set():
            predicted.append(Predictor(tiny_teacher)(texts))

    thread = threading.Thread(target=predict)
    thread.start()
    try:
        beside = trained(1)
    finally:
        is_done.set()
        thread.join()
    assert same(alone, beside)
    assert predicted
    assert all(each == expected for each in predicted)


@pytest.mark.parametrize("work", [run_recipe, examine, distill_within])
def test_a_run_waits_for_another_threads(
    work: Callable[..., object], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = build_recipe({"stage": "finetune", "model": str(tmp_path / "none")}, [])
    rest = {run_recipe: (), examine: ([], tmp_path), distill_within: (None, Budget())}[work]
    with ThreadPoolExecutor(1) as threads:
        with one_at_a_time():
            begun = threads.submit(work, recipe, *rest)
            with pytest.raises(TimeoutError):
                begun.result(timeout=0.2)
            assert WAITING in capfd.readouterr().err
        with pytest.raises(TinyBertError):
            begun.result(timeout=60)


def test_loading_a_whole_checkpoint_touches_no_random_number(tiny_teacher: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    Predictor(tiny_teacher)
    assert torch.equal(before, torch.get_rng_state())


def test_models_that_threads_load_at_once_leave_the_library_as_it_was(tmp_path: Path) -> None:
    BertForMaskedLM(easy.make_config()).save_pretrained(tmp_path)
    config = load_config(tmp_path)
    tie, uniform = BertForMaskedLM.tie_weights, torch.nn.init.uniform_

    def load(seed: int) -> bool:
        model = load_model(AutoModelForMaskedLM, tmp_path, config, dtype=torch.float32, seed=seed)
        tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
        one, other = (random_start(easy.make_config(num_labels=2), seed=seed) for _ in range(2))
        return tied and easy.same_weights(one, other)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(load, range(12)))
    assert (BertForMaskedLM.tie_weights, torch.nn.init.uniform_) == (tie, uniform)


def test_a_turn_is_given_back_after_an_error_and_may_be_asked_for_again() -> None:
    with pytest.raises(KeyboardInterrupt), one_at_a_time(), one_at_a_time():
        raise KeyboardInterrupt

    def take() -> bool:
        with one_at_a_time():
            return True

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(take).result(timeout=5)
