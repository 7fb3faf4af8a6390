from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.unit.inference.decoding import tiny_seq2seq as tiny

from tinybert.inference.backends.contract import Loading
from tinybert.inference.backends.torch import TORCH, engine_of_seq2seq
from tinybert.inference.decoding import generate
from tinybert.models.generation import generation_settings_of

LOADING = Loading(num_workers=1, num_threads=1)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_saved_model_writes_the_same(family: str, tmp_path: Path) -> None:
    made, batch = tiny.model(family), tiny.batch()
    made.save_pretrained(tmp_path)
    assert TORCH.load_seq2seq
    engine = TORCH.load_seq2seq(tmp_path, "fp32", LOADING)
    settings = generation_settings_of(made.config, made.generation_config, num_beams=2, max_new_tokens=9)
    assert generate(engine, batch, settings) == generate(engine_of_seq2seq(made), batch, settings)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_in_bf16_the_logits_are_close(family: str, tmp_path: Path) -> None:
    made, batch = tiny.model(family), tiny.batch()
    made.save_pretrained(tmp_path)
    assert TORCH.load_seq2seq
    start = np.full(4, tiny.STARTS[family])
    close = TORCH.load_seq2seq(tmp_path, "bf16", LOADING)(batch).step(start)
    exact = engine_of_seq2seq(made)(batch).step(start)
    assert close.dtype == np.float32
    assert 0 < np.abs(close - exact).max() < 0.1 * np.abs(exact).max()


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_selected_rows_continue_what_they_have_read(family: str) -> None:
    made, batch = tiny.model(family), tiny.batch()
    both = [engine(batch) for engine in (engine_of_seq2seq(made), tiny.uncached(made))]
    # repeated before and after the first token; other places of one source; fewer; another order
    picks = [[0, 0, 1, 1, 3, 3], [1, 1, 2, 3, 5, 4], [1, 0, 2, 3, 5, 4], [4, 0, 2], [2, 1, 0, 0]]
    for number, rows in enumerate(picks):
        if number:
            logits = [decoder.step(np.arange(len(picks[number - 1])) + 3) for decoder in both]
            np.testing.assert_allclose(*logits, rtol=1e-3, atol=1e-4)
        for decoder in both:
            decoder.select(np.array(rows))
