from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import easy
from tests.unit.models.tiny import CONFIGS
from transformers import (
    AutoModelForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
)

from tinybert.augmentation import filler as fill
from tinybert.augmentation.filler import WordFiller, batches_by_length, best_columns
from tinybert.augmentation.word_pieces import embedding_vectors, whole_word_pieces
from tinybert.errors import ModelError
from tinybert.models.masked_lm import random_masked_lm

HAN = list("我你他好坏北京大学生")
EXTRA = ["##ab", "##el", "7", ".", ",", "a", "Paris", *HAN, "[unused1]"]
WORDS = [*easy.WORDS, *EXTRA]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return easy.make_tokenizer(WORDS)


@pytest.fixture(scope="module")
def model() -> BertForMaskedLM:
    torch.manual_seed(0)
    model = BertForMaskedLM(easy.make_config(vocab_size=len(WORDS) + 5)).eval()
    for parameter in model.parameters():  # the default start is so small that every place answers alike
        parameter.data += 0.2 * torch.randn_like(parameter)
    return model


def make_filler(model, tokenizer, *, num_candidates: int = 6, **changes) -> WordFiller:
    return WordFiller(model, tokenizer, num_candidates=num_candidates, **changes)


@torch.no_grad()
def one_by_one(model, tokenizer, words, place: int, *, count: int, masked=()) -> list[str]:
    """The plain way: one forward, all scores, all pieces sorted."""
    pieces = [tokenizer.tokenize(word) for word in words]
    for index in (place, *masked):
        pieces[index] = ["[MASK]"]
    flat = ["[CLS]", *(piece for each in pieces for piece in each), "[SEP]"]
    where = 1 + sum(len(each) for each in pieces[:place])
    logits = model(input_ids=torch.tensor([tokenizer.convert_tokens_to_ids(flat)])).logits[0, where]
    found = [tokenizer.convert_ids_to_tokens(i) for i in logits.argsort(descending=True).tolist()]
    return [
        word for word in found if word.isalpha() and len(word) > 1 and word.lower() != words[place].lower()
    ][:count]


def make_sentences(count: int, *, seed: int = 0) -> tuple[list[list[str]], list[list[int]]]:
    rng = np.random.default_rng(seed)
    sentences = [rng.choice(easy.WORDS, size=rng.integers(1, 25)).tolist() for _ in range(count)]
    places = [
        sorted(rng.choice(len(words), size=rng.integers(0, len(words) + 1), replace=False).tolist())
        for words in sentences
    ]
    return sentences, places


def test_agrees_with_one_forward_a_word(model, tokenizer):
    sentences, places = make_sentences(30)
    found = make_filler(model, tokenizer, masks_per_row=1).candidates(sentences, places)
    for words, asked, lists in zip(sentences, places, found, strict=True):
        assert lists == [one_by_one(model, tokenizer, words, place, count=6) for place in asked]


def test_several_masks_a_row_agree_with_these_words_masked_together(model, tokenizer):
    words = easy.WORDS[:20]  # 22 pieces: three masks a row
    asked = [0, 3, 4, 9, 12, 13, 19]
    [found] = make_filler(model, tokenizer).candidates([words], [asked])
    together = [[0, 9, 19], [3, 12], [4, 13]]
    for masked in together:
        for place in masked:
            expected = one_by_one(
                model, tokenizer, words, place, count=6, masked=[p for p in masked if p != place]
            )
            assert found[asked.index(place)] == expected


def rows_of(filler, words, places):
    filler.candidates([words], [places])
    return list(filler._rows([words], [places]))


@pytest.mark.parametrize("length", [1, 3, 10, 17, 40])
def test_at_most_fifteen_in_a_hundred_are_masked_and_far_apart(model, tokenizer, length):
    words = [easy.WORDS[i % 60] for i in range(length)]
    rows = rows_of(make_filler(model, tokenizer), words, [*range(length)])
    assert sorted(ask.place for row in rows for ask in row.asks) == [*range(length)]
    for row in rows:
        assert len(row.asks) <= max(1, round(0.15 * (length + 2)))
        assert row.ids.count(tokenizer.mask_token_id) == len(row.asks)
        starts = [ask.start for ask in row.asks]
        assert min(np.diff(starts), default=len(rows)) >= len(rows)


def test_the_answers_do_not_depend_on_company(model, tokenizer, monkeypatch):
    sentences, places = make_sentences(25, seed=1)
    filler = make_filler(model, tokenizer)
    together = filler.candidates(sentences, places)
    alone = [filler.candidates([w], [p])[0] for w, p in zip(sentences, places, strict=True)]
    monkeypatch.setattr(fill, "TOKENS_A_BATCH", 40)
    assert together == alone == filler.candidates(sentences, places)


def test_only_whole_words_of_letters_are_proposed(model, tokenizer):
    sentences, places = make_sentences(10)
    found = make_filler(model, tokenizer, num_candidates=500).candidates(sentences, places)
    for words, asked, lists in zip(sentences, places, found, strict=True):
        for place, proposed in zip(asked, lists, strict=True):
            assert {*proposed} == {*easy.WORDS, "Paris"} - {words[place]}
            assert len(proposed) == len({*proposed})


