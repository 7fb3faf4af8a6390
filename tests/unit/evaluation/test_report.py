from __future__ import annotations

from pathlib import Path

import pytest

from tinybert.evaluation import retention
from tinybert.evaluation.report import (
    cautions,
    draw_learning_curve,
    plain_table,
    run_report,
    shares_kept,
    table_rows,
    verdicts,
)

METRICS: dict[str, object] = {
    "task": "classification",
    "source": "reviews.csv",
    "split": "test",
    "main_metric": "accuracy",
    "num_rows_scored": 1821,
    "teacher": {"test": {"accuracy": 0.88}, "num_parameters": 22_713_986, "size_mb": 90.9,
                "latency_ms": 12.34,
                "train_seconds": None},
    "fine_tune_only": {"test": {"accuracy": 0.8}, "num_parameters": 1000, "size_mb": 0.0, "latency_ms": 1.0,
                       "train_seconds": 61.4},
    "student": {"test": {"accuracy": 0.869}, "num_parameters": 1000, "size_mb": 0.0, "latency_ms": 1.0,
                "train_seconds": 70},
    "retention": 0.9875,
    "baseline_start": "Fine-tune only: the same shape.",
    "notes": ["3 rows were refused"],
}  # fmt: skip


def test_the_table_holds_all_three_models() -> None:
    header, teacher, baseline, student = table_rows(METRICS)
    assert header[1] == "test accuracy"
    assert teacher == ["teacher", "0.8800", "100.0%", "22,713,986", "90.9", "12.3", "–", "–"]
    assert baseline[1:3] == ["0.8000", "90.9%"]
    assert student[1:3] == ["0.8690", "98.8%"]
    assert student[-1] == "70"


def test_the_share_of_the_gain_stands_beside_that_of_the_score() -> None:
    metrics = {**METRICS, "constant_score": 0.5, "gain_kept": 0.971053}
    header, teacher, baseline, student = table_rows(metrics)
    assert header[2:4] == ["of teacher", "of its gain"]
    assert [row[3] for row in (teacher, baseline, student)] == ["100.0%", "78.9%", "97.1%"]
    report = run_report(metrics, recipe_text="")
    assert "keeps **98.8%** of its teacher, 97.1% of its gain over always predicting the same." in report
    assert "Always predicting the same scores 0.5000" in report
    assert "of its gain" not in table_rows({**METRICS, "constant_score": 0.0, "gain_kept": 0.9875})[0]


def test_a_teacher_that_learned_nothing_is_not_praised() -> None:
    metrics = {**METRICS, "constant_score": 0.875, "gain_kept": None}
    _, teacher, _, student = table_rows(metrics)
    assert teacher[0] == "teacher (not above chance)"
    assert student[2:4] == ["98.8%", "–"]
    (caution,) = cautions(metrics, {})
    assert (
        "always predicting the same by more than chance (test accuracy 0.8800 against 0.8750 on 1,821 rows)"
        in caution
    )
    assert "what the student keeps of it says nothing" in caution
    assert "keeps" not in run_report(metrics, recipe_text="").partition("\n|")[0]
    assert shares_kept(metrics) is None


def test_a_teacher_that_tells_rare_rows_apart_has_learned_at_the_accuracy_of_the_majority() -> None:
    teacher = {**METRICS["teacher"], "test": {"accuracy": 0.99, "mcc": 0.5}}
    metrics = {**METRICS, "teacher": teacher, "constant_score": 0.99, "gain_kept": None}
    assert table_rows(metrics)[1][0] == "teacher (not above chance)", "no metric is named that says more"
    metrics |= {"chance_corrected": "mcc"}
    assert table_rows(metrics)[1][0] == "teacher"
    assert table_rows(metrics)[1][3] == "–"
    assert cautions(metrics, {}) == []
    assert "there is no share of its gain" in run_report(metrics, recipe_text="")
    teacher["test"]["mcc"] = 0.045  # within two standard errors of 1,821 rows
    assert table_rows(metrics)[1][0] == "teacher (not above chance)"


TFIDF = {
    "title": "TF-IDF + logistic regression",
    "test": {"accuracy": 0.87},
    "num_parameters": 117_762,
    "size_mb": 2.14,
    "predict_seconds": 0.5,
    "train_seconds": 3.6,
    "latency_ms": 0.71,
    "description": "TF-IDF: words and characters.",
}


def test_tfidf_has_a_row_of_its_own_with_rows_a_second() -> None:
    rows = table_rows({**METRICS, "tfidf": TFIDF})
    assert rows[0][-2:] == ["rows/s", "training s"]
    assert [row[0] for row in rows[2:4]] == [
        "fine-tune only (same shape, hard labels)",
        "TF-IDF + logistic regression",
    ]
    assert rows[3][1:] == ["0.8700", "98.9%", "117,762", "2.1", "0.7", "3,642", "4"]
    assert "TF-IDF: words and characters." in run_report({**METRICS, "tfidf": TFIDF}, recipe_text="")


