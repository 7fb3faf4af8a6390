"""One text a row, a token at a time: the likeliest, or whatever a function chooses."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import numpy as np

from tinybert.inference.decoding.generated import Generated, generated
from tinybert.inference.decoding.logits import Ids, allowed_logits, no_token_left

if TYPE_CHECKING:
    from tinybert.inference.backends.contract import Decoder, Scores
    from tinybert.models.generation import GenerationSettings

    Choose = Callable[[Scores, Ids, int], Ids]
    """Logits of allowed tokens (A, V), their rows (A,), how many tokens these have → a token each (A,)."""


def likeliest(logits: Scores, rows: Ids, position: int) -> Ids:
    """Choose the token with the highest logit: greedy decoding."""
    return logits.argmax(axis=1)


def write_rows(
    decoder: Decoder,
    num_rows: int,
    settings: GenerationSettings,
    *,
    choose: Choose = likeliest,
) -> list[Generated]:
    """Write one text a row; rows that have ended leave the decoder.

    Args:
        decoder: Over so many rows.
        num_rows: Of the decoder.
        settings: Of decoding.
        choose: Takes one token a row.

    Raises:
        ModelError: No token is allowed, or the logits are not finite.
    """
    steps = write_steps(decoder, num_rows, settings, choose=choose)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def write_steps(
    decoder: Decoder, num_rows: int, settings: GenerationSettings, *, choose: Choose = likeliest
) -> Generator[list[int], None, list[Generated]]:
    """Write one text a row, as :func:`write_rows`: a token of each at a time.

    Yields:
        The first row's tokens so far, without the end; none where it has ended.

    Returns:
        The texts.

    Raises:
        ModelError: No token is allowed, or the logits are not finite.
    """
    rows = np.arange(num_rows)
    history = np.full(
        (num_rows, settings.max_new_tokens + 1), settings.decoder_start_token_id, dtype=np.int64
    )
    log_probs = np.zeros(num_rows)
    lengths = np.zeros(num_rows, dtype=np.int64)
    for position in range(settings.max_new_tokens):
        logits = decoder.step(history[rows, position])
        allowed, log_sum = allowed_logits(logits, history[rows, : position + 1], settings)
        if np.isneginf(allowed.max(axis=1)).any():
            raise no_token_left(settings)
        tokens = choose(allowed, rows, position)
        log_probs[rows] += allowed[np.arange(len(rows)), tokens] - log_sum
        history[rows, position + 1] = tokens
        lengths[rows] += 1
        is_end = np.isin(tokens, settings.eos_token_ids)
        is_written = rows[0] == 0 and not is_end[0]
        yield [int(token) for token in history[0, 1 : position + 2]] if is_written else []
        if is_end.all():
            break
        if is_end.any():
            decoder.select(np.flatnonzero(~is_end))
            rows = rows[~is_end]
    return [
        generated([int(token) for token in history[row, 1 : length + 1]], float(log_probs[row]), settings)
        for row, length in enumerate(lengths)
    ]
