"""How many steps a training takes, when it is scored, when it continues, and its learning rate at each step.

A training is planned as one cycle: its learning rate warms up and falls to zero. Where the number of steps is
found and not given, further cycles follow while the validation score still rises at the end of one: each of
half the steps and half the rate, until three times the planned steps. What is decided depends on the scores
alone, so a resumed training decides the same.

Source: warm restarts, SGDR (arXiv:1608.03983). Differs: each cycle warms up, and a further one comes only
where the score asks for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

MIN_STEPS = 400
"""What few rows are trained for at least: 27 steps left a new head at chance (adr/0005)."""
EVALUATIONS = 10
"""How often a cycle of many short epochs is scored: each epoch would cost what training does."""
BOUND = 3
"""The most steps, in multiples of the planned ones."""
FURTHER_RATE = 0.5
"""Peak of a further cycle, as a share of the first one's."""
MIN_RISE = 0.005
"""Share of the best score that the last third of a cycle must bring over all before it: less is noise."""
FEW_VALIDATION_ROWS = 200
"""Below so many one row is more than half a point."""


def steps_an_epoch(num_rows: int, rows_a_step: float) -> int:
    """Return how many steps all rows take; the rows of a step may be a mean, such as 10 / 3.

    Example:
        >>> steps_an_epoch(65, 32), steps_an_epoch(10, 10 / 3)
        (3, 3)
    """
    return max(1, math.ceil(num_rows / rows_a_step - 1e-9))


def steps_for(num_rows: int, rows_a_step: float, *, num_epochs: int) -> tuple[int, int]:
    """Return how many steps so many rows are trained for, and after how many the model is scored.

    Both are whole epochs: ``num_epochs``, or as many as make 400 steps, scored at most ten times.

    Example:
        >>> steps_for(300, 32, num_epochs=3)
        (400, 40)
        >>> steps_for(6920, 32, num_epochs=3)
        (651, 217)
    """
    epoch = steps_an_epoch(num_rows, rows_a_step)
    epochs = max(num_epochs, math.ceil(MIN_STEPS / epoch))
    epochs_a_score = math.ceil(epochs / EVALUATIONS)
    eval_steps = epoch * epochs_a_score
    return eval_steps * math.ceil(epochs / epochs_a_score), eval_steps


def cycle_ends(num_steps: int, eval_steps: int) -> list[int]:
    """Return the steps at which a training that may go on decides whether to.

    Example:
        >>> cycle_ends(400, 40)
        [400, 600, 800, 1000, 1200]
        >>> cycle_ends(3, 1)
        [3, 5, 7, 9]
    """
    further = eval_steps * math.ceil(num_steps / eval_steps / 2)
    return [num_steps, *range(num_steps + further, BOUND * num_steps + 1, further)]


def best_step(scores: Mapping[int, float], *, num_rows: int, best_score: float = 1.0) -> int:
    """Return the step whose weights are kept: the last that has the best score.

    On fewer than 200 rows a score counts as the best within a standard error of it, √(s(1 − s)/n), or within
    one row, as shares of what a perfect model scores: less is chance, and later weights have seen more
    (adr/0009).

    Args:
        scores: Step → validation score, more is better; one that is NaN is the worst. Scores outside 0 to 1
            times ``best_score`` have no margin.
        num_rows: What they are scores of.
        best_score: What a perfect model scores.

    Source: the one-standard-error rule of Breiman et al., Classification and Regression Trees, 1984.
    Differs: applied to steps, and with the error of a share whatever the metric is.

    Example:
        >>> scores = {40: 0.8, 80: 0.93, 120: 0.9}
        >>> best_step(scores, num_rows=30), best_step(scores, num_rows=872)
        (120, 80)
    """
    known = {step: -math.inf if math.isnan(score) else score for step, score in scores.items()}
    best = max(known.values())
    share = best / best_score
    is_few = 0 < num_rows < FEW_VALIDATION_ROWS and 0 <= share <= 1
    margin = max(math.sqrt(share * (1 - share) / num_rows), 1 / num_rows) + 1e-9 if is_few else 0.0
    return max(step for step, score in known.items() if score >= best - best_score * margin)


def is_rising(scores: Mapping[int, float], ends: Sequence[int], *, best_score: float = 1.0) -> bool:
    """Return whether the score still rose in the last third of the newest cycle.

    Args:
        scores: Step → validation score, more is better.
        ends: Where cycles end.
        best_score: What a perfect model scores.

    Example:
        >>> is_rising({1: 0.5, 2: 0.6, 3: 0.7}, [3]), is_rising({1: 0.5, 2: 0.7, 3: 0.7}, [3])
        (True, False)
    """
    steps = sorted(scores)
    begin = max((end for end in ends if end < steps[-1]), default=0) if steps else 0
    cycle = [step for step in steps if step > begin]
    late = cycle[len(cycle) - math.ceil(len(cycle) / 3) :]
    before = [scores[step] for step in steps if step < late[0]] if late else []
    return bool(before) and max(scores[step] for step in late) >= max(before) + MIN_RISE * best_score


def is_patience_over(scores: Mapping[int, float], patience: int, *, greater_is_better: bool) -> bool:
    """Return whether so many scores have come since the best one, the first of equal ones.

    Example:
        >>> is_patience_over({1: 0.6, 2: 0.7, 3: 0.7, 4: 0.6}, 2, greater_is_better=True)
        True
    """
    steps, sign = sorted(scores), 1 if greater_is_better else -1
    best = max(steps, key=lambda step: sign * scores[step], default=None)
    return best is not None and len(steps) - 1 - steps.index(best) >= patience


def rate_at(
    step: int, ends: Sequence[int], *, warmup_ratio: float, schedule: Literal["linear", "cosine"]
) -> float:
    """Return the learning rate after a number of steps, as a share of its peak.

    Example:
        >>> [rate_at(step, [4, 6], warmup_ratio=0.25, schedule="linear") for step in range(6)]
        [0.0, 1.0, 0.6666666666666667, 0.33333333333333337, 0.5, 0.25]
    """
    begin = max((end for end in ends if end <= step), default=0)
    end = min((end for end in ends if end > step), default=begin + 1)
    peak, done, length = FURTHER_RATE if begin else 1.0, step - begin, end - begin
    warmup = round(warmup_ratio * length)
    if done < warmup:
        return peak * done / warmup
    progress = (done - warmup) / max(1, length - warmup)
    return peak * (1 - progress if schedule == "linear" else (1 + math.cos(math.pi * progress)) / 2)
