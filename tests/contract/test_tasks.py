"""What every line of ``tasks.BUILTIN`` keeps to. A new line is tested the day it is added."""

import dataclasses

import numpy as np
import pytest
import torch
import transformers

from tinybert.data import LabelScheme
from tinybert.errors import DataError, ModelError
from tinybert.losses import BUILTIN as LOSSES
from tinybert.tasks import BUILTIN, Answer

EVERY = pytest.mark.parametrize("name", BUILTIN)
NAMES = ("bad", "fair", "good")
RAW_LABELS = {"single": list(NAMES), "multi": [["bad"], ["fair", "good"], []], "value": [0.5, -1.0, 2.0]}


def scheme_of(task) -> LabelScheme:
    return LabelScheme(task.label_kind, () if task.label_kind == "value" else NAMES)


def gold_of(task) -> np.ndarray:
    return np.array([scheme_of(task).convert(raw) for raw in RAW_LABELS[task.label_kind]])


def right_logits(task, size: float = 9.0) -> np.ndarray:
    """Logits of a model that is right and sure of it."""
    gold = gold_of(task)
    if task.label_kind == "value":
        return gold[:, None]
    return size * (2 * (np.eye(len(NAMES))[gold] if task.label_kind == "single" else gold) - 1)


def unlabelled(task) -> np.ndarray:
    gold = gold_of(task)
    return np.full_like(gold, -100 if task.label_kind == "single" else np.nan)


@EVERY
def test_it_is_frozen_and_known_by_its_name(name):
    task = BUILTIN[name]
    assert task.name == name
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.name = "other"


@EVERY
def test_transformers_knows_what_it_names(name):
    task = BUILTIN[name]
    assert hasattr(transformers, task.auto_model)
    assert transformers.BertConfig(problem_type=task.problem_type).problem_type == task.problem_type


def test_no_two_tasks_claim_one_problem_type():
    types = [task.problem_type for task in BUILTIN.values()]
    assert len(set(types)) == len(types)


@EVERY
def test_its_losses_on_logits_are_in_the_table(name):
    task = BUILTIN[name]
    assert task.soft_losses
    assert set(task.soft_losses) <= set(LOSSES)
    student = torch.tensor(right_logits(task))
    for soft in task.soft_losses:
        assert LOSSES[soft](student, student + torch.tensor([[1.0], [2.0], [3.0]])).isfinite()


@EVERY
def test_its_hard_losses_prefer_the_right_answer(name):
    task = BUILTIN[name]
    labels, right = torch.tensor(gold_of(task)), torch.tensor(right_logits(task, size=0.5))
    assert task.hard_losses
    for loss in task.hard_losses.values():
        assert loss in LOSSES.values()
        assert loss(right, labels) < loss(right.flip(0), labels)


@EVERY
def test_its_hard_losses_leave_unlabelled_rows_out(name):
    task = BUILTIN[name]
    gold, logits = gold_of(task), right_logits(task)
    twice = torch.tensor(np.concatenate([gold, unlabelled(task)]))
    for loss in task.hard_losses.values():
        alone = loss(torch.tensor(logits), torch.tensor(gold))
        joined = loss(torch.tensor(np.concatenate([logits, logits[::-1]])), twice)
        torch.testing.assert_close(joined, alone)


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decode_gives_one_answer_a_row(name, dtype):
    task = BUILTIN[name]
    answers = task.decode(right_logits(task).astype(dtype), scheme_of(task))
    expected = {"single": RAW_LABELS["single"], "multi": RAW_LABELS["multi"], "value": [None] * 3}
    assert [answer.label for answer in answers] == expected[task.label_kind]
    for answer in answers:
        assert isinstance(answer, Answer)
        assert tuple(answer.scores) == scheme_of(task).names
        assert type(answer.score) is float
        assert all(type(score) is float and 0 <= score <= 1 for score in answer.scores.values())


@EVERY
def test_decode_of_no_rows_is_no_answers(name):
    task = BUILTIN[name]
    assert task.decode(right_logits(task)[:0], scheme_of(task)) == []


@EVERY
def test_metrics_of_right_answers_are_perfect(name):
    task = BUILTIN[name]
    scores = task.metrics(right_logits(task), gold_of(task))
    assert scores[task.main_metric] == pytest.approx(1.0)
    assert all(type(score) is float for score in scores.values())


@EVERY
def test_the_main_metric_falls_with_a_wrong_answer(name):
    task = BUILTIN[name]
    wrong = right_logits(task)
    wrong[0] = -wrong[0] - 3
    assert task.metrics(wrong, gold_of(task))[task.main_metric] < 0.99


@EVERY
def test_metrics_leave_unlabelled_rows_out(name):
    task = BUILTIN[name]
    gold, logits = gold_of(task), right_logits(task)
    joined = np.concatenate([gold, unlabelled(task)])
    scores = task.metrics(np.concatenate([logits, -logits]), joined)
    assert scores == pytest.approx(task.metrics(logits, gold))


@EVERY
def test_metrics_of_an_unlabelled_split_are_refused(name):
    task = BUILTIN[name]
    with pytest.raises(DataError, match="none of 3 rows has a gold label"):
        task.metrics(right_logits(task), unlabelled(task))


@EVERY
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_never_an_answer(name, bad):
    task = BUILTIN[name]
    logits = right_logits(task)
    logits[1, 0] = bad
    for call in (lambda: task.decode(logits, scheme_of(task)), lambda: task.metrics(logits, gold_of(task))):
        with pytest.raises(ModelError, match="1 of 3 rows are NaN or infinite: the training diverged"):
            call()
