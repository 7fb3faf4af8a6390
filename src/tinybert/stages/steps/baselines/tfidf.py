"""The baseline that costs almost nothing: TF-IDF of words and characters, and a linear model.

Legend: N rows, F features, C outputs of the task.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
from datasets import Dataset

from tinybert.console import say
from tinybert.data.row_format import RowFormat
from tinybert.evaluation import row_latencies_ms, score_outputs
from tinybert.stages.steps.baselines.compared import Compared
from tinybert.stages.steps.distillation import Distillation
from tinybert.stages.steps.finish import evaluation_split, scored_rows
from tinybert.storage import Json
from tinybert.tasks import Task
from tinybert.tasks.linear import LinearModel, Weights

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.pipeline import FeatureUnion

NAME = "tfidf"
WORD = r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+"
"""A word, however short; a Chinese character is one, as for BERT's tokenizer."""
MAX_FEATURES = 200_000
MAX_WEIGHTS = 5_000_000
"""The solver keeps some twenty copies of them, 8 bytes a weight."""
MAX_CHARACTERS = 20_000_000
MAX_CHARACTERS_OF_CLASSES = 100_000_000
"""Characters read times the outputs that learn from them: about a minute."""

Texts = Sequence[tuple[str, ...]]
"""The texts of each row: one, or the two of a pair."""


def tfidf(work: Distillation, student: Json) -> Compared | None:
    """Train and score the baseline on the rows of a distillation; the network's device is not used."""
    rows, _ = scored_rows(work.data, "train")
    if len(rows) == 0:
        say("no training row has a label: there is no TF-IDF baseline")
        return None
    _, row = work.run.step(NAME, lambda _: measured(work, rows))
    return Compared(str(row["description"]), row=row)


def measured(work: Distillation, rows: Dataset) -> Json:
    """Return the baseline's row of ``metrics.json``."""
    task, data = work.plan.task, work.data
    split = evaluation_split(data)
    test_rows, leaked = scored_rows(data, split)
    kept = bounded(texts_of(rows, task.format), num_outputs=data.labels.num_labels)
    start = time.perf_counter()
    model = fit(rows.select(kept), task, num_outputs=data.labels.num_labels)
    train_seconds = time.perf_counter() - start
    start = time.perf_counter()
    texts = texts_of(test_rows, task.format)
    outputs = model(texts)
    predict_seconds = time.perf_counter() - start
    scores, without_leakage = score_outputs(task, outputs, test_rows, leaked=leaked)
    latencies = row_latencies_ms({NAME: model}, texts)
    return {
        "title": f"TF-IDF + {_linear(task).name}",
        split: scores,
        **({f"{split}_without_leakage": without_leakage} if without_leakage else {}),
        "num_parameters": model.num_parameters,
        "size_mb": round(model.size_mb, 3),
        "predict_seconds": round(predict_seconds, 3),
        "train_seconds": round(train_seconds, 1),
        "latency_ms": latencies[NAME],
        "description": describe(task, num_rows=len(rows), num_used=len(kept), is_pair=data.is_pair),
    }


def describe(task: Task, *, num_rows: int, num_used: int, is_pair: bool) -> str:
    """Return the sentence on what it is and what its figures count."""
    pairs = " of both texts, their difference and their cosines" if is_pair else ""
    fewer = f", from {num_used:,} of the {num_rows:,} labelled rows" if num_used < num_rows else ""
    return (
        f"TF-IDF: words 1–2 and characters 1–4{pairs}, {_linear(task).name}{fewer}; its parameters are "
        "weights, its MB these and its vocabulary."
    )


def texts_of(rows: Dataset, format: RowFormat) -> list[tuple[str, ...]]:
    """Return the texts of each row."""
    return [tuple(part.text for part in format.parts(cast("dict[str, object]", row))) for row in rows]


