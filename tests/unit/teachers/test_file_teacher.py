from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from datasets import Dataset

from tinybert.data import LabelScheme
from tinybert.errors import DataError
from tinybert.tasks import BUILTIN
from tinybert.teachers import is_soft_label_file, read_soft_labels

LABELS = LabelScheme(("bad", "good"))
TEXTS = ["a fine film", "dull", "ok"]
ROWS = Dataset.from_dict({"text": TEXTS})
PROBABILITIES = [{"bad": 0.1, "good": 0.9}, {"good": 0.2, "bad": 0.8}, {"bad": 0.5, "good": 0.5}]


def write(path: Path, records: list[dict[str, object]]) -> str:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(records))
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def scored(scores: list[dict[str, float]]) -> list[dict[str, object]]:
    return [{"text": text, "scores": row} for text, row in zip(TEXTS, scores, strict=True)]


def answers(
    path: str,
    labels: LabelScheme = LABELS,
    rows: Dataset = ROWS,
    order: tuple[int, ...] = (0, 1, 2),
    task: str = "classification",
):
    reader = BUILTIN[task].soft_labels
    return read_soft_labels(path, rows, labels, reader=reader).answer({"row": torch.tensor(order)}).logits


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json", "a.parquet"])
def test_probabilities_become_logits_that_give_them_back(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, scored(PROBABILITIES))
    assert is_soft_label_file(path)
    expected = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.5, 0.5]])
    torch.testing.assert_close(answers(path).softmax(-1), expected)


def test_a_probability_of_zero_stays_finite(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", scored([{"bad": 0.0, "good": 1.0}] * 3))
    assert answers(path).isfinite().all()


def test_logits_stay_as_they_are(tmp_path: Path) -> None:
    logits = [{"bad": -2.5, "good": 3.0}, {"bad": 0.5, "good": 0.25}, {"bad": 1.0, "good": 0.0}]
    path = write(tmp_path / "a.jsonl", scored(logits))
    assert answers(path).tolist() == [[-2.5, 3.0], [0.5, 0.25], [1.0, 0.0]]


def test_multilabel_probabilities_become_logits_by_the_logit_function(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", scored([{"bad": 0.7, "good": 0.9}] * 3))
    given = answers(path, LABELS, task="multilabel")
    torch.testing.assert_close(given.sigmoid(), torch.tensor([[0.7, 0.9]] * 3))


def test_regression_takes_a_score(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"text": text, "score": i / 2} for i, text in enumerate(TEXTS)])
    assert answers(path, LabelScheme(), task="regression").tolist() == [[0.0], [0.5], [1.0]]


def test_rows_are_looked_up_by_text_in_any_order(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        [*reversed(scored(PROBABILITIES)), {"text": "unused", "scores": PROBABILITIES[0]}],
    )
    np.testing.assert_allclose(answers(path, order=(1,)).softmax(-1).numpy(), [[0.8, 0.2]], rtol=1e-5)


def test_pairs_are_looked_up_by_both_texts(tmp_path: Path) -> None:
    records = [
        {"text": "a", "text_pair": pair, "scores": {"bad": low, "good": 1 - low}}
        for pair, low in [("x", 0.1), ("y", 0.6)]
    ]
    rows = Dataset.from_dict({"text": ["a", "a"], "text_pair": ["y", "x"]})
    given = answers(write(tmp_path / "a.jsonl", records), rows=rows, order=(0, 1))
    torch.testing.assert_close(given.softmax(-1)[:, 0], torch.tensor([0.6, 0.1]))


def test_all_bad_rows_and_all_missing_texts_are_listed(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [
        {"text": TEXTS[0], "scores": {"bad": 0.1, "god": 0.9}},
        {"text": 3, "scores": PROBABILITIES[0]},
        {"text": "x", "label": "good"},
        {"text": "y", "scores": {"bad": "high", "good": 0.1}},
        {"text": "z", "scores": {"bad": float("nan"), "good": 0.1}},
        {"text": TEXTS[2], "scores": PROBABILITIES[2]},
    ]
    with pytest.raises(DataError) as caught:
        answers(write(tmp_path / "a.jsonl", records))
    problems = caught.value.problems
    assert [problem.split(":")[0] for problem in problems[:5]] == [f"line {i}" for i in range(1, 6)]
    assert "scores must name exactly the labels ['bad', 'good']; got ['bad', 'god']" in problems[0]
    assert "text is 3, not a string" in problems[1]
    assert "no scores" in problems[2]
    assert "bad = 'high' is not a finite number" in problems[3]
    assert '{"text": "…", "scores"' in problems[5]
    assert problems[6:] == ("no scores for the training text 'dull'",)


def test_a_line_that_is_no_json_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"\n')
    with pytest.raises(DataError, match="line 1: not valid JSON"):
        answers(str(path))


@pytest.mark.parametrize("record", ["[1]", "3", '"text"'])
def test_a_line_that_is_no_row_is_said(tmp_path: Path, record: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(record + "\n")
    with pytest.raises(DataError, match="line 1: not an object"):
        answers(str(path))


def test_a_damaged_parquet_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="not a Parquet file"):
        answers(str(path))


def test_a_missing_file_of_soft_labels_is_said(tmp_path: Path) -> None:
    write(tmp_path / "answers.jsonl", scored(PROBABILITIES))
    with pytest.raises(DataError, match=r"no such file of soft labels; did you mean 'answers.jsonl'\?"):
        is_soft_label_file(str(tmp_path / "answer.jsonl"))


def test_a_folder_is_no_file_of_soft_labels(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    assert not is_soft_label_file(str(tmp_path / "folder.jsonl"))


def test_a_text_with_two_different_answers_is_refused(tmp_path: Path) -> None:
    records = [*scored(PROBABILITIES), *scored(PROBABILITIES), *scored([PROBABILITIES[2]] * 3)]
    with pytest.raises(DataError, match="line 7: other scores than an earlier row has for the text"):
        answers(write(tmp_path / "a.jsonl", records))


def test_probabilities_rounded_to_two_decimals_stay_probabilities(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    rounded = dict(zip(names, (0.33, 0.33, 0.33), strict=True))
    sure = dict(zip(names, (0.9, 0.05, 0.05), strict=True))
    given = answers(write(tmp_path / "a.jsonl", scored([rounded, sure, sure])), LabelScheme(names))
    np.testing.assert_allclose(given[1].exp().numpy(), [0.9, 0.05, 0.05], rtol=1e-5)
    np.testing.assert_allclose(given[0].exp().numpy(), [1 / 3] * 3, rtol=1e-5)


def test_probabilities_mixed_with_something_else_are_refused(tmp_path: Path) -> None:
    mixed = [{"bad": 0.1, "good": 0.9}, {"bad": 0.4, "good": 0.9}, {"bad": 0.5, "good": 0.5}]
    with pytest.raises(DataError, match="1 of 3 rows have scores that do not add up to 1"):
        answers(write(tmp_path / "a.jsonl", scored(mixed)))


def test_a_line_separator_inside_a_text_does_not_end_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": text + "\u2028", "scores": PROBABILITIES[0]} for text in TEXTS]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    answers(str(path), rows=Dataset.from_dict({"text": [row["text"] for row in rows]}))
