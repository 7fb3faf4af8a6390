from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from tinybert.config import Recipe, build_recipe
from tinybert.data import LabelScheme
from tinybert.errors import RecipeError
from tinybert.losses import cross_entropy
from tinybert.tasks import BUILTIN, class_weights

CLASSIFICATION, MULTILABEL, NER = (BUILTIN[name] for name in ("classification", "multilabel", "ner"))
LABELS = LabelScheme(("bad", "fair", "good"))


def test_balanced_classes_are_scikit_learns_and_leave_the_mean_at_one():
    given = [0] * 7 + [1] * 2 + [2]
    weights = class_weights("balanced", CLASSIFICATION, given, labels=LABELS)
    assert weights == pytest.approx([10 / 21, 10 / 6, 10 / 3])
    assert weights == pytest.approx(compute_class_weight("balanced", classes=np.arange(3), y=given))
    assert np.mean([weights[label] for label in given]) == pytest.approx(1)


def test_a_class_without_rows_counts_one_and_is_no_class():
    assert class_weights("balanced", CLASSIFICATION, [0, 0, 0, 2], labels=LABELS) == pytest.approx(
        [4 / 6, 1, 2]
    )
    assert class_weights("balanced", CLASSIFICATION, [], labels=LABELS) == [1, 1, 1]
    assert class_weights("balanced", MULTILABEL, [], labels=LABELS) == [1, 1, 1]


def test_a_balanced_yes_counts_what_its_no_do():
    given = [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    weights = class_weights("balanced", MULTILABEL, given, labels=LABELS)
    assert weights == [3, 1, 1]  # the second is always there, the third never
    no, yes = compute_class_weight("balanced", classes=np.array([0.0, 1.0]), y=[row[0] for row in given])
    assert weights[0] == pytest.approx(yes / no)


def test_balanced_tags_are_counted_by_word():
    labels = LabelScheme(("O", "B-LOC", "I-LOC"))
    assert class_weights("balanced", NER, [[0, 0, 1], [0]], labels=labels) == pytest.approx([4 / 6, 2, 1])


def test_named_weights_leave_the_others_at_one():
    assert class_weights({"good": 3.0}, CLASSIFICATION, [0], labels=LABELS) == [1, 1, 3]
    assert class_weights("none", CLASSIFICATION, [0], labels=LABELS) is None


def test_a_weight_of_a_label_that_is_not_there_is_refused():
    with pytest.raises(RecipeError) as refused:
        class_weights({"god": 3.0, "x": 1.0, "bad": 2.0}, CLASSIFICATION, [], labels=LABELS)
    unknown = "the data has no such label"
    assert refused.value.problems == (
        f"train.class_weights.god: {unknown}; did you mean 'good'? (allowed: bad, fair, good)",
        f"train.class_weights.x: {unknown} (allowed: bad, fair, good)",
    )


def test_a_word_that_yaml_reads_as_a_truth_value_is_explained():
    weights = Recipe.model_validate({"train": {"class_weights": {True: 2.0}}}).train.class_weights
    with pytest.raises(RecipeError, match="YAML reads yes, no, on and off as truth values: put such"):
        class_weights(weights, CLASSIFICATION, [], labels=LabelScheme(("no", "yes")))
    assert class_weights(weights, CLASSIFICATION, [], labels=LabelScheme(("false", "true"))) == [1, 2]


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("blanced", "must be none, balanced or a mapping such as {label: 2}"),
        ({"a": float("nan")}, "the weight of a must be a finite number, not nan"),
        ({"a": {"b": 3}}, "put a label with a dot in quotes"),
        ({"a": True}, "the weight of a must be a finite number, not true"),
    ],
)
def test_weights_that_are_none_are_refused_once(weights: object, said: str):
    with pytest.raises(RecipeError) as refused:
        build_recipe({"train": {"class_weights": weights}})
    (problem,) = refused.value.problems
    assert said in problem


def test_a_hard_loss_is_given_the_settings_that_it_has_parameters_for():
    logits, batch = torch.randn(4, 3).double(), {"labels": torch.tensor([0, 1, 2, 2])}
    settings = {"class_weights": torch.tensor([1.0, 2.0, 5.0]), "focal_gamma": 1.0}
    weighted = CLASSIFICATION.hard_loss("cross_entropy", **settings)(logits, batch)
    each = functional.cross_entropy(logits, batch["labels"], reduction="none")
    torch.testing.assert_close(weighted, (each * torch.tensor([1.0, 2.0, 5.0, 5.0])).mean())
    focal = CLASSIFICATION.hard_loss("focal", **settings)(logits, batch)
    assert focal < weighted
    no_weights = replace(
        CLASSIFICATION, hard_losses={"plain": lambda rows, labels: cross_entropy(rows, labels)}
    )
    torch.testing.assert_close(no_weights.hard_loss("plain", **settings)(logits, batch), each.mean())
