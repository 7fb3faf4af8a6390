"""Answers from scores: windows joined, spans allowed, a threshold for "there is none"."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import tokens
from transformers import BertForQuestionAnswering

from tinybert.data import LabelScheme, pad
from tinybert.errors import ModelError
from tinybert.metrics.answers import answer_f1
from tinybert.models.inputs import run_model
from tinybert.tasks import QA, FoundAnswer
from tinybert.tasks.qa.rows import MAX_ANSWER_PIECES
from tinybert.tasks.qa.task import NUM_BEST, PADDING, ContextScores, aggregate, best_spans, sentence_around

SCHEME = LabelScheme(("start", "end"))


def gathered(scores: list[np.ndarray], features: dict, rows: dict, **settings: float) -> list[ContextScores]:
    return list(aggregate(scores, features, rows, labels=SCHEME, settings=settings))


def encoded(question: str, context: str, *, max_length: int = 64) -> tuple[dict, dict]:
    rows = {"text": [question], "text_pair": [context]}
    return rows, QA.format.encode(tokens.make_tokenizer(), rows, max_length=max_length)


def quiet(features: dict) -> list[np.ndarray]:
    return [np.zeros((len(ids), 2), dtype=np.float32) for ids in features["input_ids"]]


def point(features: dict, scores: list[np.ndarray], start: int, end: int, value: float, *, shift: int) -> int:
    """Raise the scores of a stretch of the context in every window that holds both ends; say in how many."""
    count = 0
    for window, score in enumerate(scores):
        starts, ends = features["piece_starts"][window], features["piece_ends"][window]
        if start + shift in starts and end + shift in ends:
            score[starts.index(start + shift), 0] = value
            score[ends.index(end + shift), 1] = value
            count += 1
    return count


# windows


def test_an_answer_is_found_in_whichever_window_it_stands() -> None:
    words = [tokens.easy.NOISE[i % 50] for i in range(70)]
    context = " ".join(words)
    rows, features = encoded("which colour", context, max_length=24)
    assert len(features["input_ids"]) > 4
    for word in range(len(words)):
        scores = quiet(features)
        start = len(" ".join(words[:word])) + bool(word)
        assert point(features, scores, start, start + len(words[word]), 5.0, shift=13)
        (reading,) = gathered(scores, features, rows)
        assert reading.spans[0] == (start, start + len(words[word]), 10.0)
        assert reading.best == words[word]


def test_a_stretch_in_two_windows_is_one_answer_with_its_better_score() -> None:
    context = " ".join(tokens.easy.NOISE[:40])
    rows, features = encoded("which colour", context, max_length=24)
    scores = quiet(features)
    both = set(features["piece_starts"][0]) & set(features["piece_starts"][1])
    place = max(both) - 13
    end = place + len(context[place:].split()[0])
    assert point(features, scores[:1], place, end, 3.0, shift=13) == 1
    starts, ends = features["piece_starts"][1], features["piece_ends"][1]
    scores[1][starts.index(place + 13), 0] = scores[1][ends.index(end + 13), 1] = 4.0
    (reading,) = gathered(scores, features, rows)
    assert reading.spans[0] == (place, end, 8.0)
    assert len({span[:2] for span in reading.spans}) == len(reading.spans)


def test_there_is_no_answer_only_where_every_window_says_so() -> None:
    rows, features = encoded("which colour", " ".join(tokens.easy.NOISE), max_length=24)
    scores = quiet(features)
    assert len(scores) > 3
    for window, score in enumerate(scores):
        score[0] = [5 + window, 2]
    scores[2][0] = [1, -3]
    (reading,) = gathered(scores, features, rows)
    assert reading.null_score == -2.0


def test_answers_never_come_from_the_question_or_the_special_tokens() -> None:
    rows, features = encoded("which colour", "bab red dark")
    scores = quiet(features)
    for place, start in enumerate(features["piece_starts"][0]):
        if start < 13:
            scores[0][place] = 99
    (reading,) = gathered(scores, features, rows)
    assert reading.spans
    assert all(0 <= start < end <= len("bab red dark") for start, end, _ in reading.spans)


def test_windows_of_other_questions_never_mix() -> None:
    contexts = [" ".join(tokens.easy.NOISE), "red", " ".join(tokens.easy.NOISE[::-1])]
    rows = {"text": ["which colour", "who animal", "what"], "text_pair": contexts}
    features = QA.format.encode(tokens.make_tokenizer(), rows, max_length=24)
    scores = quiet(features)
    for score, example in zip(scores, features["example"], strict=True):
        score[:] = example
    for number, reading in enumerate(gathered(scores, features, rows)):
        assert reading.context == contexts[number]
        assert reading.null_score == 2 * number
        assert {score for _, _, score in reading.spans} == {2.0 * number}


def test_a_context_without_a_piece_has_no_answer() -> None:
    rows, features = encoded("which colour", "\u200b\u200b")
    (reading,) = gathered(quiet(features), features, rows)
    assert reading.spans == []
    assert reading.best == ""
    assert reading.margin == math.inf
    (said,) = QA.decode([reading], SCHEME)
    assert (said.answer, said.start, said.sentence) == (None, None, None)
    assert said.score == pytest.approx(1)


def test_scores_that_are_no_numbers_are_refused() -> None:
    rows, features = encoded("which colour", "bab red")
    scores = quiet(features)
    scores[0][4, 1] = np.nan
    with pytest.raises(ModelError, match="NaN or infinite"):
        gathered(scores, features, rows)


# spans


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 45), st.integers(0, 2**31))
def test_the_best_stretch_is_the_best_of_all_where_few_compete(length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 3, (length, 2))
    inside = rng.random(length) < 0.8
    found = best_spans(scores, inside)
    pieces = np.flatnonzero(inside).tolist()
    every = [
        (start, end)
        for start, end in itertools.product(pieces, pieces)
        if 0 <= end - start < MAX_ANSWER_PIECES
    ]
    assert len(found) <= NUM_BEST
    assert {(start, end) for start, end, _ in found} <= set(every)
    assert bool(found) == bool(every)
    for start, end, score in found:
        assert score == pytest.approx(scores[start, 0] + scores[end, 1])
    assert [span[2] for span in found] == sorted((span[2] for span in found), reverse=True)
    if every and len(pieces) <= NUM_BEST:
        best = max(every, key=lambda span: scores[span[0], 0] + scores[span[1], 1])
        assert found[0][:2] == best


def test_an_answer_is_no_longer_than_allowed_and_never_backwards() -> None:
    scores = np.zeros((60, 2))
    scores[5, 0], scores[5 + MAX_ANSWER_PIECES, 1] = 9, 9  # one piece too long
    scores[4 + MAX_ANSWER_PIECES, 1] = 8
    found = best_spans(scores, np.ones(60, dtype=bool))
    assert found[0] == (5, 4 + MAX_ANSWER_PIECES, 17.0)
    backwards = np.zeros((60, 2))
    backwards[30, 0], backwards[20, 1] = 9, 9
    assert all(start <= end for start, end, _ in best_spans(backwards, np.ones(60, dtype=bool)))


def test_where_no_end_follows_a_beginning_among_the_best_one_piece_answers() -> None:
    scores = np.full((80, 2), -5.0)
    scores[50:75, 0] = 9
    scores[0:25, 1] = 9
    ((start, end, score),) = best_spans(scores, np.ones(80, dtype=bool))
    assert start == end
    assert score == 4.0


# answers


def test_the_probabilities_of_the_n_best_add_up_to_one() -> None:
    context = " ".join(tokens.easy.NOISE[:30])
    rows, features = encoded("which colour", context)
    rng = np.random.default_rng(0)
    scores = [rng.normal(0, 3, (len(ids), 2)).astype(np.float32) for ids in features["input_ids"]]
    for settings_ in ({}, {"null_threshold": 0.0}, {"null_threshold": 1e9}):
        (said,) = QA.decode(gathered(scores, features, rows, **settings_), SCHEME)
        assert sum(span.score for span in said.n_best) == pytest.approx(1)
        shares = [span.score for span in said.n_best]
        assert shares == sorted(shares, reverse=True)
        assert len({(span.start, span.end) for span in said.n_best}) == len(said.n_best)
        assert any(span.end == 0 for span in said.n_best) == bool(settings_)
        for span in said.n_best:
            assert span.text == context[span.start : span.end]


def test_a_score_is_the_answers_share_of_the_n_best() -> None:
    reading = ContextScores("red fox", [(0, 3, 2.0), (4, 7, 1.0)], 1.0, 5.0)
    (said,) = QA.decode([reading], SCHEME)
    whole = math.exp(2) + math.exp(1) + math.exp(1 - 5)
    assert said.score == pytest.approx(math.exp(2) / whole)
    assert [(span.text, span.score) for span in said.n_best] == [
        ("red", pytest.approx(math.exp(2) / whole)),
        ("fox", pytest.approx(math.exp(1) / whole)),
        ("", pytest.approx(math.exp(1 - 5) / whole)),
    ]


@pytest.mark.parametrize(
    ("threshold", "expected"), [(None, "red"), (3.5, "red"), (3.0, "red"), (2.9, None), (-9.0, None)]
)
def test_there_is_none_is_believed_above_the_threshold_only(
    threshold: float | None, expected: str | None
) -> None:
    (said,) = QA.decode([ContextScores("red fox", [(0, 3, 2.0)], 5.0, threshold)], SCHEME)
    assert said.answer == expected
    if expected is None:
        assert said.start is said.end is said.sentence is said.sentence_start is None
        assert 0 < said.score < 1
    else:
        assert (said.start, said.end, said.sentence_start) == (0, 3, 0)


def test_white_space_at_the_ends_of_pieces_is_no_part_of_an_answer() -> None:
    features = {
        "example": [0],
        "piece_starts": [[-1, 0, -1, 2, 5, -1]],
        "piece_ends": [[-1, 1, -1, 5, 9, -1]],
    }
    scores = np.zeros((6, 2))
    scores[4] = 7
    (reading,) = gathered([scores], features, {"text": ["?"], "text_pair": ["red fox"]})
    assert reading.spans[0] == (4, 7, 14.0)
    assert "red fox"[slice(*reading.spans[0][:2])] == "fox"


MODEL = tokens.random_model(BertForQuestionAnswering, hidden_dropout_prob=0.0)


def answer(question: str, context: str, **settings_: float) -> FoundAnswer:
    rows, features = encoded(question, context, max_length=24)
    names = [name for name in ("input_ids", "token_type_ids") if name in features]
    scores = []
    for window in range(len(features["input_ids"])):
        batch = pad([{name: features[name][window] for name in names}], pad_token_id=0)
        with torch.no_grad():
            scores.append(run_model(MODEL, batch)[0].numpy())
    return QA.decode(gathered(scores, features, rows, **settings_), SCHEME)[0]


def check(context: str, said: FoundAnswer) -> None:
    for span in said.n_best:
        assert span.text == context[span.start : span.end]
        assert 0 <= span.score <= 1
    assert sum(span.score for span in said.n_best) == pytest.approx(1)
    if said.answer is None:
        return
    assert said.answer == context[said.start : said.end] == said.answer.strip() != ""
    assert said.sentence == context[said.sentence_start : said.sentence_start + len(said.sentence)]
    assert said.sentence_start <= said.start
    assert said.end <= said.sentence_start + len(said.sentence)


@pytest.mark.parametrize(
    "context",
    [
        "colour  red   dark",
        "Café Ålesund, naïve Zoë",
        "cafe\u0301 A\u030alesund",
        "red 👩‍👩‍👧 fox 🇳🇴 rice 😀😀",
        "ＲＥＤ　ｆｏｘ，ｒｉｃｅ",
        "北京大学在北京。東京都 がぎ",
        "\tred\r\nfox\u00a0rice\u2028x",
        "ﬁne İstanbul ß ǅ",
    ],
)
@pytest.mark.parametrize("question", ["which colour", "wh\u200bо 北京 👩‍👧 é"])
def test_offsets_are_exact_in_any_script(question: str, context: str) -> None:
    said = answer(question, context)
    assert said.answer
    check(context, said)


def test_offsets_of_a_known_answer_are_where_it_stands() -> None:
    question, context, wanted = "whïch  😀 colour", "😀  bab  Réd  dark x", "Réd  dark"
    rows, features = encoded(question, context)
    scores = quiet(features)
    start = context.index(wanted)
    assert point(features, scores, start, start + len(wanted), 5.0, shift=len(question) + 1) == 1
    (said,) = QA.decode(gathered(scores, features, rows), SCHEME)
    assert (said.answer, said.start, said.end) == (wanted, start, start + len(wanted))


visible = st.text(min_size=1, max_size=60).filter(lambda text: text.strip())


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(visible, visible, st.sampled_from([{}, {"null_threshold": 0.0}]))
def test_answers_in_any_text_stand_where_they_say(question: str, context: str, settings_: dict) -> None:
    check(context, answer(question, context, **settings_))


# the sentence


@pytest.mark.parametrize(
    ("text", "part", "sentence"),
    [
        ("One. Two is here. Three.", "Two", "Two is here."),
        ("One. Two is here. Three.", "One", "One."),
        ("One. Two is here. Three.", "Three", "Three."),
        ("no end at all", "end", "no end at all"),
        ('He said: "Go!" She went. Gone.', "She", "She went."),
        ("first line\nsecond line\nthird", "second", "second line"),
        ("他来了。她走了！谁？", "她走", "她走了！"),
        ("A. B. C. D.", "B. C", "B. C."),
        ("It cost 3.50 in all. Cheap.", "cost", "It cost 3.50 in all."),
    ],
)
def test_the_sentence_around_an_answer_is_the_whole_sentence(text: str, part: str, sentence: str) -> None:
    start = text.index(part)
    first, last = sentence_around(text, start, start + len(part))
    assert text[first:last] == sentence


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab. !?\n。”", min_size=1, max_size=40), st.data())
def test_the_sentence_around_an_answer_always_holds_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    first, last = sentence_around(text, start, end)
    assert 0 <= first <= start < end <= last <= len(text)


# the threshold


def readings_with(margins: list[float]) -> list[ContextScores]:
    return [ContextScores("red fox", [(0, 3, 0.0)], margin, None) for margin in margins]


def test_the_threshold_is_calibrated_where_validation_scores_best() -> None:
    margins = [-3.0, -1.0, 2.0, 4.0, 5.0]
    gold = [[[0, 3]], [[0, 3]], [[0, 3]], [], []]
    calibrated, chosen = QA.calibrate(readings_with(margins), gold)
    assert chosen == {"null_threshold": 3.0}
    assert [reading.best for reading in calibrated] == ["red", "red", "red", "", ""]
    assert QA.metrics(calibrated, gold)["f1"] == 1.0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-6, 6), st.sampled_from([[], [[0, 3]], [[4, 7]], [[0, 7]]])),
        min_size=1,
        max_size=8,
    )
)
def test_no_threshold_scores_better_on_the_rows_it_was_calibrated_on(rows: list[tuple[int, list]]) -> None:
    # distinct margins: between two that are equal no threshold can stand
    margins = [margin + index / 100 for index, (margin, _) in enumerate(rows)]
    gold = [spans for _, spans in rows]
    calibrated, chosen = QA.calibrate(readings_with(margins), gold)
    if all(gold):
        assert chosen == {}
        return

    def score(threshold: float) -> float:
        total = 0.0
        for margin, spans in zip(margins, gold, strict=True):
            said = "" if margin > threshold else "red"
            total += answer_f1(said, ["red fox"[start:end] for start, end in spans])
        return total / len(margins)

    best = max(score(threshold) for threshold in [min(margins) - 1, *margins])
    assert QA.metrics(calibrated, gold)["f1"] == pytest.approx(best)


def test_questions_with_one_margin_are_calibrated_together() -> None:
    """No threshold parts rows of the same margin, so it must be chosen between groups of them."""
    gold = [[[0, 3]], [], []]
    calibrated, _ = QA.calibrate(readings_with([0.0, 0.0, 0.0]), gold)
    assert QA.metrics(calibrated, gold)["f1"] == pytest.approx(2 / 3)  # none answered; all answered is 1/3


def test_what_was_calibrated_before_does_not_bind_and_unlabelled_rows_do_not_count() -> None:
    before = [ContextScores("red fox", [(0, 3, 0.0)], margin, -99.0) for margin in (-3.0, 2.0, 0.0)]
    calibrated, chosen = QA.calibrate(before, [[[0, 3]], [], None])
    assert chosen == {"null_threshold": -0.5}
    assert [reading.best for reading in calibrated] == ["red", "", ""]


def test_the_same_question_with_a_calibrated_threshold_is_left_unanswered() -> None:
    rows, features = encoded("which colour", "bab red dark")
    scores = quiet(features)
    scores[0][0] = 4  # null: 8
    assert point(features, scores, 4, 7, 3.0, shift=13) == 1
    assert gathered(scores, features, rows)[0].best == "red"
    assert gathered(scores, features, rows, null_threshold=1.0)[0].best == ""
    assert gathered(scores, features, rows, null_threshold=3.0)[0].best == "red"


# a batch in training


def test_rows_are_distributions_over_the_pieces_of_a_window() -> None:
    logits = torch.randn(2, 5, 2)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    rows, taught = QA.loss_rows(logits, {"attention_mask": mask})
    assert taught is None
    assert rows.shape == (2, 2, 5)
    torch.testing.assert_close(rows[0], logits[0].T)
    assert (rows[1, :, 3:] == PADDING).all()
    assert torch.softmax(rows[1], -1)[:, 3:].sum() == 0
