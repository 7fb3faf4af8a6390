"""Encoder–decoders in ONNX Runtime, from the files that transformers.js and Optimum load.

``onnx/encoder_model.onnx`` is the encoder, ``onnx/decoder_model_merged.onnx`` the decoder. With
``use_cache_branch`` false it reads the encoder's output and returns all its caches. With true it reads these
and returns those of its self-attention, longer by what was read; the keys and values of the encoder's output
stay what they are, and of them it returns nothing (length 0).

Shapes: R rows, S tokens of a padded text, H heads, P tokens read so far, d width of a head, V pieces.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from tinybert.inference.backends.contract import Decoder, Loading, Precision, Scores, Seq2SeqEngine, Tokens
from tinybert.inference.backends.onnx_file import open_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

ENCODER, DECODER = "encoder_model", "decoder_model_merged"
ENDINGS: dict[Precision, str] = {"fp32": "", "int8": "_quantized"}
SEQ2SEQ_FILES: dict[Precision, tuple[str, str]] = {
    precision: (f"onnx/{ENCODER}{ending}.onnx", f"onnx/{DECODER}{ending}.onnx")
    for precision, ending in ENDINGS.items()
}
ENCODER_READS, ENCODER_WRITES = ("input_ids", "attention_mask"), ("last_hidden_state",)
DECODER_READS = ("input_ids", "encoder_attention_mask", "encoder_hidden_states")
USE_CACHE = "use_cache_branch"
PAST, PRESENT = "past_key_values", "present"


def cache_names(kind: str, num_layers: int) -> list[str]:
    """Return the names of a decoder's caches; kind: ``past_key_values`` for its inputs, or ``present``."""
    return [
        f"{kind}.{layer}.{side}.{part}"
        for layer in range(num_layers)
        for side in ("decoder", "encoder")
        for part in ("key", "value")
    ]


class OnnxDecoder:
    """The decoder over one encoded batch.

    Args:
        session: The decoder's.
        states: The encoder's output, (R, S, D).
        mask: Which of its tokens are real, (R, S).
    """

    def __init__(self, session: InferenceSession, states: Scores, mask: NDArray[np.int64]) -> None:
        self._session = session
        self._states, self._mask = states, mask
        self._texts = np.arange(len(states))
        caches = [each for each in session.get_inputs() if each.name.startswith(PAST)]
        self._past: dict[str, Scores] = {
            each.name: np.zeros((len(states), each.shape[1], 0, each.shape[3]), np.float32) for each in caches
        }
        self._started = False

    def step(self, tokens: NDArray[np.int64]) -> Scores:
        """Read one more token a row, (R,), and return the logits of the next one, (R, V)."""
        names = [name for name in self._past if not (self._started and ".encoder." in name)]
        read = dict(zip(DECODER_READS, (tokens[:, None], self._mask, self._states), strict=True))
        outputs = self._session.run(
            ["logits", *(name.replace(PAST, PRESENT) for name in names)],
            read | self._past | {USE_CACHE: np.array([self._started])},
        )
        logits, *caches = cast("list[Scores]", outputs)
        self._past.update(zip(names, caches, strict=True))
        self._started = True
        return logits[:, -1]

    def select(self, rows: NDArray[np.int64]) -> None:
        """Continue with these rows, in this order.

        What comes from the text is only moved where a row gets another text: the beams of one share it.
        """
        texts = self._texts[rows]
        same = np.array_equal(texts, self._texts)
        if not same:
            self._texts, self._mask, self._states = texts, self._mask[rows], self._states[rows]
        for name, cache in self._past.items():
            if not (same and ".encoder." in name):
                self._past[name] = cache[rows]


def load_seq2seq(folder: Path, precision: Precision, loading: Loading) -> Seq2SeqEngine:
    """Load the encoder and the decoder of an export."""
    encoder, decoder = (open_session(folder / file, loading) for file in SEQ2SEQ_FILES[precision])

    def encode(batch: Tokens) -> Decoder:
        outputs = encoder.run(list(ENCODER_WRITES), {name: batch[name] for name in ENCODER_READS})
        return OnnxDecoder(decoder, cast(Scores, outputs[0]), batch["attention_mask"])

    return encode
