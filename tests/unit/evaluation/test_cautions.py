from __future__ import annotations

import pytest

from tinybert.evaluation.report import cautions

EPOCHS = [{"epoch": 1.0}, {"epoch": 39.999}]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "teacher",
            "The teacher's validation accuracy was still rising at its last epoch; more epochs may help: "
            "teacher.num_epochs=80",
        ),
        (
            "student",
            "The student's validation accuracy was still rising at its last epoch; more epochs may help: "
            "train.num_epochs=80",
        ),
        (
            "fine_tune_only",
            "The fine-tuning baseline's validation accuracy was still rising at its last epoch; with more "
            "epochs it may come out higher.",
        ),
    ],
)
def test_a_model_that_was_still_rising_is_named_with_the_setting(name: str, expected: str) -> None:
    trainings = {name: {"is_rising": True, "history": EPOCHS}, "model": {"is_rising": False}}
    assert cautions({"main_metric": "accuracy"}, trainings) == [expected]


def test_of_two_phases_the_setting_is_the_last_ones() -> None:
    phases = [{"history": [{"epoch": 10.0}]}, {"history": [{"epoch": 3.0}]}]
    student = {"is_rising": True, "history": [{"epoch": 10.0}, {"epoch": 13.0}], "phases": phases}
    (said,) = cautions({"main_metric": "accuracy"}, {"student": student})
    assert said.endswith("train.num_epochs=6")


def test_summaries_of_earlier_versions_say_nothing() -> None:
    assert cautions({"main_metric": "accuracy", "retention": None}, {"model": {"history": EPOCHS}}) == []


@pytest.mark.parametrize(("retention", "is_said"), [(1.88, True), (1.031, True), (1.03, False), (0.9, False)])
def test_a_retention_far_above_one_speaks_of_the_teacher(retention: float, is_said: bool) -> None:
    lines = cautions({"main_metric": "accuracy", "retention": retention}, {})
    assert len(lines) == is_said
    assert all(
        f"A retention of {retention:.1%} says that the teacher has not learnt" in line for line in lines
    )
