"""Two tasks that nothing in ``tinybert`` knows go through everything: written here, and given by name.

``RATING``: an ordinal rating such as ``3/5``, neither class nor number. ``SHOUTS``: for each word whether it
is shouted, a token task that is not named entities.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
import torch
from datasets import Dataset
from tests import easy
from tests.command import call, metrics_of, refused
from transformers import PreTrainedTokenizerBase

from tinybert import Predictor, open_run
from tinybert.config import build_recipe
from tinybert.data import LabelScheme, TextRow
from tinybert.data.fields import FieldError
from tinybert.data.row_format import (
    Balance,
    Column,
    ColumnNames,
    Columns,
    Record,
    RowFormat,
    StoredRow,
    TextPart,
)
from tinybert.data.windows import encode_windows
from tinybert.errors import DataError, ModelError, RecipeError
from tinybert.losses import binary_cross_entropy, cross_entropy
from tinybert.models.head import TOKEN
from tinybert.stages.plan.training import find_task
from tinybert.tasks import Prediction, Task
from tinybert.tasks.class_weights import balanced
from tinybert.tasks.linear import LOGISTIC_REGRESSION_A_LABEL
from tinybert.tasks.ner.words import join_words, segment, words_of_pieces
from tinybert.tasks.task import require_finite
from tinybert.tasks.text_rows import TextRows

STARS = 5
RATED = re.compile(r"([1-5])/5")
THRESHOLDS = tuple(f"at least {stars}" for stars in range(2, STARS + 1))

# an ordinal rating: four outputs, each says whether the rating is at least so high


@dataclass(frozen=True, slots=True)
class Rating(Prediction):
    stars: int
    score: float

    def fields(self) -> dict[str, object]:
        return {"stars": self.stars, "score": self.score}

    def table(self) -> tuple[list[str], Sequence[Sequence[object]]]:
        return ["stars", "score"], [[self.stars, self.score]]

    def shown(self, text: str) -> str:
        return f"{'★' * self.stars}\t{text}"

    def scores_compared(self) -> list[float]:
        return [self.score]

    def is_same(self, other: Prediction, *, value_range: float) -> bool:
        return isinstance(other, Rating) and self.stars == other.stars

    def as_label(self) -> object:
        return f"{self.stars}/5"


@dataclass(frozen=True)
class RatedRows(TextRows):
    label: ClassVar[Column] = Column(("rating",), "rating")
    missing_label: ClassVar[str] = "give the row a rating such as 3/5"

    @property
    def label_type(self) -> pa.DataType:
        return pa.list_(pa.float32())

    def stored_label(self, raw: object) -> object:
        if not isinstance(raw, str) or not RATED.fullmatch(raw.strip()):
            raise ValueError(f"{raw!r} is no rating; write 1/5 to 5/5")
        return raw.strip()

    def names_in(self, stored: str, labels: LabelScheme) -> frozenset[str]:
        return frozenset()

    def scheme(self, raw_labels: Iterable[object]) -> LabelScheme:
        return LabelScheme(THRESHOLDS)

    def label_of(self, raw: object, labels: LabelScheme) -> list[float]:
        stars = int(str(self.stored_label(raw))[0])
        return [float(stars >= threshold) for threshold in range(2, STARS + 1)]

    def written_label(self, label: object, labels: LabelScheme) -> object:
        return f"{1 + int(sum(label))}/5"  # type: ignore[call-overload]

    def balance(self, given: Iterable[Sequence[float]], labels: LabelScheme) -> Balance | None:
        stars = [1 + sum(label) for label in given]
        return Balance("ok", f"{np.mean(stars):.1f} stars on average")


def decode_ratings(logits: np.ndarray, labels: LabelScheme) -> list[Rating]:
    shares = 1 / (1 + np.exp(-require_finite(logits)))
    return [Rating(1 + int((row > 0.5).sum()), float(row.mean())) for row in shares]


def rating_metrics(logits: np.ndarray, gold: np.ndarray) -> dict[str, float]:
    stars = 1 + (require_finite(logits) > 0).sum(1)
    wanted = 1 + np.asarray(gold).sum(1)
    return {"near": float((np.abs(stars - wanted) <= 1).mean()), "exact": float((stars == wanted).mean())}


RATING = Task(
    name="rating",
    format=RatedRows(),
    problem_type="multi_label_classification",
    main_metric="exact",
    hard_losses={"binary_cross_entropy": binary_cross_entropy},
    soft_losses=("mse_logits",),
    decode=decode_ratings,
    metrics=rating_metrics,
    linear=LOGISTIC_REGRESSION_A_LABEL,
)

# shouted words: one of two classes a word, no BIO


@dataclass(frozen=True, slots=True)
class Shouts(Prediction):
    words: list[str]

    def fields(self) -> dict[str, object]:
        return {"shouted": self.words}

    def table(self) -> tuple[list[str], Sequence[Sequence[object]]]:
        return ["shouted"], [[word] for word in self.words]

    def shown(self, text: str) -> str:
        return f"{text}\t{' '.join(self.words)}"

    def scores_compared(self) -> list[float]:
        return [float(len(self.words))]

    def is_same(self, other: Prediction, *, value_range: float) -> bool:
        return isinstance(other, Shouts) and self.words == other.words


@dataclass(frozen=True)
class ShoutRows(RowFormat):
    text: ClassVar[Column] = Column(("said",), "text")
    label: ClassVar[Column] = Column(("loud",), "label")
    windowed: ClassVar[bool] = True

    def stored_fields(self, *, is_pair: bool) -> list[pa.Field]:
        places = pa.list_(pa.int32())
        return [pa.field("text", pa.string()), pa.field("word_starts", places), pa.field("word_ends", places)]

    def reader(self, columns: ColumnNames, class_names: Mapping[str, Sequence[str]]) -> ShoutReader:
        return ShoutReader(columns)

    @property
    def label_type(self) -> pa.DataType:
        return pa.list_(pa.int64())

    def scheme(self, raw_labels: Iterable[object]) -> LabelScheme:
        return LabelScheme(("quiet", "loud"))

    def names_in(self, stored: str, labels: LabelScheme) -> frozenset[str]:
        return frozenset()

    def convert(self, raw: object, labels: LabelScheme) -> list[int]:
        return [int(flag) for flag in str(raw)]

    def encode(
        self, tokenizer: PreTrainedTokenizerBase, batch: Columns, *, max_length: int, offsets: bool = False
    ) -> dict[str, list[Any]]:
        found = encode_windows(tokenizer, batch["text"], max_length=max_length)
        found["word_of_piece"] = words_of_pieces(found, batch)
        labels = batch.get("label")
        if labels is not None:
            found["labels"] = [
                [-100 if word < 0 or labels[row] is None else labels[row][word] for word in words]
                for row, words in zip(found["example"], found["word_of_piece"], strict=True)
            ]
        return found

    @property
    def window_columns(self) -> tuple[str, ...]:
        return ("word_of_piece",)

    def columns_of(self, rows: Sequence[TextRow]) -> dict[str, list[Any]]:
        texts = [row["said"] if isinstance(row, Mapping) else row for row in rows]
        if not all(isinstance(text, str) and text for text in texts):
            raise DataError("texts to predict", "row 1, said: give a text")
        places = [segment(str(text)) for text in texts]
        starts, ends = ([each[side] for each in places] for side in (0, 1))
        return {"text": texts, "word_starts": starts, "word_ends": ends}

    def rows_of(self, rows: Dataset) -> list[TextRow]:
        return list(rows["text"])

    def writer(self, rows: Dataset, labels: LabelScheme) -> Callable[[Record], dict[str, object]]:
        return lambda row: {"said": row["text"], "loud": "".join(map(str, row["label"] or []))}  # type: ignore[call-overload]

    def parts(self, row: Record) -> list[TextPart]:
        words = tuple(zip(row["word_starts"], row["word_ends"], strict=True))  # type: ignore[call-overload]
        return [TextPart(str(row["text"]), words, tuple(row["label"]))]  # type: ignore[arg-type]

    def copy(self, row: Record, parts: Sequence[TextPart]) -> dict[str, Any]:
        words = parts[0].words or ()
        starts, ends = ([word[side] for word in words] for side in (0, 1))
        label = list(parts[0].tags or ())
        return {**row, "text": parts[0].text, "word_starts": starts, "word_ends": ends, "label": label}


@dataclass(frozen=True)
class ShoutReader:
    columns: ColumnNames

    def read(self, raw: Record, number: int) -> StoredRow:
        text, flags = str(raw[self.columns.text]), raw.get(self.columns.label or "")
        joined = join_words(text.split())
        if flags is not None and len(str(flags)) != len(joined.starts):
            raise FieldError("loud", "give each word 0 or 1")
        stored = None if flags is None else str(flags)
        return StoredRow((text,), (joined.text, joined.starts, joined.ends), stored)

    def remarks(self, file: str, unit: str) -> list[str]:
        return []


def join_windows(
    scores: Sequence[np.ndarray], features: Columns, rows: Columns, *, labels: LabelScheme, settings: object
) -> list[tuple[list[str], np.ndarray]]:
    words = [
        [text[start:end] for start, end in zip(starts, ends, strict=True)]
        for text, starts, ends in zip(rows["text"], rows["word_starts"], rows["word_ends"], strict=True)
    ]
    joined = [np.zeros((len(each), 2)) for each in words]
    for window, row in enumerate(features["example"]):
        for piece, word in enumerate(features["word_of_piece"][window]):
            if word >= 0:
                joined[row][word] = scores[window][piece]
    return list(zip(words, joined, strict=True))


def decode_shouts(outputs: Sequence[tuple[list[str], np.ndarray]], labels: LabelScheme) -> list[Shouts]:
    return [
        Shouts([word for word, loud in zip(words, scores.argmax(1), strict=True) if loud])
        for words, scores in outputs
    ]


def shout_metrics(
    outputs: Sequence[tuple[list[str], np.ndarray]], gold: Sequence[Sequence[int] | None]
) -> dict[str, float]:
    hits = [
        found == wanted
        for (_, scores), flags in zip(outputs, gold, strict=True)
        if flags is not None
        for found, wanted in zip(scores.argmax(1), flags, strict=True)
    ]
    return {"words_right": float(np.mean(hits))}


SHOUTS = Task(
    name="shouts",
    format=ShoutRows(),
    head=TOKEN,
    main_metric="words_right",
    hard_losses={"cross_entropy": cross_entropy},
    balanced_weights=lambda given, labels: balanced(np.bincount([flag for flags in given for flag in flags])),
    soft_losses=("kl_divergence",),
    loss_rows=lambda logits, batch: (logits, batch["word_of_piece"] >= 0),
    aggregate=join_windows,
    decode=decode_shouts,
    metrics=shout_metrics,
)

# rows of both, easy enough to learn in a test


def rating_rows(count: int) -> list[dict[str, object]]:
    rng = random.Random(0)
    rows: dict[str, dict[str, object]] = {}
    while len(rows) < count:
        stars = len(rows) % STARS + 1
        words = ["good"] * (stars - 1) + ["bad"] * (STARS - stars) + rng.sample(easy.NOISE, 3)
        text = " ".join(words)
        rows[text] = {"text": text, "rating": f"{stars}/5"}
    return list(rows.values())


def shout_rows(count: int) -> list[dict[str, object]]:
    rng = random.Random(0)
    rows: dict[str, dict[str, object]] = {}
    while len(rows) < count:
        words = [rng.choice(["lovely", "awful"] if rng.random() < 0.3 else easy.NOISE) for _ in range(6)]
        flags = "".join(str(int(word in ("lovely", "awful"))) for word in words)
        rows[" ".join(words)] = {"said": " ".join(words), "loud": flags}
    return list(rows.values())


@dataclass(frozen=True)
class Case:
    """A task from here, and what it must come to."""

    name: str
    task: Task
    make: Callable[[int], list[dict[str, object]]]
    text: str
    column: str
    balance: str

    @property
    def dotted(self) -> str:
        return f"tests.contract.test_foreign_task:{self.name}"


CASES = (
    Case("RATING", RATING, rating_rows, "good good good good bab", "text", "stars on average"),
    Case("SHOUTS", SHOUTS, shout_rows, "bab lovely del awful", "said", "not a question"),
)
FAST = [*easy.FAST, "train.num_epochs=8", "train.learning_rate=4e-3"]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(each, id=each.name, marks=[pytest.mark.slow] if each.name == "SHOUTS" else [])
        for each in CASES
    ],
)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def data(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = case.make(160)
    splits = {"train": rows[:96], "validation": rows[96:128], "test": rows[128:]}
    return easy.write_splits(tmp_path_factory.mktemp(case.name), splits)


@pytest.fixture(scope="module")
def teacher(case: Case, data: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of ``finetune``."""
    out = tmp_path_factory.mktemp("runs") / "teacher"
    call("finetune", data, "--model", tiny_encoder, "--task", case.dotted, "--out", out, *FAST)
    return out


