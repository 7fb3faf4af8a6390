"""Write texts for a batch."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinybert.errors import ModelError
from tinybert.inference.decoding.beam import search
from tinybert.inference.decoding.generated import Generated
from tinybert.inference.decoding.greedy import likeliest, write_rows, write_steps
from tinybert.inference.decoding.sampling import sampler

if TYPE_CHECKING:
    from tinybert.inference.backends.contract import Seq2SeqEngine, Tokens
    from tinybert.models.generation import GenerationSettings

LEAST_TEMPERATURE = 0.001


def generate(
    engine: Seq2SeqEngine,
    batch: Tokens,
    settings: GenerationSettings,
    *,
    num_return: int = 1,
    rng: np.random.Generator | Sequence[np.random.Generator] | None = None,
) -> list[list[Generated]]:
    """Write texts for a batch: greedily, by beam search, or drawn at random.

    Args:
        engine: The model.
        batch: Its rows.
        settings: How it writes.
        num_return: Texts a row: of its beams, or drawn.
        rng: For drawing; None starts from seed 0. Batches that share one give the same texts however the rows
            are cut into batches; so do several, one for each text, those of a row beside each other.

    Returns:
        For each row its texts, the best first by their score. Beam search may find fewer than ``num_return``
        where the vocabulary allows no more.

    Raises:
        ModelError: The settings contradict each other, no token is allowed, or the logits are not finite.
    """
    num_rows = len(batch["input_ids"])
    _check(settings, num_return=num_return)
    if not num_rows:
        return []
    decoder = engine(batch)
    if settings.num_beams > 1:
        return [texts[:num_return] for texts in search(decoder, num_rows, settings)]
    choose = likeliest
    if settings.do_sample:
        choose = sampler(num_rows * num_return, settings, rng or np.random.default_rng(0))
    if num_return > 1:
        decoder.select(np.repeat(np.arange(num_rows), num_return))
    texts = write_rows(decoder, num_rows * num_return, settings, choose=choose)
    each = (texts[first : first + num_return] for first in range(0, len(texts), num_return))
    return [sorted(group, key=lambda text: -text.score) for group in each]


def stream(
    engine: Seq2SeqEngine,
    batch: Tokens,
    settings: GenerationSettings,
    *,
    rng: np.random.Generator | Sequence[np.random.Generator] | None = None,
) -> Generator[list[int], None, Generated]:
    """Write the text of one row without beams, a token at a time.

    Yields:
        All token ids so far, after each but the end.

    Returns:
        The text, the same as :func:`generate` writes.

    Raises:
        ModelError: The settings contradict each other, no token is allowed, or the logits are not finite.
    """
    _check(settings, num_return=1, num_rows=len(batch["input_ids"]))
    choose = sampler(1, settings, rng or np.random.default_rng(0)) if settings.do_sample else likeliest
    steps = write_steps(engine(batch), 1, settings, choose=choose)
    while True:
        try:
            tokens = next(steps)
        except StopIteration as end:
            return end.value[0]
        if tokens:
            yield tokens


def _check(settings: GenerationSettings, *, num_return: int, num_rows: int | None = None) -> None:
    """Refuse settings that contradict each other; ``num_rows`` where one row is to be streamed."""
    beams, sampled = settings.num_beams, settings.do_sample
    lowest = {"max_new_tokens": 1, "num_beams": 1, "no_repeat_ngram_size": 0}
    problems = [
        f"{name} = {getattr(settings, name)}: give {least} or more"
        for name, least in lowest.items()
        if getattr(settings, name) < least
    ]
    if not settings.temperature >= LEAST_TEMPERATURE:
        fix = f"give {LEAST_TEMPERATURE} or more, or set do_sample to false for the likeliest token"
        problems.append(f"temperature = {settings.temperature}: {fix}")
    if not 0 <= settings.top_p <= 1:
        problems.append(f"top_p = {settings.top_p}: give a number from 0 to 1")
    if sampled and beams > 1:
        problems.append(f"do_sample with num_beams = {beams}: set num_beams to 1, or do_sample to false")
    if num_return < 1:
        problems.append(f"num_return = {num_return}: give 1 or more")
    if num_return > beams and not sampled:
        problems.append(
            f"num_return = {num_return} of num_beams = {beams}: give num_beams of {num_return} or more, "
            "or do_sample"
        )
    if num_rows is not None and (num_rows, num_return, beams) != (1, 1, 1):
        problems.append(
            f"streaming of {num_rows} rows, num_return = {num_return} and num_beams = {beams}: only one text "
            "of one row can be streamed, without beams"
        )
    if problems:
        raise ModelError("decoding", problems)