def bounded(texts: Texts, *, num_outputs: int) -> np.ndarray:
    """Return the indices of the rows that are trained on: all, or a fixed draw of what a minute allows."""
    num_characters = sum(len(text) for row in texts for text in row)
    most = min(MAX_CHARACTERS, MAX_CHARACTERS_OF_CLASSES // num_outputs)
    if num_characters <= most:
        return np.arange(len(texts))
    count = max(1, len(texts) * most // num_characters)
    return np.sort(np.random.default_rng(0).choice(len(texts), count, replace=False))


@dataclass(frozen=True)
class TfidfModel:
    """A trained baseline.

    Attributes:
        union: Words and characters, each with its vocabulary.
        weights: (C, F) and (C).
    """

    union: FeatureUnion
    weights: Weights

    def __call__(self, texts: Texts) -> np.ndarray:
        """Return the outputs (N, C) of some rows."""
        weights, biases = self.weights
        stacked = cast("csr_matrix", self.union.transform(in_columns(texts)))
        return joined(stacked, self.union, num_rows=len(texts)) @ weights.T + biases

    @property
    def num_parameters(self) -> int:
        """Weights that are not 0."""
        return int(np.count_nonzero(self.weights[0]))

    @property
    def size_mb(self) -> float:
        """Its weights and each term's IDF in fp32, and its terms as UTF-8, one a line."""
        terms = cast("np.ndarray", self.union.get_feature_names_out())
        num_bytes = sum(len(str(term).partition("__")[2].encode()) + 1 for term in terms)
        return (num_bytes + 4 * (len(terms) + self.num_parameters)) / 1e6


def fit(rows: Dataset, task: Task, *, num_outputs: int) -> TfidfModel:
    """Train the baseline on labelled rows.

    Words 1–2 and characters 1–4, in lower case, with sublinear counts; then the task's linear model. Both
    texts of a pair share one vocabulary; see :func:`joined`.

    Args:
        rows: A split, as :func:`tinybert.data.load` has it.
        task: A task with a linear model.
        num_outputs: C.
    """
    texts = texts_of(rows, task.format)
    times = 1 if len(texts[0]) == 1 else 3  # both texts and their difference
    columns = in_columns(texts)
    most = min(MAX_FEATURES, MAX_WEIGHTS // (num_outputs * times))
    union = vectoriser(most, has_words=any(re.search(WORD, text) for text in columns))
    stacked = cast("csr_matrix", union.fit_transform(columns))
    features = joined(stacked, union, num_rows=len(texts))
    return TfidfModel(union, _linear(task).fit(features, task.format.gold(rows), num_outputs))


def vectoriser(max_features: int, *, has_words: bool) -> FeatureUnion:
    """Return what makes features of texts: the most frequent terms, half of them words, half characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import FeatureUnion

    half = max(1, max_features // 2)
    make = partial(TfidfVectorizer, sublinear_tf=True, max_features=half, dtype=np.float32)  # pyright: ignore[reportArgumentType]
    words = [("words", make(token_pattern=WORD, ngram_range=(1, 2)))] if has_words else []
    return FeatureUnion([*words, ("characters", make(analyzer="char", ngram_range=(1, 4)))])


def in_columns(texts: Texts) -> list[str]:
    """Return all first texts, then all second ones."""
    return [text for column in zip(*texts, strict=True) for text in column]


def joined(stacked: csr_matrix, union: FeatureUnion, *, num_rows: int) -> csr_matrix:
    """Return the features of rows from those of their texts, which are in columns; see :func:`in_columns`.

    Of a pair: the features of each text, their absolute difference, the cosine of the words and that of the
    characters.
    """
    from scipy.sparse import csr_matrix, hstack

    first, second = stacked[:num_rows], stacked[num_rows:]
    if second.shape[0] == 0:
        return first
    shared = first.multiply(second).tocsc()
    ends = np.cumsum([0, *(len(part.vocabulary_) for _, part in union.transformer_list)]).tolist()
    cosines = [csr_matrix(shared[:, start:end].sum(axis=1)) for start, end in pairwise(ends)]
    return cast("csr_matrix", hstack([first, second, abs(first - second), *cosines], format="csr"))


def _linear(task: Task) -> LinearModel:
    assert task.linear is not None, "the plan has refused it"
    return task.linear