def test_only_a_student_that_is_not_above_a_baseline_is_told_so() -> None:
    assert verdicts(METRICS) == verdicts({**METRICS, "tfidf": None, "fine_tune_only": None}) == []
    (below,) = verdicts({**METRICS, "tfidf": TFIDF})
    assert below.startswith(
        "The student is not above TF-IDF + logistic regression (test accuracy 86.9 against 87.0), which "
        "trains in 4 s and predicts 3,642 rows/s: "
    )
    (equal,) = verdicts({**METRICS, "fine_tune_only": METRICS["student"]})
    assert equal.startswith(
        "The student is not above fine-tune only (test accuracy 86.9 against 86.9): the teacher did not help"
    )
    above = {**TFIDF, "test": {"accuracy": 0.8689}}
    assert verdicts({**METRICS, "tfidf": above}) == []
    fine_tuned = {name: value for name, value in METRICS.items() if name not in ("student", "teacher")}
    assert verdicts({**fine_tuned, "model": METRICS["student"]}) == []


def test_a_teacher_without_a_score_leaves_no_share() -> None:
    rows = table_rows({**METRICS, "teacher": None, "fine_tune_only": None})
    assert len(rows) == 2
    assert rows[1][2] == "–"


def test_leaked_rows_bring_a_second_score_and_a_sentence() -> None:
    student = {**METRICS["student"], "test_without_leakage": {"accuracy": 0.85}}
    metrics = {**METRICS, "student": student, "num_rows_leaked": 38}
    header, teacher, _, last = table_rows(metrics)
    assert header[:4] == ["model", "test accuracy", "without leaked rows", "of teacher"]
    assert teacher[1:4] == ["0.8800", "–", "100.0%"]
    assert last[1:4] == ["0.8690", "0.8500", "98.8%"]
    text = run_report(metrics, recipe_text="")
    assert "38 of them are also in the train split; the second score is without these." in text
    assert "leaked" not in run_report(METRICS, recipe_text="")


def test_a_metric_by_type_has_its_table() -> None:
    scores = {"f1": 0.5, "f1/PER": 0.25, "f1/LOC": 0.75, "partial_f1": 0.6}
    metrics = {**METRICS, "teacher": None, "fine_tune_only": None, "main_metric": "f1"}
    text = run_report({**metrics, "student": {"test": scores}}, recipe_text="")
    assert "## F1 by type" in text
    assert "| PER | 0.2500 |\n| LOC | 0.7500 |\n| overlap in part | 0.6000 |" in text
    assert "by type" not in run_report(METRICS, recipe_text="")


def test_columns_line_up_in_a_terminal() -> None:
    lines = plain_table(table_rows(METRICS)).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert "*" not in "".join(lines)


def test_the_report_says_what_a_reader_needs() -> None:
    text = run_report(METRICS, recipe_text="stage: distill\n")
    for part in (
        "# classification: reviews.csv",
        "keeps **98.8%** of its teacher",
        "test split (1,821 rows)",
        "Fine-tune only: the same shape.",
        "- 3 rows were refused",
        "stage: distill",
        "learning_curve.png",
    ):
        assert part in text
    assert "chose the best epoch" not in text


def test_scores_on_the_validation_split_come_with_a_warning() -> None:
    models = {name: {**METRICS[name], "validation": {"accuracy": 0.9}} for name in ("teacher", "student")}
    text = run_report({**METRICS, **models, "split": "validation"}, recipe_text="")
    assert "this split also chose the best epoch" in text


@pytest.mark.parametrize(
    ("student", "teacher", "share"), [(0.88, 0.8, 1.1), (0.4, 0.5, 0.8), (0.4, 0.0, None), (0.4, -0.2, None)]
)
def test_retention_has_no_meaning_over_nothing(student: float, teacher: float, share: float | None) -> None:
    assert retention({"mcc": student}, {"mcc": teacher}, "mcc") == share


def test_a_curve_is_drawn_even_where_a_training_has_no_score(tmp_path: Path) -> None:
    histories = {
        "teacher": [{"epoch": 1.0, "loss": 0.5, "val_accuracy": 0.9}],
        "student": [{"epoch": 1.0, "loss": 0.1}],
    }
    draw_learning_curve(histories, "accuracy", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_score_of_a_hundred_is_judged_as_one_of_one() -> None:
    """A teacher at 88 of 100 is far above 50, a student at 0.9 of 100 is not; points stay points."""

    def scored(share: float) -> dict[str, object]:
        return {**METRICS["student"], "test": {"rougeL": 100 * share}}  # pyright: ignore

    metrics = {
        **METRICS,
        "main_metric": "rougeL",
        "best_score": 100.0,
        "constant_score": 50.0,
        "teacher": scored(0.88),
        "fine_tune_only": scored(0.8),
        "student": scored(0.7),
    }
    _, teacher, _, student = table_rows(metrics)
    assert (teacher[0], student[3]) == ("teacher", "52.6%")
    (verdict,) = verdicts(metrics)
    assert "(test rougeL 70.0 against 80.0)" in verdict
    assert cautions({**metrics, "teacher": scored(0.53)}, {}) == []
    assert "not above always" in cautions({**metrics, "teacher": scored(0.51)}, {})[0]