@pytest.fixture(scope="module")
def student(case: Case, data: Path, teacher: Path) -> Path:
    """A run of ``distill``, with copies of its rows."""
    out = teacher.with_name("student")
    augment = ["augment.copies=1", "augment.method=swap", "augment.ablation=false"]
    words = ["--teacher", teacher, "--task", case.dotted, "--out", out, *FAST, *augment, *easy.TINY_STUDENT]
    call("distill", data, *words)
    return out


def test_it_is_fine_tuned_and_distilled(case: Case, teacher: Path, student: Path) -> None:
    scores = metrics_of(student)
    assert metrics_of(teacher)["main_metric"] == case.task.main_metric
    assert scores["teacher"]["test"][case.task.main_metric] > 0.6  # type: ignore[index]
    assert scores["student"]["test"][case.task.main_metric] > 0.6  # type: ignore[index]
    if case.task.linear is None:
        assert scores["tfidf"] is None
    else:
        assert scores["tfidf"]["test"][case.task.main_metric] > 0.6  # type: ignore[index]
    assert open_run(student).recipe.task == case.dotted
    assert (student / "report.md").read_text().startswith("# ")


def test_a_saved_run_is_opened_only_by_who_names_its_task(case: Case, teacher: Path) -> None:
    with pytest.raises(ModelError, match=f"--task {case.dotted}"):
        Predictor(teacher)
    named = Predictor(teacher, task=case.dotted)([case.text])
    given = Predictor(teacher, task=case.task)([case.text])
    assert [each.fields() for each in named] == [each.fields() for each in given]