def test_a_word_of_several_pieces_gets_one_mask(model, tokenizer):
    words = ["bab", "goodab", "tun"]
    assert tokenizer.tokenize("goodab") == ["good", "##ab"]
    filler = make_filler(model, tokenizer)
    [[found]] = filler.candidates([words], [[1]])
    assert found == one_by_one(model, tokenizer, words, 1, count=6)
    assert filler.can_fill(["Good", "goodab", "xyzé", "北京"]) == [True, False, False, True]


def test_the_word_itself_is_no_candidate_whatever_its_capitals(model, tokenizer):
    everything = make_filler(model, tokenizer, num_candidates=500)
    [[found]] = everything.candidates([["PARIS", "good"]], [[0]])
    assert "Paris" not in found and "good" in found


def test_chinese_words_are_filled_from_left_to_right(model, tokenizer):
    words = ["我", "北京", "good"]
    filler = make_filler(model, tokenizer, num_candidates=4)
    [found] = filler.candidates([words], [[0, 1]])
    assert all(len(word) == 1 and word in HAN and word != "我" for word in found[0])
    assert len(found[0]) == 4

    def best(pieces: list[str], place: int, count: int) -> list[str]:
        ids = tokenizer.convert_tokens_to_ids(["[CLS]", *pieces, "[SEP]"])
        with torch.no_grad():
            order = model(input_ids=torch.tensor([ids])).logits[0, 1 + place].argsort(descending=True)
        pieces_in_order = [tokenizer.convert_ids_to_tokens(i) for i in order.tolist()]
        return [piece for piece in pieces_in_order if piece in HAN][:count]

    firsts = best(["我", "[MASK]", "[MASK]", "good"], 1, 4)
    expected = [first + best(["我", first, "[MASK]", "good"], 2, 1)[0] for first in firsts]
    assert found[1] == [word for word in expected if word != "北京"]


def test_chinese_and_other_words_of_one_row_keep_apart(model, tokenizer):
    words = ["北京", *easy.WORDS[:14], "大学生", *easy.WORDS[14:28]]
    [found] = make_filler(model, tokenizer, num_candidates=3).candidates([words], [[0, 7, 15, 22]])
    assert all(len(word) == 2 and {*word} <= {*HAN} for word in found[0]) and found[0]
    assert all(len(word) == 3 and {*word} <= {*HAN} for word in found[2]) and found[2]
    assert all({*word}.isdisjoint(HAN) for place in (1, 3) for word in found[place])


def test_without_chinese_pieces_nothing_is_proposed_for_a_chinese_word():
    tokenizer = easy.make_tokenizer()
    torch.manual_seed(0)
    filler = make_filler(BertForMaskedLM(easy.make_config()).eval(), tokenizer)
    [found] = filler.candidates([["北京", "good", "我"]], [[0, 1, 2]])
    assert (found[0], len(found[1]), found[2]) == ([], 6, [])


def test_long_sentences_are_read_in_parts(model, tokenizer):
    words = [easy.WORDS[i % 60] for i in range(150)]  # the model reads 64 pieces
    places = [0, 61, 62, 100, 149]
    [found] = make_filler(model, tokenizer, masks_per_row=1).candidates([words], [places])
    assert found[1] == one_by_one(model, tokenizer, words[:62], 61, count=6)
    assert found[2] == one_by_one(model, tokenizer, words[62:124], 0, count=6)
    assert found[4] == one_by_one(model, tokenizer, words[124:], 149 - 124, count=6)
    endless = "北" * 100
    [parts] = make_filler(model, tokenizer).candidates([["tun", endless, "bab"]], [[0, 1, 2]])
    assert (len(parts[0]), parts[1], len(parts[2])) == (6, [], 6)


def test_a_row_has_about_the_share_of_masks_that_the_model_was_trained_with(model, tokenizer):
    filler = make_filler(model, tokenizer)
    sentence = ["good", "北京大学"] * 10
    filler._pieces_of(sentence)
    rows = list(filler._rows([sentence], [range(20)]))
    masks = [row.ids.count(tokenizer.mask_token_id) for row in rows]
    assert sum(masks) == 50
    assert max(masks) <= 0.3 * min(len(row.ids) for row in rows)


def test_no_sentence_and_no_place(model, tokenizer):
    filler = make_filler(model, tokenizer)
    assert filler.candidates([], []) == []
    assert filler.candidates([["good"], []], [[], []]) == [[], []]


def test_bf16_proposes_nearly_the_same(model, tokenizer):
    sentences, places = make_sentences(20)
    exact = make_filler(model, tokenizer, num_candidates=10).candidates(sentences, places)
    fast = make_filler(model, tokenizer, num_candidates=10, bf16=True)
    assert next(fast.model.parameters()).dtype == torch.bfloat16
    shares = [
        len({*one} & {*other}) / 10
        for ours, theirs in zip(fast.candidates(sentences, places), exact, strict=True)
        for one, other in zip(ours, theirs, strict=True)
    ]
    assert np.mean(shares) > 0.9


