"""One text that a decoder wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinybert.models.generation import GenerationSettings


@dataclass(frozen=True)
class Generated:
    """One text that a decoder wrote.

    Attributes:
        token_ids: Its tokens, without those that start and end it.
        log_prob: Sum of the model's log-probabilities of its tokens, that of its end included; a forced first
            token counts 0. Temperature, top-p and tokens that are not allowed do not change it.
        score: ``log_prob / number of tokens ** length_penalty``, the end included; texts are ranked by it.
        is_finished: It ended by itself; otherwise it was cut after ``max_new_tokens``.
    """

    token_ids: list[int]
    log_prob: float
    score: float
    is_finished: bool


def generated(tokens: Sequence[int], log_prob: float, settings: GenerationSettings) -> Generated:
    """Return a text from its tokens, the end included where it has one."""
    is_finished = tokens[-1] in settings.eos_token_ids
    token_ids = list(tokens[:-1] if is_finished else tokens)
    score = log_prob / len(tokens) ** settings.length_penalty
    return Generated(token_ids, log_prob, score, is_finished)
