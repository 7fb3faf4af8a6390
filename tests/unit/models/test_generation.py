from __future__ import annotations

import pytest
from transformers import (
    BartConfig,
    BertConfig,
    EncoderDecoderConfig,
    GenerationConfig,
    MarianConfig,
    RobertaConfig,
    T5Config,
)

from tinybert.errors import ModelError
from tinybert.models.generation import GenerationSettings, generation_settings_of


def _pair(decoder=BertConfig, **changes) -> EncoderDecoderConfig:
    size = {"vocab_size": 50, "max_position_embeddings": 64}
    config = EncoderDecoderConfig.from_encoder_decoder_configs(
        BertConfig(**size), decoder(**size, is_decoder=True, add_cross_attention=True)
    )
    config.update(changes)
    return config


TOKENS = {"decoder_start_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


def test_what_a_config_says_is_read() -> None:
    config = GenerationConfig(
        decoder_start_token_id=1,
        eos_token_id=[2, 3],
        pad_token_id=0,
        forced_bos_token_id=7,
        bad_words_ids=[[4], [2]],  # an end that is a bad word stays an end
        suppress_tokens=[5, 4],
        num_beams=4,
        length_penalty=0.6,
        no_repeat_ngram_size=3,
        max_new_tokens=20,
    )
    assert generation_settings_of(_pair(), config) == GenerationSettings(
        decoder_start_token_id=1,
        eos_token_ids=(2, 3),
        pad_token_id=0,
        forced_bos_token_id=7,
        suppressed_token_ids=(5, 4),
        num_beams=4,
        length_penalty=0.6,
        no_repeat_ngram_size=3,
        max_new_tokens=20,
    )


def test_the_generation_config_comes_before_the_config_and_changes_before_both() -> None:
    config = _pair(**TOKENS)
    assert generation_settings_of(config).eos_token_ids == (2,)
    given = GenerationConfig(eos_token_id=9, num_beams=3)
    assert generation_settings_of(config, given).eos_token_ids == (9,)
    changed = generation_settings_of(config, given, num_beams=1, do_sample=True, eos_token_ids=(8,))
    assert (changed.num_beams, changed.do_sample, changed.eos_token_ids) == (1, True, (8,))


@pytest.mark.parametrize("config", [BartConfig(), T5Config(decoder_start_token_id=0)])
def test_families_say_their_tokens(config) -> None:
    settings = generation_settings_of(config)
    assert settings.decoder_start_token_id == config.decoder_start_token_id
    assert settings.eos_token_ids == (config.eos_token_id,)
    assert settings.pad_token_id == config.pad_token_id


@pytest.mark.parametrize(
    ("given", "longest"),
    [
        ({}, 64),  # the 128 of no setting, but no more than there are positions
        ({"max_length": 20}, 19),  # counts the start token
        ({"max_length": 20, "max_new_tokens": 30}, 30),
        ({"max_length": 512}, 64),
    ],
)
def test_texts_are_no_longer_than_the_positions(given, longest: int) -> None:
    assert generation_settings_of(_pair(**TOKENS), GenerationConfig(**given)).max_new_tokens == longest


def test_positions_behind_the_padding_do_not_count() -> None:
    config = _pair(RobertaConfig, **TOKENS)
    longest = generation_settings_of(config).max_new_tokens
    assert longest == 64 - 1 - config.decoder.pad_token_id


def test_more_tokens_than_positions_are_never_asked_for() -> None:
    assert generation_settings_of(_pair(**TOKENS), max_new_tokens=65).max_new_tokens == 64


def test_what_is_missing_is_named_with_the_fix() -> None:
    with pytest.raises(ModelError) as caught:
        generation_settings_of(_pair())
    assert len(caught.value.problems) == 2
    assert "decoder_start_token_id: missing; set it in generation_config.json" in caught.value.problems[0]
    assert "eos_token_id: missing" in caught.value.problems[1]
    assert generation_settings_of(_pair(), decoder_start_token_id=1, eos_token_ids=(2,)).pad_token_id == 0


def test_tokens_outside_the_vocabulary_are_refused() -> None:
    with pytest.raises(ModelError, match=r"decoder_start_token_id = 58100: .* has 50 tokens, from 0 to 49"):
        generation_settings_of(MarianConfig(vocab_size=50))


def test_bad_words_of_several_tokens_are_refused() -> None:
    with pytest.raises(ModelError, match=r"bad_words_ids: \[4, 5\] has 2 tokens"):
        generation_settings_of(_pair(**TOKENS), GenerationConfig(bad_words_ids=[[6], [4, 5]]))
