import math

import numpy as np
import pytest

from tinybert.data import LabelScheme
from tinybert.errors import ModelError
from tinybert.tasks import BUILTIN, TextPrediction

SINGLE = LabelScheme(("bad", "fair", "good"))
MULTI = LabelScheme(("angry", "glad", "sad"))
VALUE = LabelScheme()

classify = BUILTIN["classification"].decode
tag = BUILTIN["multilabel"].decode
rate = BUILTIN["regression"].decode


def test_classification_names_the_likeliest_class_with_its_probability():
    (answer,) = classify(np.log(np.array([[0.2, 0.3, 0.5]])), SINGLE)
    assert answer.label == "good"
    assert answer.score == pytest.approx(0.5)
    assert list(answer.scores) == list(SINGLE.names)
    assert answer.scores == pytest.approx({"bad": 0.2, "fair": 0.3, "good": 0.5})


def test_classification_takes_logits_of_any_size():
    (answer,) = classify(np.array([[-1e4, 0.0, 1e4]], np.float32), SINGLE)
    assert answer == TextPrediction("good", 1.0, {"bad": 0.0, "fair": 0.0, "good": 1.0})


def test_multilabel_names_every_class_from_a_half_on():
    answers = tag(np.array([[math.log(3), 0.0, -math.log(3)], [-2.0, -1.0, -3.0]]), MULTI)
    assert [answer.label for answer in answers] == [["angry", "glad"], []]
    assert answers[0].scores == pytest.approx({"angry": 0.75, "glad": 0.5, "sad": 0.25})
    assert answers[0].score == pytest.approx(0.75)
    assert answers[1].score == pytest.approx(1 / (1 + math.e))


def test_multilabel_takes_logits_of_any_size():
    (answer,) = tag(np.array([[-1e4, 0.0, 1e4]], np.float32), MULTI)
    assert answer.scores == {"angry": 0.0, "glad": 0.5, "sad": 1.0}


def test_multilabel_is_scored_on_what_it_answers():
    """A logit of 0 is a probability of 0.5: named by decode, so counted by metrics."""
    logits = np.array([[0.0, -1.0]])
    scheme = LabelScheme(("a", "b"))
    named = np.array([[name in answer.label for name in scheme.names] for answer in tag(logits, scheme)])
    assert BUILTIN["multilabel"].metrics(logits, named.astype(float))["accuracy"] == 1.0


def test_regression_gives_the_number():
    assert rate(np.array([[2.5], [-1.0]]), VALUE) == [
        TextPrediction(None, 2.5, {}),
        TextPrediction(None, -1.0, {}),
    ]


@pytest.mark.parametrize(("decode", "scheme"), [(classify, SINGLE), (tag, MULTI), (rate, VALUE)])
def test_other_widths_than_the_labels_are_refused(decode, scheme):
    with pytest.raises(ModelError, match=r"shape \(1, 5\), but the labels ask for"):
        decode(np.zeros((1, 5)), scheme)


def test_metrics_of_regression_refuse_several_outputs():
    with pytest.raises(ModelError, match="the labels ask for"):
        BUILTIN["regression"].metrics(np.zeros((2, 3)), np.zeros(2))


def test_binary_f1_needs_two_outputs_not_two_classes_seen():
    scores = BUILTIN["classification"].metrics(np.eye(3)[:2], np.array([0, 1]))
    assert "f1" not in scores
    assert "f1" in BUILTIN["classification"].metrics(np.eye(2), np.array([0, 1]))
