"""How a decoder writes: the settings of decoding, and the tokens that begin and end a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class NewDecoder:
    """How a decoder is made beside an encoder.

    Attributes:
        num_layers: None: a third of the encoder's, one at least. Time goes where texts are written.
        start: ``encoder``: its layers begin as copies of the encoder's, but for cross-attention; ``random``.
    """

    num_layers: int | None = None
    start: Literal["encoder", "random"] = "encoder"


@dataclass(frozen=True, kw_only=True)
class GenerationSettings:
    """Settings of decoding, named as in ``transformers.GenerationConfig``.

    Attributes:
        decoder_start_token_id: The token that the decoder reads first; it is not part of what is written.
        eos_token_ids: Tokens that end a text.
        pad_token_id: What fills the rows of a batch behind their end.
        forced_bos_token_id: The first token of every text (mBART's language); None: whatever is likeliest.
        suppressed_token_ids: Tokens that are never written.
        max_new_tokens: Most tokens of a text, its end included. A text that has not ended by then is cut.
        num_beams: Beams of a row; 1: greedy, or sampling.
        length_penalty: A beam's sum of log-probabilities is divided by ``length ** length_penalty``.
        no_repeat_ngram_size: No run of so many tokens comes twice in a text; 0: allowed.
        do_sample: Draw each token at random; only with one beam.
        temperature: Of the drawing.
        top_p: Tokens are drawn from the likeliest whose probabilities add up to this; 1: all.
    """

    decoder_start_token_id: int
    eos_token_ids: tuple[int, ...]
    pad_token_id: int
    forced_bos_token_id: int | None = None
    suppressed_token_ids: tuple[int, ...] = ()
    max_new_tokens: int = 128
    num_beams: int = 1
    length_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    do_sample: bool = False
    temperature: float = 1.0
    top_p: float = 1.0