def test_the_given_model_stays_as_it_is(model, tokenizer):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    decoder = model.get_output_embeddings()
    make_filler(model, tokenizer, bf16=True).candidates([["good"]], [[0]])
    assert model.get_output_embeddings() is decoder
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("family", ["bert", "ernie", "electra", "distilbert", "mpnet"])
def test_every_family_with_word_pieces_agrees_with_its_own_forward(family):
    words = easy.WORDS[:50]
    tokenizer = easy.make_tokenizer(words)
    masked_lm = random_masked_lm(CONFIGS[family], seed=0)
    for parameter in masked_lm.parameters():
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    sentence = [words[3], words[7], words[11], words[20]]
    [found] = make_filler(masked_lm, tokenizer, masks_per_row=1).candidates([sentence], [[0, 2]])
    assert found == [one_by_one_unpadded(masked_lm, tokenizer, sentence, place) for place in (0, 2)]


def one_by_one_unpadded(model, tokenizer, words, place: int) -> list[str]:
    """As above, for a model with more pieces than the tokenizer."""
    ids = tokenizer.convert_tokens_to_ids(["[CLS]", *words, "[SEP]"])
    ids[1 + place] = tokenizer.mask_token_id
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, 1 + place, : len(tokenizer)]
    found = tokenizer.convert_ids_to_tokens(logits.argsort(descending=True).tolist())
    return [word for word in found if word.isalpha() and len(word) > 1 and word != words[place]][:6]


def test_a_model_without_the_head_is_refused(tokenizer):
    model = BertForSequenceClassification(BertConfig(vocab_size=len(WORDS) + 5, **easy.SIZE))
    with pytest.raises(ModelError, match="tinybert pretrain TEXT --model MODEL --out"):
        make_filler(model, tokenizer)


def test_a_vocabulary_that_is_no_word_piece_is_refused():
    from tokenizers import Tokenizer, models

    backend = Tokenizer(models.BPE({"<mask>": 0, "a": 1}, []))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, mask_token="<mask>")
    roberta = AutoModelForMaskedLM.from_config(CONFIGS["roberta"])
    with pytest.raises(ModelError, match=r"\(BPE\) cannot be read word by word"):
        make_filler(roberta, tokenizer)
    with pytest.raises(ModelError, match="word by word"):
        embedding_vectors(roberta, tokenizer)


def test_pieces_that_are_words(tokenizer):
    assert {*whole_word_pieces(tokenizer).values()} == {*easy.WORDS, "Paris", *HAN}


class TestEmbeddingVectors:
    def test_neighbours_are_the_nearest_rows(self, model, tokenizer):
        weight = torch.nn.functional.normalize(model.get_input_embeddings().weight.detach(), dim=1)
        ids = tokenizer.convert_tokens_to_ids([*easy.WORDS, "Paris"])
        near = (weight[ids] @ weight[ids[5]]).argsort(descending=True).tolist()
        expected = [[*easy.WORDS, "Paris"][i] for i in near if i != 5][:4]
        assert embedding_vectors(model, tokenizer).neighbours([easy.WORDS[5]], 4) == [expected]

    def test_a_word_in_pieces_is_their_mean(self, model, tokenizer):
        weight = model.get_input_embeddings().weight.detach()
        rows = tokenizer.convert_tokens_to_ids(["good", "##ab"])
        own = weight[rows].mean(0)
        ids = tokenizer.convert_tokens_to_ids([*easy.WORDS, "Paris"])
        near = (torch.nn.functional.normalize(weight[ids], dim=1) @ own).argsort(descending=True).tolist()
        expected = [[*easy.WORDS, "Paris"][i] for i in near][:4]
        assert embedding_vectors(model, tokenizer).neighbours(["goodab", "xyz"], 4) == [expected, []]

    def test_a_vector_is_not_changed_with_the_model(self, model, tokenizer):
        vectors = embedding_vectors(model, tokenizer)
        assert vectors.matrix.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors.matrix, axis=1), 1, atol=1e-6)


@given(st.lists(st.integers(1, 30), max_size=40), st.integers(1, 100))
def test_batches_hold_every_row_once_and_are_no_larger_than_asked(lengths, max_tokens):
    batches = list(batches_by_length(lengths, max_tokens=max_tokens))
    assert sorted(row for batch in batches for row in batch) == [*range(len(lengths))]
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= max_tokens
    flat = [lengths[row] for batch in batches for row in batch]
    assert flat == sorted(lengths)


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 17), st.integers(0, 99))
def test_best_columns_are_those_of_a_full_sort(num_groups, count, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.stack([torch.randperm(64 * num_groups, generator=generator) for _ in range(5)]).float()
    expected = scores.argsort(dim=1, descending=True)[:, :count]
    assert torch.equal(best_columns(scores, count=count), expected)


def test_best_columns_where_all_the_best_lie_in_one_group():
    scores = torch.zeros(1, 640)
    scores[0, 130:150] = torch.arange(1.0, 21.0)
    assert best_columns(scores, count=3).tolist() == [[149, 148, 147]]
