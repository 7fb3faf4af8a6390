"""The decoder of an ONNX export against that of the model in torch, which reads all tokens at every step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests import encdec

from tinybert.inference.backends.contract import Decoder, Loading, Precision
from tinybert.inference.backends.onnx_seq2seq import load_seq2seq

ORDER = np.array([4, 1, 1, 0])
"""In the middle: rows change places, one is left out, one comes twice."""


class Whole:
    """A decoder without a cache."""

    def __init__(self) -> None:
        self.model, batch = encdec.make_model(), encdec.make_batch()
        self.mask = batch["attention_mask"]
        with torch.inference_mode():
            hidden = self.model.encoder(**batch)[0]
            self.hidden = self.model.enc_to_dec_proj(hidden)
        self.read = torch.zeros(len(hidden), 0, dtype=torch.int64)

    def step(self, tokens: np.ndarray) -> np.ndarray:
        self.read = torch.cat([self.read, torch.from_numpy(tokens)[:, None]], dim=1)
        with torch.inference_mode():
            output = self.model.decoder(
                self.read, encoder_hidden_states=self.hidden, encoder_attention_mask=self.mask
            )
        return output.logits[:, -1].numpy()

    def select(self, rows: np.ndarray) -> None:
        self.read, self.hidden, self.mask = self.read[rows], self.hidden[rows], self.mask[rows]


def loaded(folder: Path, precision: Precision) -> Decoder:
    engine = load_seq2seq(folder, precision, Loading(1, 1))
    return engine({name: values.numpy() for name, values in encdec.make_batch().items()})


def steps(decoder: Decoder, tokens: list[np.ndarray]) -> list[np.ndarray]:
    """Return the logits of each step; the rows are selected after the fourth."""
    logits: list[np.ndarray] = []
    for index, read in enumerate(tokens):
        logits.append(decoder.step(read))
        if index == 3:
            decoder.select(ORDER)
    return logits


@pytest.fixture(scope="module")
def reference() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What is read at each step, greedily chosen by the model, and its logits."""
    whole, read, logits = Whole(), [np.full(5, 2)], []
    for index in range(9):
        logits.append(whole.step(read[-1]))
        chosen = logits[-1].argmax(1)
        if index == 3:
            whole.select(ORDER)
            chosen = chosen[ORDER]
        read.append(chosen)
    return read[:-1], logits


def test_every_step_gives_the_logits_and_tokens_of_the_model(
    exported_seq2seq: Path, reference: tuple[list[np.ndarray], list[np.ndarray]]
) -> None:
    read, expected = reference
    logits = steps(loaded(exported_seq2seq, "fp32"), read)
    for own, other in zip(logits, expected, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-4, rtol=0)
        assert own.argmax(1).tolist() == other.argmax(1).tolist()
    assert len({tuple(each.argmax(1)) for each in expected}) > 3  # the texts are no one token over and over


def test_int8_is_near_the_model(
    exported_seq2seq: Path, reference: tuple[list[np.ndarray], list[np.ndarray]]
) -> None:
    read, expected = reference
    for own, other in zip(steps(loaded(exported_seq2seq, "int8"), read), expected, strict=True):
        assert np.corrcoef(own.ravel(), other.ravel())[0, 1] > 0.995


def test_greedy_texts_are_those_that_transformers_generates(exported_seq2seq: Path) -> None:
    written = encdec.make_model().generate(
        **encdec.make_batch(), max_new_tokens=10, num_beams=1, do_sample=False, eos_token_id=-1
    )
    decoder, read = loaded(exported_seq2seq, "fp32"), [np.full(5, 2)]
    for _ in range(10):
        read.append(decoder.step(read[-1]).argmax(1))
    assert np.stack(read, axis=1).tolist() == written.tolist()
