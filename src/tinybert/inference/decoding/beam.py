"""Beam search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinybert.inference.decoding.generated import Generated, generated
from tinybert.inference.decoding.logits import Ids, allowed_logits, no_token_left, top_k

if TYPE_CHECKING:
    from tinybert.inference.backends.contract import Decoder, Scores
    from tinybert.models.generation import GenerationSettings


@dataclass
class Beams:
    """The texts that are being written.

    Attributes:
        rows: (A,) The row of the batch that each belongs to.
        history: (A, K, T) What has been read, the start token included; K is 1 before the first step.
        log_probs: (A, K) Of what has been written, the largest first.
    """

    rows: Ids
    history: Ids
    log_probs: Scores


@dataclass(frozen=True)
class Candidates:
    """The best continuations of each row's beams, the largest first, N a row; each (A, N).

    Attributes:
        log_probs: Of the beam and one more token; −∞ where there is none.
        parents: The beam that is continued.
        tokens: By which token.
    """

    log_probs: Scores
    parents: Ids
    tokens: Ids


def search(decoder: Decoder, num_rows: int, settings: GenerationSettings) -> list[list[Generated]]:
    """Return up to ``num_beams`` texts of each row, the best first.

    A text ends only where its end is among the ``num_beams`` best continuations. A row is done when it has
    ``num_beams`` texts and its best beam, at its present length, is not better than the worst of them. Rows
    that are done leave the decoder.

    Source: beam search with length normalisation, arXiv:1609.08144, section 7. Differs: a text's
    log-probability is divided by ``length ** penalty``, not ``((5 + length) / 6) ** penalty``, there is no
    coverage penalty, and beams are not pruned by their distance from the best; as in ``transformers``, with
    its default ``early_stopping=False``.

    Raises:
        ModelError: No token is allowed, or the logits are not finite.
    """
    finished: list[list[Generated]] = [[] for _ in range(num_rows)]
    start = np.full((num_rows, 1, 1), settings.decoder_start_token_id, dtype=np.int64)
    beams = Beams(np.arange(num_rows), start, np.zeros((num_rows, 1), dtype=np.float32))
    for length in range(1, settings.max_new_tokens + 1):
        candidates = _continue(decoder, beams, settings)
        is_end = np.isin(candidates.tokens, settings.eos_token_ids)
        is_last = length == settings.max_new_tokens
        _finish(finished, beams, candidates, is_end | is_last, settings)
        if is_last:
            break
        num_read = beams.log_probs.size
        beams, selected = _keep(beams, candidates, is_end, finished, settings)
        if not len(beams.rows):
            break
        if not np.array_equal(selected, np.arange(num_read)):
            decoder.select(selected)
    if not all(finished):
        raise no_token_left(settings)
    return finished


def _continue(decoder: Decoder, beams: Beams, settings: GenerationSettings) -> Candidates:
    """Read the last token of each beam, and return the best continuations.

    As many that, whichever of them end a text, ``num_beams`` are left that do not.
    """
    num_rows, num_beams, length = beams.history.shape
    history = beams.history.reshape(-1, length)
    allowed, log_sum = allowed_logits(decoder.step(history[:, -1]), history, settings)
    wanted = max(2, 1 + len(settings.eos_token_ids)) * settings.num_beams
    values, tokens = top_k(allowed, min(wanted, allowed.shape[1]))
    values += (beams.log_probs.ravel() - log_sum)[:, None]
    width = values.shape[1]
    values, tokens = values.reshape(num_rows, num_beams * width), tokens.reshape(num_rows, num_beams * width)
    best = np.argsort(-values, axis=1, kind="stable")[:, :wanted]
    return Candidates(
        np.take_along_axis(values, best, axis=1), best // width, np.take_along_axis(tokens, best, axis=1)
    )


def _finish(
    finished: list[list[Generated]],
    beams: Beams,
    candidates: Candidates,
    ends: NDArray[np.bool_],
    settings: GenerationSettings,
) -> None:
    """Add the candidates that end and are among the best, and keep the best ``num_beams`` texts of a row."""
    best = slice(settings.num_beams)
    for row, rank in np.argwhere(ends[:, best] & np.isfinite(candidates.log_probs[:, best])):
        written = beams.history[row, candidates.parents[row, rank], 1:]
        tokens = [int(token) for token in (*written, candidates.tokens[row, rank])]
        texts = finished[beams.rows[row]]
        texts.append(generated(tokens, float(candidates.log_probs[row, rank]), settings))
        texts.sort(key=lambda text: -text.score)
        del texts[settings.num_beams :]


def _keep(
    beams: Beams,
    candidates: Candidates,
    is_end: NDArray[np.bool_],
    finished: list[list[Generated]],
    settings: GenerationSettings,
) -> tuple[Beams, Ids]:
    """Return the best ``num_beams`` candidates of each row that is not done, and what rows they continue."""
    log_probs = np.where(is_end, np.float32(-np.inf), candidates.log_probs)
    best = np.argsort(-log_probs, axis=1, kind="stable")[:, : settings.num_beams]
    log_probs = np.take_along_axis(log_probs, best, axis=1)
    parents = np.take_along_axis(candidates.parents, best, axis=1)
    tokens = np.take_along_axis(candidates.tokens, best, axis=1)
    _, num_beams, length = beams.history.shape
    is_open = np.array(
        [
            not _is_done(finished[row], highest / length**settings.length_penalty, settings)
            for row, highest in zip(beams.rows, log_probs[:, 0], strict=True)
        ],
        dtype=bool,
    )
    places = np.flatnonzero(is_open)[:, None]
    history = beams.history[places, parents[is_open]]
    history = np.concatenate([history, tokens[is_open][:, :, None]], axis=2)
    selected = places * num_beams + parents[is_open]
    return Beams(beams.rows[is_open], history, log_probs[is_open]), selected.ravel()


def _is_done(texts: list[Generated], highest: float, settings: GenerationSettings) -> bool:
    """Say whether a row's best beam, with this score now, has no continuation or no use."""
    if np.isneginf(highest):
        return True
    return len(texts) == settings.num_beams and highest <= texts[-1].score
