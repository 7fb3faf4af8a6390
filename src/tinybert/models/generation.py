"""How a decoder writes: the settings of decoding, and the tokens that begin and end a text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from transformers import GenerationConfig, PreTrainedConfig

from tinybert.errors import ModelError


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


def load_generation_config(path: str | Path) -> GenerationConfig | None:
    """Read the generation config of a checkpoint's folder or hub name; None where it has none."""
    try:
        return GenerationConfig.from_pretrained(str(path))
    except OSError:
        return None


def generation_settings_of(
    config: PreTrainedConfig, generation_config: GenerationConfig | None = None, **changes: Any
) -> GenerationSettings:
    """Return how a model writes.

    Args:
        config: Of the model.
        generation_config: What it holds goes before the config.
        changes: Settings that are not the model's own.

    Raises:
        ModelError: Neither says what a decoder begins, ends or pads with.
    """

    def read(name: str) -> Any:
        value = getattr(generation_config, name, None)
        return getattr(config, name, None) if value is None else value

    start, end, pad = read("decoder_start_token_id"), read("eos_token_id"), read("pad_token_id")
    ends = tuple(end) if isinstance(end, list | tuple) else () if end is None else (end,)
    missing = [
        n
        for n, v in (("decoder_start_token_id", start), ("eos_token_id", ends or None), ("pad_token_id", pad))
        if v is None
    ]
    if missing:
        raise ModelError("config.json", f"{', '.join(missing)}: missing; a decoder needs it: set it there")
    longest = getattr(getattr(config, "decoder", config), "max_position_embeddings", None)
    if longest is not None and "max_new_tokens" in changes:
        changes["max_new_tokens"] = min(changes["max_new_tokens"], longest - 1)
    return GenerationSettings(decoder_start_token_id=start, eos_token_ids=ends, pad_token_id=pad, **changes)
