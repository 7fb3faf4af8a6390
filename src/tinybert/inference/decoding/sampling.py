"""Draw each token at random, with a temperature, from the likeliest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinybert.inference.decoding.logits import top_k

if TYPE_CHECKING:
    from tinybert.inference.backends.contract import Scores
    from tinybert.inference.decoding.greedy import Choose
    from tinybert.inference.decoding.logits import Ids
    from tinybert.models.generation import GenerationSettings

FEW = 64
"""Tokens that the nucleus is first looked for among; most often they hold it."""


def sampler(
    num_rows: int,
    settings: GenerationSettings,
    rng: np.random.Generator | Sequence[np.random.Generator],
) -> Choose:
    """Return what draws a token a row.

    All random numbers are taken from ``rng`` here, row by row: a row's text does not depend on when others
    end, nor on how rows are cut into batches that use one generator in turn, or bring one
    for each row.
    """
    length = settings.max_new_tokens
    if isinstance(rng, np.random.Generator):
        draws = rng.random((num_rows, length))
    else:
        draws = np.stack([each.random(length) for each in rng])

    def draw(logits: Scores, rows: Ids, position: int) -> Ids:
        shares = softmax(logits, settings.temperature)
        if settings.top_p < 1:
            shares = nucleus(shares, settings.top_p)
        cumulative = np.cumsum(shares, axis=1, dtype=np.float64)
        total = cumulative[:, -1]
        aims = np.minimum(draws[rows, position] * total, np.nextafter(total, 0))  # below it, however rounded
        return (cumulative <= aims[:, None]).sum(axis=1)

    return draw


def softmax(logits: Scores, temperature: float) -> Scores:
    """Return the probabilities of (A, V), with the logits divided by the temperature."""
    shares = logits - logits.max(axis=1, keepdims=True)
    shares /= np.float32(temperature)
    np.exp(shares, out=shares)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def nucleus(shares: Scores, top_p: float) -> Scores:
    """Return probabilities (A, V) with 0 outside the nucleus; they are not scaled to 1 again.

    Source: nucleus sampling, arXiv:1904.09751, section 3.1: the fewest likeliest tokens whose probabilities
    add up to ``top_p`` or more, at least one.
    """
    width = shares.shape[1]
    ranked, tokens = top_k(shares, min(FEW, width))
    if (ranked.sum(axis=1) < top_p).any():
        ranked, tokens = top_k(shares, width)
    before = np.cumsum(ranked, axis=1) - ranked
    ranked[:, 1:][before[:, 1:] >= top_p] = 0
    kept = np.zeros_like(shares)
    np.put_along_axis(kept, tokens, ranked, axis=1)
    return kept
