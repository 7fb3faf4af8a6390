"""The texts are those of ``generate`` of ``transformers``, however the rows and the cache are kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.unit.inference.decoding import tiny_seq2seq as tiny

from tinybert.inference.backends.torch import engine_of_seq2seq
from tinybert.inference.decoding import generate

SETTINGS = {
    "greedy": {},
    "greedy, no run of two twice": {"no_repeat_ngram_size": 2},
    "greedy, forced first token": {"forced_bos_token_id": 7},
    "two beams": {"num_beams": 2},
    "short texts": {"num_beams": 4, "length_penalty": 0.6},
    "long texts": {"num_beams": 4, "length_penalty": 2.0},
    "no run of two twice": {"num_beams": 4, "no_repeat_ngram_size": 2},
    "no run of three twice": {"num_beams": 2, "no_repeat_ngram_size": 3, "length_penalty": 2.0},
    "forced first token": {"num_beams": 4, "forced_bos_token_id": 7},
    "several ends": {"num_beams": 4, "eos_token_ids": (tiny.END, 5, 6, 11)},
}


def _texts(family: str, batch, **changes):
    """What ``transformers`` writes: texts with their ends, and their scores."""
    ends = list(changes.pop("eos_token_ids", (tiny.END,)))
    beams = changes.setdefault("num_beams", 1)
    with torch.no_grad():
        output = tiny.model(family).generate(
            **{name: torch.from_numpy(array) for name, array in batch.items()},
            **changes,
            num_return_sequences=beams,
            max_new_tokens=9,
            suppress_tokens=[tiny.PAD, tiny.UNUSED],
            decoder_start_token_id=tiny.STARTS[family],
            eos_token_id=ends,
            pad_token_id=tiny.PAD,
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
        )
    texts = [
        [token for token in text[1:] if token not in (tiny.PAD, *ends)] for text in output.sequences.tolist()
    ]
    return texts, output.get("sequences_scores")


@pytest.mark.parametrize("family", tiny.FAMILIES)
@pytest.mark.parametrize("name", SETTINGS)
def test_texts_and_scores_are_those_of_transformers(family: str, name: str) -> None:
    batch, changes = tiny.batch(), SETTINGS[name]
    settings = tiny.settings(family, **changes)
    rows = generate(engine_of_seq2seq(tiny.model(family)), batch, settings, num_return=settings.num_beams)
    texts, scores = _texts(family, batch, **changes)
    assert [text.token_ids for row in rows for text in row] == texts
    if scores is not None:
        np.testing.assert_allclose(
            [text.score for row in rows for text in row], scores.numpy(), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("family", tiny.FAMILIES)
@pytest.mark.parametrize("beams", [1, 3])
def test_a_cache_and_other_rows_change_nothing(family: str, beams: int) -> None:
    made, batch = tiny.model(family), tiny.batch()
    settings = tiny.settings(family, num_beams=beams)
    cached = generate(engine_of_seq2seq(made), batch, settings, num_return=beams)
    whole = generate(tiny.uncached(made), batch, settings, num_return=beams)
    alone = [
        generate(engine_of_seq2seq(made), row, settings, num_return=beams)[0] for row in _single_rows(batch)
    ]
    for other in (whole, alone):
        assert _ids(other) == _ids(cached)
        np.testing.assert_allclose(_log_probs(other), _log_probs(cached), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"num_beams": 3}, {"do_sample": True, "temperature": 0.5}])
def test_the_log_probability_is_the_models(changes) -> None:
    made, batch = tiny.model("marian"), tiny.batch()
    settings = tiny.settings("marian", **changes)
    rows = generate(engine_of_seq2seq(made), batch, settings)
    for (text,), row in zip(rows, _single_rows(batch), strict=True):
        whole = [*text.token_ids, tiny.END] if text.is_finished else text.token_ids
        (expected,) = tiny.log_probs(made, row, settings.decoder_start_token_id, [whole])
        assert text.log_prob == pytest.approx(expected, rel=1e-4)
        assert text.score == pytest.approx(expected / len(whole), rel=1e-4)


def _single_rows(batch):
    """Each row by itself, without its padding."""
    lengths = batch["attention_mask"].sum(axis=1)
    return [
        {name: array[row : row + 1, :length] for name, array in batch.items()}
        for row, length in enumerate(lengths)
    ]


def _ids(rows):
    return [text.token_ids for row in rows for text in row]


def _log_probs(rows):
    return [text.log_prob for row in rows for text in row]
