"""Named entities from scores: windows put together, legal tags, offsets that hold."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import tokens
from transformers import BertForTokenClassification

from tinybert.data import LabelScheme, pad
from tinybert.models.inputs import run_model
from tinybert.tasks import NER, Entities
from tinybert.tasks.ner.tags import best_tags, entities_of, legal_steps
from tinybert.tasks.ner.task import WordScores, aggregate, tag_rows
from tinybert.tasks.ner.words import segment

SCHEME = LabelScheme(("O", "B-LOC", "I-LOC"))
TAGS = tokens.TAGS


def gathered(
    scores: list[np.ndarray], features: dict, rows: dict, scheme: LabelScheme = SCHEME
) -> list[WordScores]:
    return list(aggregate(scores, features, rows, labels=scheme, settings={}))


def row_of(text: str) -> dict[str, list]:
    starts, ends = segment(text)
    return {"text": [text], "word_starts": [starts], "word_ends": [ends]}


def encoded(text: str, *, max_length: int = 64) -> tuple[dict, dict]:
    rows = row_of(text)
    return rows, NER.format.encode(tokens.make_tokenizer(), rows, max_length=max_length)


def signed(features: dict) -> list[np.ndarray]:
    """Scores that say which window and which piece they come from."""
    return [
        np.array([[window, piece, 0.0] for piece in range(len(ids))], dtype=np.float32)
        for window, ids in enumerate(features["input_ids"])
    ]


# windows


@pytest.mark.parametrize("num_words", [5, 14, 15, 40, 97])
def test_a_word_is_heard_where_it_stands_farthest_from_an_edge(num_words: int) -> None:
    text = " ".join(tokens.easy.NOISE[i % 50] for i in range(num_words))
    rows, features = encoded(text, max_length=16)
    found = gathered(signed(features), features, rows)[0].scores
    places: dict[int, list[tuple[int, int, int]]] = {}
    for window, words in enumerate(features["words"]):
        for piece, word in enumerate(words):
            if word >= 0:
                places.setdefault(word, []).append((min(piece, len(words) - 1 - piece), window, piece))
    assert sorted(places) == list(range(num_words))
    if num_words > 40:
        assert any(len(each) > 1 for each in places.values())
    for word, each in places.items():
        farthest = max(distance for distance, _, _ in each)
        allowed = [(window, piece) for distance, window, piece in each if distance == farthest]
        assert tuple(found[word, :2].astype(int)) in allowed


def test_windows_of_other_texts_never_mix() -> None:
    texts = ["bab bel " * 12, "bin", "bor bun " * 9]
    rows = {
        "text": texts,
        "word_starts": [segment(text)[0] for text in texts],
        "word_ends": [segment(text)[1] for text in texts],
    }
    features = NER.format.encode(tokens.make_tokenizer(), rows, max_length=16)
    scores = [
        np.full((len(ids), 3), example, dtype=np.float32)
        for ids, example in zip(features["input_ids"], features["example"], strict=True)
    ]
    assert len(scores) > 4
    for number, row in enumerate(gathered(scores, features, rows)):
        assert row.text == texts[number]
        assert len(row.scores) == len(row.starts) == len(texts[number].split())
        assert (row.scores == number).all()


def test_of_a_word_of_several_pieces_the_first_speaks() -> None:
    rows, features = encoded("bab zzz bel")
    assert features["piece_starts"][0] == [-1, 0, 4, 5, 6, 8, -1]
    found = gathered(signed(features), features, rows)[0].scores
    assert found[:, 1].tolist() == [1, 2, 5]


def test_a_word_cut_by_a_window_is_heard_once_and_from_its_first_piece() -> None:
    text = " ".join(["zzzzzzz"] * 9)  # seven pieces each
    rows, features = encoded(text, max_length=16)
    found = gathered(signed(features), features, rows)[0].scores
    assert len(features["input_ids"]) > 3
    for word, (window, piece, _) in enumerate(found.astype(int).tolist()):
        assert features["piece_starts"][window][piece] == rows["word_starts"][0][word]


def test_a_word_below_a_piece_of_another_hears_that_piece() -> None:
    rows = {"text": ["北京 a"], "word_starts": [[0, 1, 3]], "word_ends": [[1, 2, 4]]}
    features = {
        "example": [0],
        "words": [[-1, 0, 2, -1]],
        "piece_starts": [[-1, 0, 3, -1]],
        "piece_ends": [[-1, 2, 4, -1]],
    }
    scores = [np.array([[0, 0, 0], [1, 5, 2], [3, 3, 4], [0, 0, 0]], dtype=np.float32)]
    found = gathered(scores, features, rows)[0].scores
    assert found.tolist() == [[1, 5, 2], [1, -1e4, 5], [3, 3, 4]]
    answer = NER.decode(gathered(scores, features, rows), SCHEME)[0]
    assert [entity.text for entity in answer.entities] == ["北京 a"]  # one, not one a word


def test_a_word_without_any_piece_begins_no_entity_but_goes_on_with_one() -> None:
    rows = {"text": ["a \u200b b"], "word_starts": [[0, 2, 4]], "word_ends": [[1, 3, 5]]}
    features = {
        "example": [0],
        "words": [[-1, 0, 2, -1]],
        "piece_starts": [[-1, 0, 4, -1]],
        "piece_ends": [[-1, 1, 5, -1]],
    }
    outside, begin, inside = [9.0, 0, 0], [0, 9.0, 0], [0, 0, 9.0]

    def spans(first: list[float], last: list[float]) -> list[tuple[int, int]]:
        scores = [np.array([[0, 0, 0], first, last, [0, 0, 0]], dtype=np.float32)]
        found = NER.decode(gathered(scores, features, rows), SCHEME)[0]
        return [(entity.start, entity.end) for entity in found.entities]

    assert spans(outside, outside) == []
    assert spans(begin, inside) == [(0, 5)]
    assert spans(begin, outside) == [(0, 1)]
    assert spans(outside, begin) == [(4, 5)]


def test_a_text_that_the_tokenizer_drops_as_a_whole_has_no_entities() -> None:
    rows, features = encoded("\u200b\u200b")
    assert NER.decode(gathered(signed(features), features, rows), SCHEME)[0].entities == []


def test_no_texts_are_no_outputs() -> None:
    empty = {"text": [], "word_starts": [], "word_ends": []}
    assert gathered([], {"example": [], "words": []}, empty) == []


# offsets

MODEL = tokens.random_model(BertForTokenClassification, hidden_dropout_prob=0.0)


def answer(texts: list[str], *, max_length: int = 24) -> list[Entities]:
    rows = {
        "text": texts,
        "word_starts": [segment(text)[0] for text in texts],
        "word_ends": [segment(text)[1] for text in texts],
    }
    features = NER.format.encode(tokens.make_tokenizer(), rows, max_length=max_length)
    scores = []
    for ids in features["input_ids"]:
        batch = pad([{"input_ids": ids}], pad_token_id=0)
        with torch.no_grad():
            scores.append(run_model(MODEL, batch)[0].numpy())
    scheme = LabelScheme(TAGS)
    return NER.decode(gathered(scores, features, rows, scheme), scheme)


@pytest.mark.parametrize(
    "text",
    [
        "mister  ada   smith",
        "Café Ålesund, naïve Zoë",
        "cafe\u0301 A\u030alesund",  # accents as characters of their own
        "ada 👩‍👩‍👧 rome 🇳🇴 oslo 😀😀",
        "ＡＤＡ　ｓｍｉｔｈ，ｒｏｍｅ",
        "北京大学 ada 東京 がぎ",
        "\tada\r\nsmith\u00a0rome\u2028x",
        "ﬁne İstanbul ß ǅ",
        "U.S. AT&T 1,000 J. Smith Germany's",
    ],
)
def test_offsets_are_exact_in_any_script(text: str) -> None:
    said = answer([text])[0]
    assert said.text == text
    for entity in said.entities:
        assert entity.text == text[entity.start : entity.end]
        assert entity.text == entity.text.strip()


def test_offsets_of_a_known_entity_are_where_it_stands() -> None:
    for text, name in (("😀  Ádà  smith x", "Ádà  smith"), ("ＡＤＡ, ada", "ＡＤＡ")):
        rows, features = encoded(text)
        wanted = text.index(name)
        scores = np.zeros((len(features["input_ids"][0]), 3), dtype=np.float32)
        scores[:, 0] = 1
        for piece, (start, end) in enumerate(
            zip(features["piece_starts"][0], features["piece_ends"][0], strict=True)
        ):
            if wanted <= start and end <= wanted + len(name):
                scores[piece] = [0, 0, 9] if start > wanted else [0, 9, 0]
        found = NER.decode(gathered([scores], features, rows), SCHEME)[0].entities
        assert [(each.text, each.start, each.end) for each in found] == [(name, wanted, wanted + len(name))]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.text(min_size=1, max_size=60).filter(lambda text: text.strip()), min_size=1, max_size=3))
def test_entities_of_any_text_stand_where_they_say_in_order_and_apart(texts: list[str]) -> None:
    for text, said in zip(texts, answer(texts), strict=True):
        assert said.text == text
        for entity in said.entities:
            assert entity.text == text[entity.start : entity.end] != ""
            assert 0 < entity.score <= 1
            assert entity.label in ("LOC", "PER")
        for one, other in itertools.pairwise(said.entities):
            assert one.end <= other.start


# tags


def is_legal(tags: list[str]) -> bool:
    before = "O"
    for tag in tags:
        if tag.startswith("I-") and before[2:] != tag[2:]:
            return False
        before = tag
    return True


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=4), st.integers(0, 2**31))
def test_the_tags_are_the_most_probable_of_all_legal_ones(lengths: list[int], seed: int) -> None:
    lengths = [min(length, 4) for length in lengths]
    logits = np.random.default_rng(seed).normal(0, 2, (sum(lengths), len(TAGS)))
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    tags = best_tags(logs, offsets, TAGS)
    for first, last in itertools.pairwise(offsets.tolist()):
        every = itertools.product(range(len(TAGS)), repeat=last - first)
        legal = [each for each in every if is_legal([TAGS[tag] for tag in each])]
        best = max(legal, key=lambda each: sum(logs[first + i, tag] for i, tag in enumerate(each)))
        assert tags[first:last].tolist() == list(best)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**31))
def test_no_scores_give_an_illegal_sequence(num_words: int, seed: int) -> None:
    scores = np.random.default_rng(seed).normal(0, 30, (num_words, len(TAGS))).astype(np.float32)
    row = WordScores("a" * num_words, range(num_words), range(1, num_words + 1), scores, TAGS)
    (tags, sure), (again, _) = tag_rows([row, row])
    assert tags == again
    assert is_legal(tags)
    assert ((sure >= 0) & (sure <= 1)).all()
    assert sum(tag.startswith("B-") for tag in tags) == len(entities_of(tags))


def test_a_text_may_not_go_on_with_the_entity_of_the_text_before() -> None:
    sure = np.array([[0, 0, 0, 9, 0], [0, 0, 0, 0, 9.0]])
    one = WordScores("a", [0], [1], sure[:1], TAGS)
    other = WordScores("b", [0], [1], sure[1:], TAGS)
    assert [tags for tags, _ in tag_rows([one, other])][1] != ["I-PER"]
    both = WordScores("a b", [0, 2], [1, 3], sure, TAGS)
    assert tag_rows([both])[0][0] == ["B-PER", "I-PER"]


def test_two_entities_of_a_type_may_touch() -> None:
    steps = legal_steps(TAGS)
    follows = steps.follows
    assert steps.first.tolist() == [True, True, False, True, False]
    assert follows[TAGS.index("I-PER"), TAGS.index("B-PER")]
    assert not follows[TAGS.index("B-LOC"), TAGS.index("I-PER")]
    assert entities_of(["B-PER", "B-PER", "I-PER"]) == [(0, 1, "PER"), (1, 3, "PER")]


def test_the_score_of_an_entity_is_the_mean_probability_of_its_words() -> None:
    logits = np.log(np.array([[0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.9, 0.05, 0.05]]))
    row = WordScores("a b c", [0, 2, 4], [1, 3, 5], logits, SCHEME.names)
    (entity,) = NER.decode([row], SCHEME)[0].entities
    assert (entity.text, entity.label) == ("a b", "LOC")
    assert entity.score == pytest.approx(0.7)


# a batch in training


def test_a_teacher_teaches_the_pieces_that_stand_for_a_word() -> None:
    batch = tokens.batch_of(row_of("bab zzz") | {"label": [[0, 1]]}, "ner")
    logits = torch.randn(1, batch["input_ids"].shape[1], 5)
    rows, taught = NER.loss_rows(logits, batch)
    assert torch.equal(rows, logits)
    assert taught.tolist() == [[False, True, True, False, False, False]]


def test_metrics_count_whole_entities() -> None:
    gold = [[0, 1, 2, 0], [1, 0, 0, 0], None]
    said = [[0, 1, 2, 0], [0, 0, 1, 2], [1, 1, 1, 1]]
    rows = [
        WordScores("a b c d", [0, 2, 4, 6], [1, 3, 5, 7], 9 * np.eye(3, dtype=np.float32)[tags], SCHEME.names)
        for tags in said
    ]
    scores = NER.metrics(rows, gold)
    assert (scores["precision"], scores["recall"], scores["f1"]) == (0.5, 0.5, 0.5)
    assert scores["f1/LOC"] == 0.5
