from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests import easy

from tinybert.config import Recipe, build_recipe
from tinybert.errors import BudgetError, RecipeError, RunError
from tinybert.inference import Predictor
from tinybert.inference.parity import TOLERANCES, Tolerance
from tinybert.models import shapes
from tinybert.models.shapes import Shape
from tinybert.runs import Run
from tinybert.search import Budget, Candidate, distill_within, measuring, smallest
from tinybert.search.budget import NOT_TRAINED, WITHIN

SMALL, LARGE = "1l-16d", "2l-32d"
ENGINES = ("onnx-int8", "torch")


@pytest.fixture(autouse=True)
def _two_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two named shapes, smaller than the tests' teacher, on two engines."""
    tiny = {SMALL: Shape(1, 16, 4, 32), LARGE: Shape(2, 32, 4, 64)}
    for name in list(shapes.BUILTIN):
        monkeypatch.delitem(shapes.BUILTIN, name)
    for name, shape in tiny.items():
        monkeypatch.setitem(shapes.BUILTIN, name, shape)
    monkeypatch.setattr(measuring, "ENGINES", ENGINES)


@pytest.fixture
def _one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint's own: for what is the same with any engine."""
    monkeypatch.setattr(measuring, "ENGINES", ("torch",))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what is trained."""
    names: list[str] = []
    run_recipe = smallest.run_recipe

    def noted(recipe: Recipe, out: Path, *, source: object = None) -> Run:
        names.append(Path(out).name)
        return run_recipe(recipe, out, source=source)

    monkeypatch.setattr(smallest, "run_recipe", noted)
    return names


def recipe_of(rows: Path, teacher: Path) -> Recipe:
    tree = {"stage": "distill", "data": {"path": str(rows)}, "teacher": {"path": str(teacher)}}
    return build_recipe({**tree, "student": {"shape": LARGE}, "baseline": False}, easy.FAST)


@pytest.mark.usefixtures("_one_engine")
def test_nothing_is_trained_that_is_known_to_be_too_slow(
    easy_rows: Path,
    tiny_teacher: Path,
    tmp_path: Path,
    trained: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(BudgetError, match="no student fits, so none was trained; the nearest is") as caught:
        distill_within(recipe_of(easy_rows, tiny_teacher), tmp_path / "run", Budget(max_latency_ms=1e-6))
    assert caught.value.exit_code == 1
    assert trained == []
    assert not (tmp_path / "run").exists()
    table = capsys.readouterr().err
    assert table.count("too slow") == 2
    assert all(name in table for name in (SMALL, LARGE, "torch"))


def test_the_smallest_within_the_budget_is_returned_with_the_whole_table(
    easy_rows: Path, tiny_teacher: Path, tmp_path: Path, trained: list[str]
) -> None:
    recipe, out = recipe_of(easy_rows, tiny_teacher), tmp_path / "run"
    run = distill_within(recipe, out, Budget(max_latency_ms=1e6, min_retention=0.9))
    table = [
        Candidate(**each)
        for each in json.loads((tmp_path / "run.budget" / "budget.json").read_text())["candidates"]
    ]
    assert [each.size_mb for each in table] == sorted(each.size_mb for each in table)
    kept = [each for each in table if each.verdict == WITHIN]
    assert len(kept) == 1
    assert all(each.verdict == NOT_TRAINED for each in table[table.index(kept[0]) + 1 :])
    assert all("keeps too little" in each.verdict for each in table[: table.index(kept[0])])
    assert kept[0].retention >= 0.9
    assert set(trained) == {each.shape for each in table if each.score is not None}
    assert run.metrics["num_rows_scored"] == 32
    answers = Predictor(run.path, backend=kept[0].engine)([row["text"] for row in easy.make_rows(10, seed=4)])
    assert len(answers) == 10
    report = (out / "budget.md").read_text()
    assert "within the budget" in report
    assert f"| {kept[0].shape} | {kept[0].engine} |" in report

    trained.clear()
    assert distill_within(recipe, out, Budget(max_latency_ms=1e6, min_retention=0.9)).path == out
    assert trained == []
    with pytest.raises(RunError, match="already exists, made with other budget; choose another"):
        distill_within(recipe, out, Budget(max_latency_ms=1e6, min_retention=0.8))


@pytest.mark.usefixtures("_one_engine")
def test_where_none_keeps_it_the_nearest_is_named_and_what_was_trained_stays(
    easy_rows: Path, tiny_teacher: Path, tmp_path: Path, trained: list[str]
) -> None:
    recipe, out = recipe_of(easy_rows, tiny_teacher), tmp_path / "run"
    with pytest.raises(BudgetError, match=r"no student keeps 200\.0% of its teacher .* the nearest is"):
        distill_within(recipe, out, Budget(min_retention=2), shapes=[SMALL])
    assert set(trained) == {SMALL}
    assert not out.exists()
    # a smaller budget is kept by what is trained already
    run = distill_within(recipe, out, Budget(min_retention=0.01), shapes=[SMALL])
    assert run.path == out
    assert Predictor(out).backend == "torch"


def test_size_is_a_limit_too() -> None:
    small, large = (Candidate("a", "torch", 1, size, 1.0) for size in (1.0, 9.0))
    budget = Budget(max_size_mb=5, max_latency_ms=0.5)
    assert budget.verdict(small) == "too slow"
    assert budget.verdict(large) == "too slow and too large"
    assert Budget(max_size_mb=5).verdict(small) == NOT_TRAINED


@pytest.mark.slow
@pytest.mark.usefixtures("_one_engine")
def test_a_teacher_without_a_head_is_fine_tuned_once(
    easy_rows: Path, tiny_encoder: Path, tmp_path: Path, trained: list[str]
) -> None:
    recipe = recipe_of(easy_rows, tiny_encoder)
    teacher = recipe.teacher.model_copy(update={"num_epochs": 8, "learning_rate": 2e-3, "layer_decay": 0.95})
    recipe = recipe.model_copy(update={"teacher": teacher})
    with pytest.raises(BudgetError):
        distill_within(recipe, tmp_path / "run", Budget(min_retention=2))
    runs = list(dict.fromkeys(trained))
    assert runs == ["teacher", SMALL, LARGE]
    student = Run(tmp_path / "run.budget" / SMALL).recipe
    assert student.teacher.path.endswith("run.budget/teacher")
    assert student.teacher.layer_decay == 1  # nothing is left to fine-tune
    assert Run(tmp_path / "run.budget" / "teacher").recipe.train.layer_decay == 0.95


@pytest.mark.usefixtures("_one_engine")
def test_another_recipe_in_the_same_place_is_refused(
    easy_rows: Path, tiny_teacher: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(easy_rows, tiny_teacher)
    distill_within(recipe, tmp_path / "run", Budget(), dry_run=True)
    with pytest.raises(BudgetError):  # other shapes: but nothing was trained yet
        distill_within(recipe, tmp_path / "run", Budget(min_retention=2), shapes=[SMALL])
    other = recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": 7})})
    with pytest.raises(
        RunError,
        match=r"an unfinished one with other settings \(train.seed = 42, now 7\) is in .*budget",
    ):
        distill_within(other, tmp_path / "run", Budget(max_latency_ms=1e-6), shapes=[SMALL])


@pytest.mark.parametrize(
    ("budget", "what"),
    [
        (Budget(max_latency_ms=0), "--max-latency-ms: 0: expected a number above 0"),
        (Budget(max_size_mb=-3), "--max-size-mb: -3: expected a number above 0"),
        (Budget(max_latency_ms=float("nan")), "--max-latency-ms: nan: expected a number above 0"),
        (Budget(min_retention=97), "--min-retention: 97: expected a share of the score, such as 0.97"),
    ],
)
def test_a_budget_that_is_none_is_refused_at_once(
    easy_rows: Path, tiny_teacher: Path, tmp_path: Path, budget: Budget, what: str
) -> None:
    with pytest.raises(RecipeError, match=what):
        distill_within(recipe_of(easy_rows, tiny_teacher), tmp_path / "run", budget)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_run_answers_with_the_engine_that_won(
    easy_rows: Path, tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = Budget.verdict

    def no_int8(self: Budget, candidate: Candidate) -> str:
        poor = candidate.retention is not None and candidate.engine == "onnx-int8"
        return "keeps too little" if poor else verdict(self, candidate)

    monkeypatch.setattr(Budget, "verdict", no_int8)
    monkeypatch.setattr(measuring, "ENGINES", ("onnx-fp32", "onnx-int8"))
    monkeypatch.setitem(TOLERANCES, "int8", Tolerance(None, 1, 0, 0))
    recipe = recipe_of(easy_rows, tiny_teacher)
    run = distill_within(recipe, tmp_path / "run", Budget(min_retention=0.01), shapes=[LARGE])
    tried = tmp_path / "run.budget" / LARGE / "exports"
    assert sorted(path.name for path in tried.iterdir()) == ["onnx-fp32", "onnx-int8"]
    assert [path.name for path in (run.path / "exports").iterdir()] == ["onnx-fp32"]
    assert Predictor(run.path).backend == "onnx-fp32"


@pytest.mark.usefixtures("_one_engine")
def test_a_checkpoint_is_a_shape_too_and_stays_as_it_is(
    easy_rows: Path, tiny_teacher: Path, tmp_path: Path
) -> None:
    student = Path(shutil.copytree(tiny_teacher, tmp_path / "student"))
    before = sorted(path.name for path in student.iterdir())
    recipe = recipe_of(easy_rows, tiny_teacher)
    run = distill_within(recipe, tmp_path / "run", Budget(min_retention=0.01), shapes=[str(student)])
    assert run.path == tmp_path / "run"
    assert sorted(path.name for path in student.iterdir()) == before


def test_what_has_no_score_to_keep_is_refused(easy_rows: Path, tiny_teacher: Path, tmp_path: Path) -> None:
    general = build_recipe({"task": "general", "teacher": {"path": str(tiny_teacher)}}, [])
    with pytest.raises(RecipeError, match="a budget needs a task"):
        distill_within(general, tmp_path / "run", Budget())
    labels = easy.write_rows(
        tmp_path / "soft.jsonl", [{"text": "good", "scores": {"negative": 0.1, "positive": 0.9}}]
    )
    with pytest.raises(RecipeError, match="a budget needs a model as the teacher"):
        distill_within(recipe_of(easy_rows, labels), tmp_path / "run", Budget())
