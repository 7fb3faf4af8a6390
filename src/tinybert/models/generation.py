"""How a decoder writes: the settings of decoding, and the tokens that begin and end a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

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
    config: PreTrainedConfig, generation_config: GenerationConfig | None = None, **changes: object
) -> GenerationSettings:
    """Return how a checkpoint's own files say that it writes.

    A key is looked for in ``generation_config``, then in ``config``, then in its decoder's config. Read are
    the special tokens, ``num_beams``, ``length_penalty``, ``no_repeat_ngram_size`` and ``max_new_tokens`` or
    ``max_length``, at most what the decoder's table of positions holds; tokens that are never written come
    from ``suppress_tokens`` and ``bad_words_ids``.

    Differs from ``generate`` of ``transformers``: ``early_stopping``, ``min_length``,
    ``forced_eos_token_id``, penalties of repetition and the settings of sampling are not read; a text has
    128 tokens at most, not 20, where nothing is said.

    Args:
        config: Of the model.
        generation_config: Of the model, where it has one.
        changes: Settings by their names in :class:`GenerationSettings`, in place of what is found.

    Raises:
        ModelError: The start or the end token is missing, a token is not in the vocabulary, or a bad word has
            several tokens.
    """
    from tinybert.models.start.initialise import num_positions

    decoder = config.get_text_config(decoder=True)
    sources = (generation_config, config, decoder)
    values = {**_found(sources), **changes}
    positions = num_positions(decoder)
    if positions is not None:
        longest = cast(int, values.get("max_new_tokens", GenerationSettings.max_new_tokens))
        values["max_new_tokens"] = min(longest, positions)
    problems = [
        *_missing(values),
        *_outside(values, getattr(decoder, "vocab_size", None)),
        *_long_words(sources),
    ]
    if problems:
        raise ModelError(config.name_or_path or config.model_type, problems)
    return GenerationSettings(**cast("dict[str, Any]", values))


def _given(sources: Sequence[object], key: str) -> Any:  # noqa: ANN401  # what a JSON file holds
    """Return what the first of several configs that says anything says."""
    return next((value for each in sources if (value := getattr(each, key, None)) is not None), None)


def _found(sources: Sequence[object]) -> dict[str, object]:
    """Return what configs say, by the names of the settings; without those that they say nothing of."""
    eos, pad = _given(sources, "eos_token_id"), _given(sources, "pad_token_id")
    start, length = _given(sources, "decoder_start_token_id"), _given(sources, "max_length")
    ends = tuple(eos) if isinstance(eos, list | tuple) else () if eos is None else (eos,)
    bad_words = (word for words in _given(sources, "bad_words_ids") or () for word in words)
    suppressed = [
        *(_given(sources, "suppress_tokens") or ()),
        *(word for word in bad_words if word not in ends),
    ]
    found = {
        "decoder_start_token_id": _given(sources, "bos_token_id") if start is None else start,
        "eos_token_ids": ends or None,
        "pad_token_id": ends[0] if pad is None and ends else pad,
        "suppressed_token_ids": tuple(dict.fromkeys(suppressed)),
        # max_length counts the start token
        "max_new_tokens": _given(sources, "max_new_tokens") or (max(length - 1, 1) if length else None),
    }
    same = ("forced_bos_token_id", "num_beams", "length_penalty", "no_repeat_ngram_size")
    found |= {key: _given(sources, key) for key in same}
    return {name: value for name, value in found.items() if value is not None}


def _missing(values: Mapping[str, object]) -> list[str]:
    needed = {
        "decoder_start_token_id": ("decoder_start_token_id", "the decoder reads first (BERT: that of [CLS])"),
        "eos_token_ids": ("eos_token_id", "ends a text (BERT: that of [SEP])"),
    }
    return [
        f"{key}: missing; set it in generation_config.json to the token that {what}"
        for name, (key, what) in needed.items()
        if values.get(name) in (None, ())
    ]


def _outside(values: Mapping[str, object], vocab_size: int | None) -> list[str]:
    """Name the tokens that a decoder's vocabulary lacks."""
    names = ("decoder_start_token_id", "eos_token_ids", "forced_bos_token_id", "suppressed_token_ids")
    tokens = {name: values[name] for name in names if values.get(name) is not None}
    wrong = {
        name: [
            each for each in (value if isinstance(value, tuple) else (value,)) if not _is_in(each, vocab_size)
        ]
        for name, value in tokens.items()
    }
    return [
        f"{name} = {', '.join(map(str, outside[:3]))}: the decoder's vocabulary has {vocab_size:,} tokens, "
        f"from 0 to {vocab_size - 1}; give one of them in generation_config.json"
        for name, outside in wrong.items()
        if outside and vocab_size is not None
    ]


def _is_in(token: object, vocab_size: int | None) -> bool:
    return vocab_size is None or (isinstance(token, int) and 0 <= token < vocab_size)


def _long_words(sources: Sequence[object]) -> list[str]:
    long = [words for words in _given(sources, "bad_words_ids") or () if len(words) > 1]
    if not long:
        return []
    return [
        f"bad_words_ids: {long[0]} has {len(long[0])} tokens; only single tokens can be forbidden: "
        "remove it from generation_config.json"
    ]
