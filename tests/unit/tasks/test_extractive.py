"""Summaries of a document's own sentences: the oracle, the windows, how many sentences, ROUGE, the lead."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests import easy

from tinybert.data import LabelScheme
from tinybert.errors import DataError, ModelError
from tinybert.tasks import BUILTIN
from tinybert.tasks.extractive.oracle import oracle
from tinybert.tasks.extractive.rows import SummaryRows, columns_of_documents
from tinybert.tasks.extractive.task import SentenceScores
from tinybert.tasks.lead import best_num_sentences, first_sentences

TASK = BUILTIN["extractive"]
LABELS = LabelScheme(("other", "summary"))
TEXT = "One of it. A good day. The far town. Bad old man."


def scored(text: str, scores: list[float], count: int = 3) -> SentenceScores:
    columns = columns_of_documents([text])
    starts, ends = columns["sentence_starts"][0], columns["sentence_ends"][0]
    return SentenceScores(text, starts, ends, np.array(scores), count)


# the oracle


@pytest.mark.parametrize(
    ("sentences", "reference", "chosen"),
    [
        # the second alone has an F1 of 1 twice, and nothing raises that
        (["a b", "x y z"], "x y z", [1]),
        # "x y" alone: R1 = 2·2/(2+4), R2 = 2·1/(1+3); with "z w": 1.0 and 2·2/(2+3): both are taken
        (["z w", "n n", "x y"], "x y z w", [0, 2]),
        # a word more that is not in the reference lowers F1: "x y n n n n" is left out
        (["x y", "x y n n n n"], "x y", [0]),
        # a repeated word counts no more often than in the reference
        (["x x x x", "x"], "x", [1]),
        (["a", "b"], "c d", []),
        ([], "c d", []),
        (["One"], "one", [0]),
        # the first of equal ones
        (["x y", "x y"], "x y", [0]),
    ],
)
def test_the_oracle_takes_what_raises_rouge_most(
    sentences: list[str], reference: str, chosen: list[int]
) -> None:
    assert oracle(sentences, [reference], num_sentences=3) == chosen


def test_the_oracle_takes_no_more_than_it_may() -> None:
    sentences = ["a b", "c d", "e f", "g h"]
    assert oracle(sentences, ["a b c d e f g h"], num_sentences=3) == [0, 1, 2]
    assert oracle(sentences, ["e f g h"], num_sentences=1) == [2]


def test_the_reference_that_can_be_reached_counts() -> None:
    assert oracle(["a b c", "x y"], ["x z q", "a b c"], num_sentences=3) == [0]


def test_chinese_characters_are_words_of_the_oracle() -> None:
    assert oracle(["今天下雨了。", "我们去北京。"], ["去北京"], num_sentences=3) == [1]


def test_the_oracle_is_the_greedy_choice_by_rouge_itself() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        sentences = [" ".join(rng.choice(list("abcdefgh"), 4)) for _ in range(6)]
        reference = " ".join(rng.choice(list("abcdefgh"), 9))
        assert oracle(sentences, [reference], num_sentences=3) == slow_oracle(sentences, reference)


def slow_oracle(sentences: list[str], reference: str) -> list[int]:
    """Choose by counting everything again for each try."""
    chosen: list[int] = []
    best = 0.0
    for _ in range(3):
        tried = {
            index: rouge([sentences[each] for each in (*chosen, index)], reference)
            for index in range(len(sentences))
            if index not in chosen
        }
        index = max(tried, key=lambda each: tried[each])
        if tried[index] <= best:
            break
        best = tried[index]
        chosen.append(index)
    return sorted(chosen)


def rouge(sentences: list[str], reference: str) -> float:
    total = 0.0
    for size in (1, 2):
        wanted, *found = (
            [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]
            for words in (reference.split(), *(sentence.split() for sentence in sentences))
        )
        grams = [gram for each in found for gram in each]
        hits = sum(min(wanted.count(gram), grams.count(gram)) for gram in set(grams))
        total += 2 * hits / (len(wanted) + len(grams))
    return total


# scores of pieces → sentences


def windows_of(text: str, max_length: int) -> dict[str, list[object]]:
    return TASK.format.encode(easy.make_tokenizer(), columns_of_documents([text]), max_length=max_length)


@pytest.mark.parametrize("seed", range(4))
def test_a_sentence_has_the_highest_probability_of_all_windows(seed: int) -> None:
    long = " ".join([TEXT, TEXT])
    features = windows_of(long, 16)
    assert len(features["input_ids"]) > 1
    begins = [row for window in features["sentences"] for row in window if row >= 0]
    assert set(begins) == set(range(8))
    assert len(begins) > 8  # windows overlap
    rng = np.random.default_rng(seed)
    scores = [rng.normal(size=(len(ids), 2)).astype(np.float32) for ids in features["input_ids"]]
    (found,) = TASK.aggregate(scores, features, columns_of_documents([long]), labels=LABELS, settings={})
    expected = np.zeros(8)
    for logits, sentences in zip(scores, features["sentences"], strict=True):
        shares = torch.tensor(logits).softmax(-1)[:, 1].numpy()
        for share, sentence in zip(shares, sentences, strict=True):
            if sentence >= 0:
                expected[sentence] = max(expected[sentence], share)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-5)


def test_the_outputs_are_known_by_their_names() -> None:
    features = windows_of(TEXT, 64)
    scores = [np.tile([0.0, 5.0], (len(features["input_ids"][0]), 1))]
    rows = columns_of_documents([TEXT])
    turned = LabelScheme(("summary", "other"))
    sure, unsure = (
        TASK.aggregate(scores, features, rows, labels=labels, settings={})[0] for labels in (LABELS, turned)
    )
    assert (sure.scores > 0.99).all()
    assert (unsure.scores < 0.01).all()


def test_the_best_sentences_come_in_the_order_of_the_document() -> None:
    (found,) = TASK.decode([scored(TEXT, [0.2, 0.9, 0.1, 0.95], count=2)], LABELS)
    assert [sentence.text for sentence in found.sentences] == ["A good day.", "Bad old man."]
    assert found.summary == "A good day. Bad old man."
    assert [TEXT[each.start : each.end] for each in found.sentences] == ["A good day.", "Bad old man."]
    assert found.score == pytest.approx(0.925)
    assert found.table() == (["summary", "score"], [[found.summary, found.score]])
    assert list(found.fields()) == ["summary", "sentences"]


def test_a_document_with_fewer_sentences_is_its_own_summary() -> None:
    (found,) = TASK.decode([scored("Only one.", [0.0])], LABELS)
    assert found.summary == "Only one."
    (found,) = TASK.decode([scored("  ", [])], LABELS)
    assert (found.summary, found.sentences, found.score) == ("", [], 0.0)


def test_it_is_shown_with_its_sentences_and_their_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    (found,) = TASK.decode([scored("今天下雨。我们\n走了。", [0.25, 0.5, 0.75], count=2)], LABELS)
    shown = found.shown("今天下雨。我们\n走了。")
    assert shown.splitlines() == ["[今天下雨。我们 走了。]", "  50.0%\t我们", "  75.0%\t走了。"]
    assert found.shown("x" * 100).splitlines()[0] == f"[{'x' * 60}…]"


# how many sentences, and metrics


def test_how_many_sentences_a_summary_has_is_chosen_on_validation_rows() -> None:
    outputs = [scored(TEXT, [0.1, 0.9, 0.2, 0.8], count=3)] * 2
    two = [["A good day. Bad old man."], None]
    calibrated, settings = TASK.calibrate(outputs, two)
    assert settings == {"num_sentences": 2.0}
    assert [row.summary for row in calibrated] == ["A good day. Bad old man."] * 2
    assert TASK.metrics(calibrated, two) == {"rouge1": 100.0, "rouge2": 100.0, "rougeL": 100.0}
    assert TASK.calibrate(outputs, [None, None])[1] == {"num_sentences": 3.0}
    assert TASK.needs_calibration(two)
    assert not TASK.needs_calibration([None, None])


def test_a_kept_number_of_sentences_is_read() -> None:
    features, rows = windows_of(TEXT, 64), columns_of_documents([TEXT])
    scores = [np.zeros((len(features["input_ids"][0]), 2))]
    (found,) = TASK.aggregate(scores, features, rows, labels=LABELS, settings={"num_sentences": 1.0})
    assert found.summary == "One of it."


def test_the_metrics_are_those_of_the_joined_sentences() -> None:
    """Three of the summary's six words are the reference's three: R1 = RL = 2·3/9, R2 = 2·2/(5+2)."""
    found = TASK.metrics([scored(TEXT, [0.9, 0.8, 0.1, 0.1], count=2)], [["a good day", "zzz"]])
    assert found == pytest.approx({"rouge1": 200 / 3, "rouge2": 400 / 7, "rougeL": 200 / 3})
    with pytest.raises(DataError, match="none of 1 rows has a gold label"):
        TASK.metrics([scored(TEXT, [0.0] * 4)], [None])


def test_other_outputs_are_refused_with_the_fix() -> None:
    with pytest.raises(
        ModelError, match="its outputs are O, B-LOC; for sentences they are other and summary"
    ):
        SummaryRows().scheme_of_outputs(["O", "B-LOC"], subject="model")


# the lead


def test_the_lead_is_the_first_sentences_as_many_as_are_best_on_validation_rows() -> None:
    rows = columns_of_documents([TEXT, "一。二。三。"])
    free = TASK.free["lead"](rows, [["One of it. A good day."], ["一。二。"]])
    assert free.title == "lead: the first 2 sentences"
    predicted = free.predict(columns_of_documents([TEXT, "甲。乙。丙。"]))
    assert [row.summary for row in predicted] == ["One of it. A good day.", "甲。乙。"]
    assert TASK.free["lead"]({}, []).title == "lead: the first 3 sentences"
    one = TASK.free["lead"](rows, [["One of it."], None])
    assert one.title == "lead: the first sentence"


def test_the_least_of_equally_good_numbers_is_chosen() -> None:
    assert best_num_sentences(lambda count: ["a"], [["a"]]) == 1
    assert best_num_sentences(lambda count: ["a"], [None]) == 3
    assert first_sentences("A. b", 5) == "A. b"
