from __future__ import annotations

import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tinybert.corpus import wordpiece
from tinybert.corpus.wordpiece import (
    Coverage,
    make_tokenizer,
    measure_coverage,
    train_wordpiece,
    write_tokenizer,
)
from tinybert.errors import DataError
from tinybert.models import load_tokenizer

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def pieces_of(tokenizer) -> list[str]:
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def made_up_texts(count: int = 300, *, seed: int = 0) -> list[str]:
    """Words of random letters: very many pairs of letters are equally frequent."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnop", k=rng.randint(2, 7))) for _ in range(count)]
    return [" ".join(rng.choices(words, k=8)) for _ in range(count)]


def test_a_vocabulary_by_hand() -> None:
    tokenizer = train_wordpiece(["Aab aab", "aab b"], vocab_size=11, lowercase=True)
    # a + ##a and ##a + ##b occur three times each; the lower number wins
    assert pieces_of(tokenizer) == [*SPECIALS, "a", "b", "##a", "##b", "aa", "aab"]


def test_the_same_words_give_the_same_vocabulary() -> None:
    texts = made_up_texts()
    first = pieces_of(train_wordpiece(texts, vocab_size=300, lowercase=True))
    for seed in range(4):
        random.Random(seed).shuffle(texts)
        assert pieces_of(train_wordpiece(iter(texts), vocab_size=300, lowercase=True)) == first


def test_frequent_words_are_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = made_up_texts()
    whole = pieces_of(train_wordpiece(texts, vocab_size=200, lowercase=True))
    monkeypatch.setattr(wordpiece, "REPEATS", 3)
    assert pieces_of(train_wordpiece(texts, vocab_size=200, lowercase=True)) == whole


def test_it_reads_as_bert_does() -> None:
    texts = ["Éclair's 我爱北京 eclair"] * 3
    lower = train_wordpiece(texts, vocab_size=27, lowercase=True)
    assert lower.tokenize("ÉCLAIR 北京") == ["eclair", "北", "京"]
    assert not {"##我", "##'", "É", "é"} & set(pieces_of(lower))
    cased = train_wordpiece(texts, vocab_size=25, lowercase=False)
    assert "É" in pieces_of(cased)
    assert cased.tokenize("ÉCLAIR") == ["[UNK]"]


def test_what_is_written_is_read_back_alike(tmp_path: Path) -> None:
    tokenizer = train_wordpiece(made_up_texts(), vocab_size=100, lowercase=True)
    write_tokenizer(tokenizer, tmp_path)
    assert (tmp_path / "vocab.txt").read_text().splitlines() == pieces_of(tokenizer)
    assert pieces_of(tokenizer)[:5] == SPECIALS
    one, other = tokenizer("abba", "cab")["input_ids"], [2, 3]
    for read in (AutoTokenizer.from_pretrained(tmp_path), load_tokenizer(tmp_path)):
        encoded = read("ABBA", "cab")
        assert encoded["input_ids"] == one
        assert [i for i in one if i in other] == [2, 3, 3]
        first = one.index(3) + 1
        assert encoded["token_type_ids"] == [0] * first + [1] * (len(one) - first)
        assert read.get_vocab() == tokenizer.get_vocab()
        assert read.mask_token_id == 4


def test_more_pieces_than_the_text_gives_are_refused_with_their_number() -> None:
    texts = made_up_texts(40)
    with pytest.raises(
        DataError, match=r"vocab_size = 5,000: its 320 words .* occur at least 2 times"
    ) as caught:
        train_wordpiece(texts, vocab_size=5000, lowercase=True)
    allowed = int(str(caught.value).split("set vocab_size to ")[1].split()[0].replace(",", ""))
    assert len(train_wordpiece(texts, vocab_size=allowed, lowercase=True)) == allowed
    with pytest.raises(DataError, match=f"set vocab_size to {allowed} or fewer"):
        train_wordpiece(texts, vocab_size=allowed + 1, lowercase=True)


def test_fewer_pieces_than_characters_are_refused_with_the_minimum() -> None:
    texts = ["abc cab bca", "xyz xyz"]  # a b c x y z, and ## of all but x
    for refused in (1, 15):
        with pytest.raises(DataError, match="set vocab_size to 16 or more"):
            train_wordpiece(texts, vocab_size=refused, lowercase=True)
    assert len(train_wordpiece(texts, vocab_size=16, lowercase=True)) == 16


def test_rare_characters_and_endless_words_are_left_out() -> None:
    texts = ["ab ab ab ☃", "c" * 101 + " " + "c" * 101]
    tokenizer = train_wordpiece(texts, vocab_size=8, lowercase=True)
    assert pieces_of(tokenizer) == [*SPECIALS, "a", "b", "##b"]
    assert "☃" in pieces_of(train_wordpiece(texts, vocab_size=9, lowercase=True, min_frequency=1))


def test_an_empty_corpus_is_refused() -> None:
    with pytest.raises(DataError, match=r"its 0 words \(0 different ones\) give 5 pieces"):
        train_wordpiece([], vocab_size=100, lowercase=True)


def test_coverage_by_hand() -> None:
    tokenizer = make_tokenizer([*SPECIALS, "red", "fox", "##es", "!"], lowercase=True)
    # red · fox ##es · [UNK] · !
    found = measure_coverage(tokenizer, iter(["Red foxes", "zzz!"]))
    assert found == Coverage(words_in_one_piece=2 / 4, pieces_per_word=5 / 4, unknown=1 / 5)
    assert measure_coverage(tokenizer, []) == Coverage(0.0, 0.0, 0.0)


def test_a_word_with_several_unknown_pieces_is_none_in_one_piece() -> None:
    backend = Tokenizer(models.Unigram([("<unk>", 0.0), ("▁", -1.0), ("▁a", -1.0), ("b", -2.0)], unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    # ▁a · ▁ <unk> b <unk>
    found = measure_coverage(tokenizer, ["a xbx"])
    assert found == Coverage(words_in_one_piece=1 / 2, pieces_per_word=5 / 2, unknown=2 / 5)
