"""The package keeps its plan: short ways, short functions, and only a task knows what kind it is of.

``tests/shape.py`` says how it is counted.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests import shape

LONGEST_WAY = 25
LONGEST_FUNCTION = 60

ASKS = '''
from tinybert.tasks import Entities


def asks(task, labels, kind, prediction):
    """Ask label_kind == 'tags' in a docstring, which is no question."""
    if task.label_kind == "tags" or labels.kind in WINDOWED:
        return READERS[task.label_kind]
    if kind not in ("single", "multi"):
        return {"tags": 1, "span": 2}
    if task.name == "ner" or task is NER:
        return NAMES.get(task.name)
    return isinstance(prediction, Entities)


def asks_nothing(plan, teacher, sizes, value):
    if plan.start == "slice" or teacher.kind == "file" or value is None:
        return {"text": 1, "label": 2}
    return isinstance(value, list) and sizes["tags"]
'''


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> dict[str, shape.Way]:
    return shape.ways(tmp_path_factory.mktemp("ways"))


@pytest.mark.parametrize("command", ["finetune", "distill"])
def test_the_way_from_a_command_to_its_first_training_step_is_short(
    ways: dict[str, shape.Way], command: str
) -> None:
    way = ways[command]
    assert way.stack[0] == "cli.app.main"
    assert way.stack[-1].endswith(".compute_loss")
    assert way.depth <= LONGEST_WAY
    assert len(way.deepest) <= LONGEST_WAY
    assert len(way.handed) <= LONGEST_WAY


def test_no_function_is_long() -> None:
    lengths = shape.function_lengths()
    assert len(lengths) > 1000
    assert {name: count for name, count in lengths.items() if count > LONGEST_FUNCTION} == {}


def test_nobody_outside_tasks_asks_for_a_kind_of_label_a_tasks_name_or_a_type_of_prediction() -> None:
    assert [f"{each.file}:{each.line}: {each.text}" for each in shape.questions()] == []


def test_questions_about_a_kind_are_recognised(tmp_path: Path) -> None:
    for name in ("stages", "tasks"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "some.py").write_text(ASKS, encoding="utf-8")
    found = shape.questions(tmp_path)
    assert {question.file for question in found} == {"stages/some.py"}
    lines = {about: [each.line for each in found if each.about == about] for about in shape.QUESTIONS}
    assert {about: sorted(numbers) for about, numbers in lines.items()} == {
        "kind of label": [7, 8, 9, 10],
        "a task's name": [11, 12],
        "a type of prediction": [13],
    }
