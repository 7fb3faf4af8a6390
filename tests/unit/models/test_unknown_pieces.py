"""What tokenizers of every kind do not know, and capitals that they lose."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tinybert.models.unknown_pieces import UnknownPieces, case_problem, count_unknown

LOWER = [f"{first}{second}" for first in "bdfgk" for second in ("ab", "el", "in", "or", "un")]
CASED = [word.capitalize() if index % 3 == 0 else word for index, word in enumerate(LOWER)]


def wordpiece(words: list[str], *, lowercase: bool = True) -> PreTrainedTokenizerFast:
    vocabulary = {word: index for index, word in enumerate(["[UNK]", *words])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")


def unigram() -> PreTrainedTokenizerFast:
    pieces = [("<unk>", 0.0), ("▁", -1.0), ("a", -2.0), ("b", -2.0)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")


def byte_level() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=260, initial_alphabet=alphabet, special_tokens=["<unk>"])
    backend.train_from_iterator(["the low cost"], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")


def without_unknown_piece() -> PreTrainedTokenizerFast:
    """What it does not know leaves no piece at all."""
    backend = Tokenizer(models.BPE({"a": 0, "b": 1}, []))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def test_words_and_characters_that_are_unknown() -> None:
    found = count_unknown(wordpiece(["good", "x"]), ["good 好 good", "好 很 x é"])
    assert found == UnknownPieces(7, 4, ("好", "很", "é"))
    assert found.share == pytest.approx(4 / 7)


def test_a_word_of_known_characters_is_named_as_a_whole() -> None:
    assert count_unknown(wordpiece(["a", "b"]), ["a ab"]) == UnknownPieces(2, 1, ("ab",))


def test_sentence_pieces() -> None:
    assert count_unknown(unigram(), ["ab", "a zz"]) == UnknownPieces(7, 1, ("z",))


def test_bytes_are_all_known() -> None:
    found = count_unknown(byte_level(), ["好 é 😀", "the cost"])
    assert found.num_unknown == 0
    assert found.num_pieces >= 10


def test_letters_that_leave_no_piece_are_unknown() -> None:
    tokenizer = without_unknown_piece()
    assert tokenizer.unk_token_id is None
    assert count_unknown(tokenizer, ["ab 好好 b", "  "]) == UnknownPieces(4, 1, ("好",))


def test_no_text_at_all() -> None:
    assert count_unknown(wordpiece(["a"]), ["", " "]).share == 0.0


def test_a_cased_vocabulary_that_is_lower_cased() -> None:
    problem = case_problem(wordpiece(CASED), ["bab"]) or ""
    assert problem.startswith("its vocabulary is cased, but it lower-cases all text: set ")
    assert '"do_lower_case": false in its tokenizer_config.json' in problem
    assert case_problem(wordpiece(CASED, lowercase=False), ["Bab"]) is None


def test_an_uncased_vocabulary_that_is_not_lower_cased() -> None:
    tokenizer = wordpiece(LOWER, lowercase=False)
    problem = case_problem(tokenizer, ["Bab del"]) or ""
    assert problem.startswith("its vocabulary has no capitals, but it does not lower-case text")
    assert '"do_lower_case": true in its tokenizer_config.json' in problem
    assert case_problem(tokenizer, ["bab del"]) is None  # nothing is lost
    assert case_problem(wordpiece(LOWER), ["Bab del"]) is None


@pytest.mark.parametrize("make", [unigram, byte_level, without_unknown_piece])
def test_too_few_words_to_tell_the_case_of_a_vocabulary(make) -> None:  # type: ignore[no-untyped-def]
    assert case_problem(make(), ["Bab Del"]) is None
