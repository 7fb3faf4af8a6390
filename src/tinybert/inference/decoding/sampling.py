"""Draw each token at random, with a temperature, from the likeliest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinybert.inference.backends.contract import Scores
from tinybert.inference.decoding.greedy import Choose
from tinybert.inference.decoding.logits import Ids

if TYPE_CHECKING:
    from tinybert.models.generation import GenerationSettings


def sampler(num_rows: int, settings: GenerationSettings, rng: np.random.Generator) -> Choose:
    """Return what draws a token a row.

    All random numbers are taken from ``rng`` here, row by row: a row's text does not depend on when others end,
    nor on how rows are cut into batches that use one generator in turn.
    """
    draws = rng.random((num_rows, settings.max_new_tokens))

    def draw(logits: Scores, rows: Ids, position: int) -> Ids:
        tokens, cumulative = nucleus(logits, temperature=settings.temperature, top_p=settings.top_p)
        total = cumulative[:, -1]
        aims = np.minimum(draws[rows, position] * total, np.nextafter(total, 0))  # below it, however rounded
        picked = (cumulative <= aims[:, None]).sum(axis=1)
        return tokens[np.arange(len(rows)), picked]

    return draw


def nucleus(logits: Scores, *, temperature: float, top_p: float) -> tuple[Ids, NDArray[np.float64]]:
    """Return the tokens to draw from, the likeliest first, and their cumulative probabilities.

    Source: nucleus sampling, arXiv:1904.09751: the fewest likeliest tokens whose probabilities add up to
    ``top_p`` or more, at least one. The temperature is applied before.

    Args:
        logits: (A, V); −∞ where a token is not allowed.
        temperature: Divides the logits.
        top_p: From 0 to 1.

    Returns:
        Tokens (A, V), and the sums of their probabilities (A, V), which no longer rise after the last of the
        nucleus; not scaled to 1.
    """
    order = np.argsort(-logits, axis=1, kind="stable")
    ranked = np.take_along_axis(logits, order, axis=1).astype(np.float64)
    with np.errstate(invalid="ignore"):  # no token is allowed: the caller refuses
        ranked -= ranked[:, :1]
    ranked /= temperature
    np.exp(ranked, out=ranked)
    ranked /= ranked.sum(axis=1, keepdims=True)
    if top_p < 1:
        before = np.cumsum(ranked, axis=1) - ranked
        ranked[:, 1:][before[:, 1:] >= top_p] = 0
    return order, np.cumsum(ranked, axis=1)