def test_it_is_evaluated(case: Case, data: Path, teacher: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    call("evaluate", teacher, data, "--task", case.dotted, "--json")
    scores = json.loads(capsys.readouterr().out)
    metric = case.task.main_metric
    assert scores[metric] == metrics_of(teacher)["model"]["test"][metric]  # type: ignore[index]


def test_it_predicts_texts_and_files(
    case: Case, data: Path, teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    call("predict", teacher, case.text, "--task", case.dotted, "--json")
    (line,) = capsys.readouterr().out.splitlines()
    given = Predictor(teacher, task=case.task)([case.text])[0]
    assert json.loads(line).items() >= given.fields().items()
    out = tmp_path / "predictions.jsonl"
    call("predict", teacher, "--input", data / "test.jsonl", "--output", out, "--task", case.dotted)
    rows = [json.loads(each) for each in out.read_text().splitlines()]
    assert [row[case.column] for row in rows] == [row[case.column] for row in case.make(160)[128:]]
    assert all(given.fields().keys() <= row.keys() for row in rows)


def test_its_export_predicts_the_same(
    case: Case, data: Path, student: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    words = ["--precision", "fp32", "--task", case.dotted, "--json"]
    call("export", student, *words)
    parity = json.loads(capsys.readouterr().out)["onnx-fp32"]
    assert parity["equal"] == 1.0
    assert parity["metric"] == case.task.main_metric
    texts = [row[case.column] for row in case.make(160)[128:]]
    exported, own = (
        Predictor(student, backend=name, task=case.task)(texts) for name in ("onnx-fp32", "torch")
    )
    assert all(one.is_same(other, value_range=1.0) for one, other in zip(exported, own, strict=True))


def test_it_is_augmented(case: Case, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "more.jsonl"
    call("augment", data, "--out", out, "--copies", 2, "--method", "swap", "--task", case.dotted)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    originals = {row["source_row"]: row for row in rows[::-1]}
    assert len(rows) > len(originals) == 96
    label = case.task.format.label.names[0]
    for row in rows:
        assert sorted(row[case.column].split()) == sorted(originals[row["source_row"]][case.column].split())
        assert label not in row or sorted(row[label]) == sorted(originals[row["source_row"]][label])


def test_the_doctor_looks_at_it(
    case: Case, data: Path, teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    words = ["--teacher", teacher, "--task", case.dotted, "--json", *easy.TINY_STUDENT]
    call("doctor", data, *words)
    findings = {each["check"]: each for each in json.loads(capsys.readouterr().out)}
    assert findings["teacher"]["level"] == "ok"
    assert case.balance in findings["balance"]["message"]


@pytest.mark.slow
def test_it_is_measured(
    case: Case, teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    call("bench", teacher, "--batch", 4, "--task", case.dotted, "--out", tmp_path / "bench", "--json")
    found = json.loads(capsys.readouterr().out)
    assert [each["backend"] for each in found] == ["torch", "torch-bf16"]
    assert all(each["score"] > 0.6 and each["p50_ms"] > 0 for each in found)


def test_rows_of_texts_can_be_read_in_windows(case: Case) -> None:
    recipe = build_recipe({"task": case.dotted}, ["data.long_text=windows"])
    if not isinstance(case.task.format, TextRows):
        with pytest.raises(RecipeError, match=f"data.long_text: task {case.task.name} does not use it"):
            find_task(recipe)
        return
    task = find_task(recipe)
    batch = {"num_windows": torch.tensor([2, 1]), "labels": torch.ones(2, 4)}
    rows, _ = task.rows(torch.arange(12.0).reshape(3, 4), batch)
    assert rows.tolist() == [[2, 3, 4, 5], [8, 9, 10, 11]]


def test_what_is_wrong_with_its_rows_is_said(
    case: Case, data: Path, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label = case.task.format.label.names[0]
    rows = [*case.make(20), {case.column: "bad bab", label: "7"}]
    path = easy.write_rows(tmp_path / "rows.jsonl", rows)
    words = ["--model", tiny_encoder, "--task", case.dotted, "--out", tmp_path / "run"]
    said = refused(capsys, "finetune", path, *words)
    assert f"rows.jsonl, line 21, {label}" in said


def test_only_a_task_that_says_how_has_class_weights(
    case: Case, data: Path, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "weighted"
    words = [data, "--model", tiny_encoder, "--task", case.dotted, "--out", out, *FAST, "train.num_epochs=1"]
    if case.task.balanced_weights is None:
        said = refused(capsys, "finetune", *words, "train.class_weights=balanced")
        assert "train.class_weights: task rating does not use it; omit it" in said
        return
    said = refused(capsys, "finetune", *words, "train.class_weights={laud: 2}")
    assert "train.class_weights.laud: the data has no such label; did you mean 'loud'?" in said
    call("finetune", *words, "train.class_weights=balanced")
    assert open_run(out).recipe.train.class_weights == "balanced"
