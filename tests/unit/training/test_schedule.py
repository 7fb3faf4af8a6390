from __future__ import annotations

import pytest
import torch
from transformers import get_scheduler

from tinybert.training.schedule import best_step, cycle_ends, is_rising, rate_at, steps_for


@pytest.mark.parametrize(
    ("num_rows", "rows_a_step", "num_epochs", "expected"),
    [
        (300, 32, 3, (400, 40)),  # 10 steps an epoch, so 40 epochs, scored each fourth
        (270, 32, 3, (405, 45)),  # 9 steps, 44.4 epochs: 45, scored each fifth
        (385, 32, 3, (416, 52)),  # 13 steps, 31 epochs, scored each fourth: 32
        (5, 32, 3, (400, 40)),  # one step an epoch
        (3000, 32, 3, (470, 94)),  # 94 steps: 4.3 epochs, 5
        (9005, 32, 3, (846, 282)),  # enough: 3 epochs, each scored
        (9005, 32, 6, (1692, 282)),
        (9005, 64, 4, (564, 141)),
    ],
)
def test_few_rows_get_400_steps_and_many_the_epochs(
    num_rows: int, rows_a_step: int, num_epochs: int, expected: tuple[int, int]
) -> None:
    assert steps_for(num_rows, rows_a_step, num_epochs=num_epochs) == expected


def test_a_training_is_scored_at_most_ten_times_a_cycle_and_after_whole_epochs() -> None:
    for num_rows in range(1, 20_000, 37):
        num_steps, eval_steps = steps_for(num_rows, 32, num_epochs=4)
        assert num_steps >= 400
        assert 3 <= num_steps / eval_steps <= 10
        assert num_steps % eval_steps == eval_steps % -(-num_rows // 32) == 0


@pytest.mark.parametrize(
    ("num_steps", "eval_steps", "expected"),
    [
        (400, 40, [400, 600, 800, 1000, 1200]),
        (651, 217, [651, 1085, 1519, 1953]),
        (7, 2, [7, 11, 15, 19]),  # a student's steps, which need not be a multiple
        (1, 1, [1, 2, 3]),
    ],
)
def test_a_further_cycle_has_half_the_steps_and_three_times_is_the_bound(
    num_steps: int, eval_steps: int, expected: list[int]
) -> None:
    assert cycle_ends(num_steps, eval_steps) == expected


@pytest.mark.parametrize(
    ("scores", "ends", "rises"),
    [
        ([0.5, 0.6, 0.7], [3], True),
        ([0.5, 0.7, 0.7], [3], False),
        ([0.5, 0.7, 0.704], [3], False),  # less than half a point
        ([0.5, 0.7, 0.706], [3], True),
        ([0.9, 0.6, 0.7], [3], False),
        ([0.1, 0.2, 0.3, 0.9, 0.8, 0.7, 0.95], [4], True),
        ([0.1, 0.2, 0.3, 0.9, 0.95, 0.8, 0.7], [4], False),  # early in its cycle, and not since
        ([0.7], [1], False),
        ([], [1], False),
        ([0.1, 0.2, 0.9, 0.2], [4], True),  # the last third of four scores are two
    ],
)
def test_a_score_rises_where_the_last_third_of_the_cycle_beats_all_before(
    scores: list[float], ends: list[int], rises: bool
) -> None:
    assert is_rising(dict(enumerate(scores, 1)), ends) is rises


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_first_cycle_is_the_schedule_of_transformers_and_further_ones_are_half_as_high(
    schedule: str,
) -> None:
    ends = [40, 60, 80]
    ours = [rate_at(step, ends, warmup_ratio=0.1, schedule=schedule) for step in range(80)]  # pyright: ignore

    def theirs(num_steps: int) -> list[float]:
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        made = get_scheduler(
            schedule, optimizer, num_warmup_steps=num_steps // 10, num_training_steps=num_steps
        )
        return [made.lr_lambdas[0](step) for step in range(num_steps)]

    assert ours[:40] == pytest.approx(theirs(40))
    assert ours[40:60] == ours[60:80] == pytest.approx([rate / 2 for rate in theirs(20)])


def test_without_a_warm_up_a_cycle_begins_at_its_peak() -> None:
    rates = [rate_at(step, [2, 3], warmup_ratio=0.0, schedule="linear") for step in range(3)]
    assert rates == [1.0, 0.5, 0.5]


@pytest.mark.parametrize("best_score", [1.0, 100.0])
@pytest.mark.parametrize(("last", "rises"), [(0.704, False), (0.706, True)])
def test_what_a_score_must_rise_by_is_a_share_of_the_best_one(
    best_score: float, last: float, rises: bool
) -> None:
    scores = {step: best_score * share for step, share in enumerate((0.5, 0.7, last), 1)}
    assert is_rising(scores, [3], best_score=best_score) is rises


@pytest.mark.parametrize("best_score", [1.0, 100.0])
@pytest.mark.parametrize(("last", "kept"), [(0.86, 2), (0.90, 3)])  # √(0.93 · 0.07 / 30) is 0.047
def test_the_margin_of_few_rows_is_a_share_of_the_best_score(
    best_score: float, last: float, kept: int
) -> None:
    scores = {step: best_score * share for step, share in enumerate((0.8, 0.93, last), 1)}
    assert best_step(scores, num_rows=30, best_score=best_score) == kept
