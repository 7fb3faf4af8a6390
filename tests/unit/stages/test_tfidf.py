from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
from datasets import Dataset
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline, make_union

from tinybert.data import LabelScheme
from tinybert.stages.steps.baselines.tfidf import (
    TfidfModel,
    bounded,
    describe,
    fit,
    measured,
    texts_of,
    tfidf,
)
from tinybert.tasks import BUILTIN as TASKS

module = sys.modules[fit.__module__]
WORDS = ["warm", "dull", "slow", "funny", "a", "film", "the", "plot", "很", "好吃", "慢", "!"]


def make_rows(count: int, *, num_labels: int, is_pair: bool = False, seed: int = 0) -> Dataset:
    rng = random.Random(seed)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(3, 8))) for _ in range(count)]
    others = [" ".join(rng.sample(text.split(), 2)) + " film" for text in texts]
    labels = [(text.count("warm") + 2 * text.count("dull")) % num_labels for text in texts]
    return Dataset.from_dict({"text": texts, **({"text_pair": others} if is_pair else {}), "label": labels})


def predicted(model: TfidfModel, rows: Dataset, task: str) -> np.ndarray:
    return model(texts_of(rows, TASKS[task].format))


def by_hand(classifier: object) -> object:
    """The same as scikit-learn's own pipeline."""
    words = TfidfVectorizer(
        token_pattern=r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+",
        ngram_range=(1, 2),
        sublinear_tf=True,
        dtype=np.float32,
    )
    characters = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True, dtype=np.float32)
    return make_pipeline(make_union(words, characters), classifier)


@pytest.mark.parametrize("num_labels", [2, 4])
def test_classes_are_those_of_scikit_learn_by_hand(num_labels: int) -> None:
    rows, test = (make_rows(120, num_labels=num_labels, seed=seed) for seed in (0, 1))
    pipeline = by_hand(LogisticRegression(C=10, max_iter=200)).fit(rows["text"], rows["label"])
    outputs = predicted(fit(rows, TASKS["classification"], num_outputs=num_labels), test, "classification")
    assert outputs.shape == (120, num_labels)
    np.testing.assert_array_equal(outputs.argmax(1), pipeline.predict(test["text"]))
    shares = TASKS["classification"].probabilities(outputs)  # type: ignore[misc]
    np.testing.assert_allclose(shares, pipeline.predict_proba(test["text"]), atol=1e-4)
    assert np.mean(outputs.argmax(1) == test["label"]) > 1.3 / num_labels


def test_labels_are_those_of_one_classifier_each() -> None:
    rows, test = (make_rows(120, num_labels=8, seed=seed) for seed in (0, 1))
    flags = [[float(label >> bit & 1) for bit in range(3)] for label in rows["label"]]
    labelled = rows.remove_columns("label").add_column("label", flags)  # pyright: ignore[reportCallIssue]
    hand = by_hand(OneVsRestClassifier(LogisticRegression(C=10, max_iter=200))).fit(
        rows["text"], np.array(flags).astype(int)
    )
    outputs = predicted(fit(labelled, TASKS["multilabel"], num_outputs=3), test, "multilabel")
    np.testing.assert_array_equal(outputs >= 0, hand.predict(test["text"]).astype(bool))


def test_numbers_of_pairs_are_those_of_a_ridge_regression_on_both_texts_and_their_difference() -> None:
    rows, test = (make_rows(60, num_labels=5, is_pair=True, seed=seed) for seed in (0, 1))
    union = by_hand(Ridge())[0]
    union.fit([*rows["text"], *rows["text_pair"]])

    def features(given: Dataset) -> object:
        first, second = union.transform(given["text"]), union.transform(given["text_pair"])
        cosines = [
            np.diag((part.transform(given["text"]) @ part.transform(given["text_pair"]).T).toarray())
            for _, part in union.transformer_list
        ]
        return hstack([first, second, abs(first - second), np.array(cosines).T]).tocsr()

    hand = Ridge().fit(features(rows), rows["label"])
    outputs = predicted(fit(rows, TASKS["regression"], num_outputs=1), test, "regression")
    np.testing.assert_allclose(outputs[:, 0], hand.predict(features(test)), atol=2e-2)


def test_the_same_rows_give_the_same_model_and_a_text_alone_the_same_prediction() -> None:
    rows = make_rows(60, num_labels=3)
    one, other = (fit(rows, TASKS["classification"], num_outputs=3) for _ in range(2))
    texts = texts_of(rows, TASKS["classification"].format)
    np.testing.assert_array_equal(one(texts), other(texts))
    np.testing.assert_allclose(one(texts[:1]), one(texts)[:1], rtol=1e-5)


