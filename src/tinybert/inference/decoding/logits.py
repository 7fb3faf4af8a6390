"""From logits to log-probabilities of the tokens that are allowed, and the best of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tinybert.errors import ModelError

if TYPE_CHECKING:
    from tinybert.inference.backends.contract import Scores
    from tinybert.models.generation import GenerationSettings

Ids = NDArray[np.int64]

BLOCK = 16
"""Columns whose maximum is taken first by :func:`top_k`."""


def allowed_logits(logits: Scores, history: Ids, settings: GenerationSettings) -> tuple[Scores, Scores]:
    """Return the logits, −∞ for tokens that are not allowed, and what makes them log-probabilities.

    ``log_prob(token) = allowed[token] - log_sum[:, None]``. What is not allowed keeps its share of the
    probability, as in ``transformers``: the rest does not add up to 1.

    Args:
        logits: (R, V); not changed.
        history: (R, T), what has been read so far, the start token included.
        settings: What is not allowed, and the forced first token: it has log-probability 0.

    Returns:
        (R, V), maybe ``logits`` itself, and (R,).

    Raises:
        ModelError: The logits are not finite numbers.
    """
    log_sum = log_sum_exp(logits)
    if not np.isfinite(log_sum).all():
        raise ModelError(
            "the decoder",
            f"outputs logits that are not finite numbers (NaN or infinite) at token {history.shape[1]}; "
            "its weights are damaged or diverged in training, or overflow in this precision: use fp32",
        )
    if history.shape[1] == 1 and settings.forced_bos_token_id is not None:
        allowed = np.full_like(logits, -np.inf)
        allowed[:, settings.forced_bos_token_id] = 0
        return allowed, np.zeros_like(log_sum)
    size = settings.no_repeat_ngram_size
    if not settings.suppressed_token_ids and not size:
        return logits, log_sum
    allowed = logits.copy()
    allowed[:, list(settings.suppressed_token_ids)] = -np.inf
    if size:
        block_ngrams(allowed, history[:, 1:] if size == 1 else history, size)
    return allowed, log_sum


def log_sum_exp(logits: Scores) -> Scores:
    """Return log Σ exp of each row of (R, V); not finite where a logit is NaN or +∞, or all are −∞."""
    highest = logits.max(axis=1)
    with np.errstate(invalid="ignore"):
        scratch = np.subtract(logits, highest[:, None])
        np.exp(scratch, out=scratch)
        return highest + np.log(scratch.sum(axis=1))


def block_ngrams(logits: Scores, history: Ids, size: int) -> None:
    """Set the tokens to −∞, in place, that would make a run of ``size`` tokens come twice in a text.

    Source: n-gram blocking, arXiv:1705.04304, section 2.5 (there of trigrams). Differs: the start token
    belongs to the text, as in ``transformers``, but for ``size`` 1: where it is the end token too (BART),
    no text would end.

    Args:
        logits: (R, V).
        history: (R, T).
        size: Tokens of a run.
    """
    if history.shape[1] < size:
        return
    runs = sliding_window_view(history, size, axis=1)
    last = history[:, history.shape[1] - size + 1 :]
    rows, starts = np.nonzero((runs[..., :-1] == last[:, None]).all(axis=2))
    logits[rows, runs[rows, starts, -1]] = -np.inf


def top_k(values: Scores, k: int) -> tuple[Scores, Ids]:
    """Return the k largest of each row, the largest first, and their columns. Exact.

    The k largest lie in the k blocks of columns with the largest maxima. Block j holds every n-th column
    from j on, so that the maxima are taken of whole vectors; only the columns of k blocks, and those behind
    the last whole block, are then partitioned.

    Args:
        values: (R, V), no NaN.
        k: At most V.

    Returns:
        Values and columns, each (R, k).
    """
    rows, width = values.shape
    num_blocks = width // BLOCK
    if num_blocks <= 2 * k:
        columns = np.broadcast_to(np.arange(width), (rows, width))
        return _largest(values, columns, k)
    whole = num_blocks * BLOCK
    maxima = values[:, :whole].reshape(rows, BLOCK, num_blocks).max(axis=1)
    blocks = np.argpartition(maxima, -k, axis=1)[:, -k:]
    columns = (blocks[:, :, None] + num_blocks * np.arange(BLOCK)).reshape(rows, k * BLOCK)
    rest = np.broadcast_to(np.arange(whole, width), (rows, width - whole))
    columns = np.concatenate([columns, rest], axis=1)
    return _largest(np.take_along_axis(values, columns, axis=1), columns, k)


def _largest(values: Scores, columns: Ids, k: int) -> tuple[Scores, Ids]:
    if k < values.shape[1]:
        best = np.argpartition(values, -k, axis=1)[:, -k:]
        values, columns = np.take_along_axis(values, best, axis=1), np.take_along_axis(columns, best, axis=1)
    order = np.argsort(-values, axis=1)
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(columns, order, axis=1)


def no_token_left(settings: GenerationSettings) -> ModelError:
    """Return what is raised where no token is allowed."""
    return ModelError(
        "decoding",
        f"no token is left to write: suppressed_token_ids ({len(settings.suppressed_token_ids):,}) and "
        f"no_repeat_ngram_size = {settings.no_repeat_ngram_size} forbid all; suppress fewer, "
        "or raise no_repeat_ngram_size (0: no limit)",
    )