def test_size_and_parameters_by_hand() -> None:
    rows = Dataset.from_dict({"text": ["ab", "é", "ab"], "label": [0, 1, 0]})
    model = fit(rows, TASKS["classification"], num_outputs=2)
    # words ab, é; characters a, b, ab, é: two classes have one row of weights
    assert model.num_parameters == 6
    num_bytes = sum(len(term.encode()) + 1 for term in ["ab", "é", "a", "b", "ab", "é"])
    assert model.size_mb == (num_bytes + 6 * 4 + 6 * 4) / 1e6


@pytest.mark.parametrize(
    ("task", "labels", "num_outputs", "expected"),
    [
        ("classification", [1, 1, 1], 3, [1, 1, 1]),
        ("classification", [2, 1, 2], 3, [2, 1, 2]),
        ("multilabel", [[1.0, 0.0]] * 3, 2, [[True, False]] * 3),
        ("regression", [2.5, 2.5, 2.5], 1, [2.5] * 3),
    ],
)
def test_labels_that_never_change_or_never_come(
    task: str, labels: list[object], num_outputs: int, expected: list[object]
) -> None:
    rows = Dataset.from_dict({"text": ["!?", "x", "!?"], "label": labels})
    outputs = predicted(fit(rows, TASKS[task], num_outputs=num_outputs), rows, task)
    read = {"classification": outputs.argmax(1), "multilabel": outputs >= 0, "regression": outputs[:, 0]}
    np.testing.assert_allclose(read[task], expected)
    assert np.isfinite(outputs).all()


@pytest.mark.parametrize("texts", [["   .", "!", "?"], ["一", "二", "三"], ["\t", " ", "\n"]])
def test_texts_without_a_word(texts: Sequence[str]) -> None:
    rows = Dataset.from_dict({"text": texts, "label": [0, 1, 0]})
    assert predicted(fit(rows, TASKS["classification"], num_outputs=2), rows, "classification").shape == (
        3,
        2,
    )


def test_large_data_is_bounded_by_a_fixed_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [("abcde", "fghij")] * 100
    assert len(bounded(texts, num_outputs=2)) == 100
    monkeypatch.setattr(module, "MAX_CHARACTERS", 500)
    kept = bounded(texts, num_outputs=2)
    assert len(kept) == 50
    assert kept.tolist() == sorted(set(kept.tolist())) == bounded(texts, num_outputs=2).tolist()
    assert kept.max() - kept.min() > 60
    monkeypatch.setattr(module, "MAX_CHARACTERS_OF_CLASSES", 1000)
    assert len(bounded(texts, num_outputs=10)) == 10
    said = describe(TASKS["classification"], num_rows=100, num_used=50, is_pair=True)
    assert "from 50 of the 100 labelled rows" in said
    assert "of both texts, their difference and their cosines" in said
    monkeypatch.setattr(module, "MAX_WEIGHTS", 60)
    model = fit(make_rows(30, num_labels=3), TASKS["classification"], num_outputs=3)
    assert model.num_parameters == 60


def work_of(train: Dataset, test: Dataset, leaked: np.ndarray | None = None) -> SimpleNamespace:
    """What the baseline reads of a distillation."""
    data = SimpleNamespace(
        splits={"train": train, "test": test},
        leaked={} if leaked is None else {"test": leaked},
        labels=LabelScheme(("a", "b", "c")),
        is_pair=False,
    )
    return SimpleNamespace(plan=SimpleNamespace(task=TASKS["classification"]), data=data)


def test_its_row_has_scores_costs_and_the_same_without_leaked_rows() -> None:
    rows = make_rows(90, num_labels=3)
    leaked = np.arange(30) < 10
    row = measured(work_of(rows, rows.select(range(30)), leaked), rows)  # type: ignore[arg-type]
    outputs = predicted(fit(rows, TASKS["classification"], num_outputs=3), rows, "classification")
    right = outputs.argmax(1) == rows["label"]
    assert row["test"]["accuracy"] == right[:30].mean()  # type: ignore[index]
    assert row["test_without_leakage"]["accuracy"] == right[10:30].mean()  # type: ignore[index]
    assert row["title"] == "TF-IDF + logistic regression"
    assert all(row[name] > 0 for name in ("num_parameters", "predict_seconds", "latency_ms"))  # type: ignore[operator]
    assert {"size_mb", "train_seconds"} < set(row)


def test_without_a_label_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    rows = Dataset.from_dict({"text": ["one", "two"], "label": [None, None]})
    assert tfidf(work_of(rows, rows), {}) is None  # type: ignore[arg-type]
    assert "no training row has a label: there is no TF-IDF baseline" in capsys.readouterr().err
