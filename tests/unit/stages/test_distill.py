from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests import easy
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tinybert.config import Recipe, build_recipe
from tinybert.data import LabelScheme
from tinybert.errors import DataError, RecipeError
from tinybert.evaluation import RowsEvaluator
from tinybert.models import load_encoder
from tinybert.objectives import Teaching
from tinybert.runs import Run, RunInProgress
from tinybert.stages.doctor.examination import examine
from tinybert.stages.pipeline import make_plan, run_recipe
from tinybert.stages.plan.teacher import pretrained_of
from tinybert.stages.steps import student as student_module
from tinybert.stages.steps.baselines.fine_tune_only import (
    Baseline,
    baseline_start,
    how_it_was_trained,
    train_better,
)
from tinybert.stages.steps.distillation import prepare
from tinybert.stages.steps.start import start_student
from tinybert.stages.steps.student import Phase, first_weights, phases_of
from tinybert.stages.steps.teacher_outputs import choose_teacher
from tinybert.teachers import FileTeacher, ModelTeacher, Teacher, TeacherStore

baseline_module = sys.modules[baseline_start.__module__]


def recipe_of(teacher: Path | str, *overrides: str, student: Sequence[str] = easy.TINY_STUDENT) -> Recipe:
    return build_recipe({"teacher": {"path": str(teacher)}}, [*student, *easy.FAST, *overrides])


def run(
    folder: Path,
    teacher: Path | str,
    *overrides: str,
    student: Sequence[str] = easy.TINY_STUDENT,
    splits: dict[str, list[easy.Row]] | None = None,
) -> Run:
    return run_recipe(
        recipe_of(teacher, *overrides, student=student), folder / "run", source=splits or easy.make_splits()
    )


def teacher_of(
    folder: Path, teacher: Path | str, *overrides: str, **options: object
) -> tuple[Teacher, object]:
    plan = make_plan(recipe_of(teacher, *overrides))
    with RunInProgress(folder / "run", plan.recipe) as progress:
        work = prepare(plan, progress, easy.make_splits())
        return choose_teacher(work, Teaching(plan.losses, plan.layer_map)), work


@pytest.mark.parametrize("store", ["auto", "on", "off"])
def test_the_store_setting_decides_who_answers(tmp_path: Path, tiny_teacher: Path, store: str) -> None:
    teacher, _ = teacher_of(tmp_path, tiny_teacher, f"teacher.store={store}")
    assert isinstance(teacher, ModelTeacher if store == "off" else TeacherStore)


@pytest.mark.parametrize("more", [[], [f"x{number}" for number in range(100)]])
def test_a_teacher_is_fine_tuned_on_its_own_tokens(
    tmp_path: Path, tiny_encoder: Path, more: list[str]
) -> None:
    student = easy.save_encoder(
        tmp_path / "student", words=[*more, *reversed(easy.WORDS)], num_hidden_layers=1
    )
    settings = [f"student.shape={student}", *easy.FAST, "baseline=false", "distill.losses={kl_divergence: 1}"]
    settings += ["train.num_epochs=8", "train.learning_rate=3e-3"]
    recipe = build_recipe(
        {"teacher": {"path": str(tiny_encoder), "num_epochs": 4, "learning_rate": 3e-3}}, settings
    )
    run = run_recipe(recipe, tmp_path / "run", source=easy.make_splits(train=120))
    vocabulary = AutoTokenizer.from_pretrained(run.path / "teacher").get_vocab()
    assert vocabulary == AutoTokenizer.from_pretrained(tiny_encoder).get_vocab()
    assert run.metrics["teacher"]["test"]["accuracy"] > 0.8
    assert run.metrics["student"]["test"]["accuracy"] > 0.8


def test_what_does_not_fit_the_budget_runs_live_unless_the_store_was_asked_for(
    tmp_path: Path, tiny_teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher, _ = teacher_of(tmp_path, tiny_teacher, "teacher.store_budget_mb=0")
    assert isinstance(teacher, ModelTeacher)
    assert "teacher.store_budget_mb is 0: the teacher runs live" in capsys.readouterr().err
    with pytest.raises(RecipeError, match=r"raise the budget, or set teacher\.store=auto"):
        teacher_of(tmp_path / "on", tiny_teacher, "teacher.store_budget_mb=0", "teacher.store=on")


def test_a_permuted_teacher_gives_the_same_answers(tmp_path: Path, tiny_teacher: Path) -> None:
    permuted = easy.permuted_copy(tiny_teacher, tmp_path / "permuted")
    given: list[torch.Tensor] = []
    for name, path in (("straight", tiny_teacher), ("permuted", permuted)):
        teacher, work = teacher_of(tmp_path / name, path, "teacher.store=off")
        rows = work.encoded.train
        given.append(teacher.answer(work.encoded.collator([rows[i] for i in range(16)])).logits)
    torch.testing.assert_close(given[0], given[1])
    assert given[0].std() > 0.5


def test_a_permuted_teacher_makes_the_same_student(tmp_path: Path, tiny_teacher: Path) -> None:
    permuted = easy.permuted_copy(tiny_teacher, tmp_path / "permuted")
    one = run(tmp_path / "a", tiny_teacher, "baseline=false")
    other = run(tmp_path / "b", permuted, "baseline=false")
    assert one.metrics["student"]["test"] == other.metrics["student"]["test"]
    assert one.metrics["teacher"]["test"] == other.metrics["teacher"]["test"]
    models = [AutoModelForSequenceClassification.from_pretrained(made.path) for made in (one, other)]
    assert easy.same_weights(*models)
    assert models[1].config.id2label == {0: "negative", 1: "positive"}


@pytest.mark.parametrize("student", [easy.TINY_STUDENT, easy.NARROW_STUDENT], ids=["equal", "narrower"])
def test_two_phases_put_the_intermediate_layers_first(
    tmp_path: Path, tiny_teacher: Path, student: list[str]
) -> None:
    made = run(
        tmp_path,
        tiny_teacher,
        "distill.phases=two",
        "distill.intermediate_num_epochs=1",
        "baseline=false",
        student=student,
    )
    log = [json.loads(line) for line in (made.path / "log.jsonl").read_text().splitlines()]
    terms = [sorted(name for name in row if name.startswith("loss/")) for row in log]
    assert terms == [
        ["loss/attention_score_mse", "loss/hidden_state_mse"],
        *[["loss/hard", "loss/kl_divergence"]] * 2,
    ]
    assert [row["epoch"] for row in log] == [1, 2, 3]
    assert made.metrics["student"]["test"]["accuracy"] > 0.6


def test_phases_share_the_losses_out(tiny_teacher: Path) -> None:
    losses = {"hidden_state_mse": 1.0, "kl_divergence": 0.9, "hard": 0.1, "relation_kl": 2.0}
    epochs = ["train.num_epochs=4", "distill.intermediate_num_epochs=7", "distill.phases=two"]
    plan = make_plan(recipe_of(tiny_teacher, *epochs))
    assert phases_of(replace(plan, losses=losses)) == [
        Phase(
            "intermediate",
            {"hidden_state_mse": 1.0, "relation_kl": 2.0},
            replace(plan.training, num_epochs=7, is_auto=False),
        ),
        Phase("student", {"kl_divergence": 0.9, "hard": 0.1}, plan.training),
    ]
    assert plan.training.num_epochs == 4
    joint = make_plan(recipe_of(tiny_teacher, "train.num_epochs=4"))
    assert phases_of(replace(joint, losses=losses)) == [Phase("student", losses, joint.training)]


def test_a_teacher_without_a_head_is_fine_tuned_and_kept(tmp_path: Path, tiny_encoder: Path) -> None:
    made = run(
        tmp_path,
        tiny_encoder,
        "teacher.num_epochs=3",
        "teacher.learning_rate=3e-3",
        "teacher.layer_decay=0.9",
        "teacher.frozen_layers=1",
        "teacher.gradient_checkpointing=true",
        "train.class_weights=balanced",
        splits=easy.make_splits(train=240),
    )
    metrics = made.metrics
    kept = made.path / "teacher"
    before, after = (load_encoder(path).state_dict() for path in (tiny_encoder, kept))
    is_kept = {name: torch.equal(before[name], after[name]) for name in after if "encoder.layer" in name}
    assert all(kept == name.startswith("encoder.layer.0.") for name, kept in is_kept.items())
    assert metrics["teacher"]["train_seconds"] > 0
    assert metrics["teacher_path"] == str(tiny_encoder)
    assert AutoModelForSequenceClassification.from_pretrained(kept).config.id2label[1] == "positive"
    assert "started the same way (project) from the pre-trained weights" in metrics["baseline_start"]
    assert metrics["fine_tune_only"]["num_parameters"] == metrics["student"]["num_parameters"]
    log = [json.loads(line) for line in (made.path / "log.jsonl").read_text().splitlines()]
    trainings = [row["training"] for row in log]
    assert (trainings.count("teacher"), trainings.count("student")) == (3, 2)
    assert trainings.count("fine_tune_only") >= 3
    assert "in the student's 30 steps: 0.001 (" in metrics["baseline_start"]
    report = (made.path / "report.md").read_text()
    assert "fine-tune only (same shape, hard labels)" in report
    assert "student (distilled)" in report
    assert sorted(path.name for path in made.path.iterdir()) == [
        "checksums.json",
        "config.json",
        "inputs.json",
        "learning_curve.png",
        "log.jsonl",
        "metrics.json",
        "model.safetensors",
        "recipe.yaml",
        "report.md",
        "teacher",
        "tokenizer.json",
        "tokenizer_config.json",
        "train_rows.npy",
    ]


def test_the_baseline_tells_where_it_starts(tmp_path: Path, tiny_teacher: Path, tiny_encoder: Path) -> None:
    unknown = make_plan(recipe_of(tiny_teacher))
    start, story = baseline_start(unknown)
    assert start.kind == "random"
    assert "what the teacher was fine-tuned from is not known (name it with teacher.pretrained=…)" in story
    named = make_plan(recipe_of(tiny_teacher, f"teacher.pretrained={tiny_encoder}"))
    start, story = baseline_start(named)
    assert (start.kind, start.source, start.layer_map, start.keep_head) == (
        "project",
        str(tiny_encoder),
        (2, 4),
        False,
    )
    assert "no task teacher anywhere" in story
    start, story = baseline_start(make_plan(recipe_of(tiny_teacher, "student.start=random")))
    assert (start.kind, story[-27:]) == ("random", "from the same random start.")
    checkpoint = make_plan(recipe_of(tiny_teacher, f"student.shape={tiny_encoder}", student=[]))
    start, story = baseline_start(checkpoint)
    assert (start.kind, start.source) == ("checkpoint", str(tiny_encoder))


def test_a_run_of_ours_says_what_it_was_fine_tuned_from(tmp_path: Path, tiny_encoder: Path) -> None:
    recipe = build_recipe(
        {"stage": "finetune", "model": str(tiny_encoder)}, [*easy.FAST, "train.num_epochs=1"]
    )
    made = run_recipe(recipe, tmp_path / "teacher", source=easy.make_splits())
    assert pretrained_of(str(made.path)) == str(tiny_encoder)
    assert make_plan(recipe_of(made.path)).teacher.pretrained == str(tiny_encoder)
    assert pretrained_of(str(tiny_encoder)) is None


def test_the_baseline_has_as_many_steps_as_the_student(
    tmp_path: Path, tiny_teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[int]] = {}
    real = student_module.fit

    def watch(folder: Path, *args: object, **options: object) -> dict[str, object]:
        facts = real(folder, *args, **options)
        seen.setdefault(folder.name, []).append(facts["num_steps"])
        return facts

    monkeypatch.setattr(student_module, "fit", watch)
    monkeypatch.setattr(baseline_module, "fit", watch)
    run(tmp_path, tiny_teacher, "distill.phases=two", "distill.intermediate_num_epochs=1")
    *trials, best = seen.pop("fine_tune_only")
    assert seen == {"intermediate": [6], "student": [12]}
    assert trials == [18, 18]
    assert best in (18, 27, 36, 45, 54)


@dataclass
class Trials:
    """Stands for a baseline: each learning rate has its validation scores, one a step."""

    scores: dict[float, list[float]]
    losses: dict[float, list[float]]
    num_steps: int = 3
    calls: list[tuple[float, bool]] = field(default_factory=list)
    work: ClassVar = SimpleNamespace(
        plan=SimpleNamespace(
            training=SimpleNamespace(learning_rate=1.0), task=SimpleNamespace(main_metric="accuracy")
        )
    )

    def fit(self, learning_rate: float, *, extends: bool) -> dict[str, object]:
        self.calls.append((learning_rate, extends))
        pairs = zip(self.scores[learning_rate], self.losses[learning_rate], strict=True)
        rows = [
            {"step": step, "val_accuracy": score, "val_loss": loss}
            for step, (score, loss) in enumerate(pairs, 1)
        ]
        return {"history": rows, "num_steps": len(rows), "train_seconds": 10.0}


@pytest.mark.parametrize(
    ("scores", "losses", "best"),
    [
        (([0.5, 0.6, 0.7], [0.5, 0.8, 0.6]), ([1, 1, 1], [1, 1, 1]), 4.0),
        (([0.5, 0.6, 0.9], [0.5, 0.8, 0.6]), ([1, 1, 1], [1, 1, 1]), 1.0),
        (([0.5, 0.8, 0.8], [0.5, 0.8, 0.6]), ([1, 3, 2], [1, 1, 4]), 4.0),  # a tie: the lower loss
        # killed when it went on: what came after the student's steps does not count in the choice
        (([0.5, 0.6, 0.7, 0.9, 0.9], [0.5, 0.8, 0.6]), ([1] * 5, [1] * 3), 4.0),
    ],
)
def test_the_baseline_goes_on_with_the_better_learning_rate(
    scores: tuple[list[float], ...], losses: tuple[list[float], ...], best: float
) -> None:
    rates = (1.0, 4.0)
    trials = Trials(dict(zip(rates, scores, strict=True)), dict(zip(rates, losses, strict=True)))
    summary = train_better(trials)  # pyright: ignore[reportArgumentType]
    assert trials.calls == [(1.0, False), (4.0, False), (best, True)]
    assert (summary["learning_rate"], summary["student_steps"], summary["train_seconds"]) == (best, 3, 20.0)
    said = how_it_was_trained(summary, "accuracy")
    tried = " and ".join(f"{rate:g} ({max(trials.scores[rate][:3]):.4f})" for rate in rates)
    assert f"in the student's 3 steps: {tried}; the better one did not rise after them." in said


def test_a_baseline_killed_when_it_goes_on_ends_as_an_undisturbed_one(
    tmp_path: Path, tiny_teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline_module, "RATES", (1e-6, 4.0))
    _, work = teacher_of(tmp_path, tiny_teacher)
    start, _ = baseline_start(work.plan)
    rows, labels, collator = work.encoded.train, work.data.labels, work.encoded.collator
    model = start_student(start, work.plan.task, labels, rows=rows, collator=collator, seed=0).model
    student = {"num_steps": 12, "history": [{}] * 6}
    real, scores = RowsEvaluator.__call__, [0.5] * 6 + [0.5, 0.5, 0.5, 0.6, 0.6, 0.7, 0.7, 0.8, 0.9]
    undone: list[str] = []

    def trained(name: str, given: list[float]) -> dict[str, object]:
        turn = iter(given)

        def score(self: RowsEvaluator, model: torch.nn.Module) -> dict[str, float]:
            return {**real(self, model), "accuracy": next(turn)}

        monkeypatch.setattr(RowsEvaluator, "__call__", score)
        (tmp_path / name).mkdir(exist_ok=True)
        try:
            return train_better(Baseline(work, rows, model, student, tmp_path / name, {}, "none"))
        except (StopIteration, RuntimeError):
            undone.append(name)
            return {}

    # the better one rises, so it goes on for 6 steps, and, rising still, for another 6
    whole = trained("whole", [*scores, 0.9, 0.9, 0.9])
    trained("killed", scores[:-2])
    resumed = trained("killed", [*scores[-2:], 0.9, 0.9, 0.9])
    assert undone == ["killed"]
    assert whole["num_steps"] == resumed["num_steps"] == 24
    assert whole["learning_rate"] == resumed["learning_rate"] == 4e-3
    assert whole["trials"] == resumed["trials"]
    ours, theirs = (
        load_file(tmp_path / name / "model" / "model.safetensors") for name in ("killed", "whole")
    )
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], atol=1e-6, rtol=1e-5)


def test_a_teacher_with_another_tokenizer_teaches_answers_and_layers(
    tmp_path: Path, tiny_teacher: Path
) -> None:
    student = easy.save_encoder(tmp_path / "other", words=list(reversed(easy.WORDS)), num_hidden_layers=2)
    made = run(
        tmp_path,
        tiny_teacher,
        f"student.shape={student}",
        "train.num_epochs=4",
        "train.learning_rate=3e-3",
        "distill.losses={kl_divergence: 1}",
        "baseline=false",
        student=[],
        splits=easy.make_splits(train=240),
    )
    assert made.metrics["teacher"]["test"]["accuracy"] > 0.9
    assert made.metrics["student"]["test"]["accuracy"] > 0.8
    layers = run(
        tmp_path / "b",
        tiny_teacher,
        f"student.shape={student}",
        "train.num_epochs=4",
        "train.learning_rate=3e-3",
        "distill.losses={hidden_state_mse: 1, attention_score_mse: 0.1, kl_divergence: 1}",
        "baseline=false",
        student=[],
        splits=easy.make_splits(train=240),
    )
    assert layers.metrics["student"]["test"]["accuracy"] > 0.8


@pytest.mark.parametrize("knows_task", [False, True])
def test_a_student_cut_from_another_model_brings_its_tokens_and_its_head(
    tmp_path: Path, tiny_teacher: Path, knows_task: bool
) -> None:
    words = list(reversed(easy.WORDS))
    source = easy.save_encoder(tmp_path / "source", words=words)
    if knows_task:
        recipe = build_recipe({"stage": "finetune", "model": str(source)}, [*easy.FAST])
        source = run_recipe(recipe, tmp_path / "fine-tuned", source=easy.make_splits(train=240)).path
    plan = make_plan(recipe_of(tiny_teacher, f"student.source={source}"))
    begins = partial(first_weights, plan, same_tokens=False)
    assert begins(LabelScheme(easy.LABELS)).keep_head == knows_task
    assert not begins(LabelScheme(("dull", "funny"))).keep_head
    start, story = baseline_start(plan)
    assert (start.kind, start.source) == ("project", str(tmp_path / "source"))
    assert "started the same way (project)" in story
    made = run(
        tmp_path,
        tiny_teacher,
        f"student.source={source}",
        "train.num_epochs=4",
        "train.learning_rate=3e-3",
        "baseline=false",
        splits=easy.make_splits(train=240),
    )
    own, its = (AutoTokenizer.from_pretrained(path).get_vocab() for path in (made.path, source))
    assert own == its != AutoTokenizer.from_pretrained(tiny_teacher).get_vocab()
    assert made.metrics["student"]["test"]["accuracy"] > 0.8
    assert ("student" in made.metrics.get("head_start", {})) != knows_task
    assert f"Student start: project of {source} layers [2, 4]." in made.metrics["notes"]


def test_a_source_whose_origin_is_unknown_leaves_a_weak_baseline(tmp_path: Path, tiny_teacher: Path) -> None:
    source = shutil.copytree(tiny_teacher, tmp_path / "source")
    start, story = baseline_start(make_plan(recipe_of(tiny_teacher, f"student.source={source}")))
    assert start.kind == "random"
    assert f"{source} was fine-tuned from is not known (give student.source a run of" in story


def test_multilabel_rows_may_all_be_unlabelled(tmp_path: Path, tiny_teacher: Path) -> None:
    from transformers import AutoConfig  # a teacher of two independent labels

    teacher = tmp_path / "teacher"
    shutil.copytree(tiny_teacher, teacher)
    config = AutoConfig.from_pretrained(teacher)
    config.update({"problem_type": "multi_label_classification"})
    config.save_pretrained(teacher)
    splits = {
        name: [{"text": row["text"], "label": None if name == "train" else [row["label"]]} for row in rows]
        for name, rows in easy.make_splits().items()
    }
    tree = {"task": "multilabel", "teacher": {"path": str(teacher)}, "baseline": False}
    recipe = build_recipe(tree, [*easy.TINY_STUDENT, *easy.FAST])
    found = {finding.check: finding for finding in examine(recipe, splits, tmp_path / "doctor")}
    assert "min in fp32" in found["time"].message
    made = run_recipe(recipe, tmp_path / "run", source=splits)
    assert made.metrics["student"]["test"]["micro_f1"] > 0.5
    count = len(splits["train"])
    assert f"0 of {count} training rows have a label; the teacher labels the others." in made.metrics["notes"]


def test_a_source_that_is_the_teacher_is_cut_from_as_it_was(tmp_path: Path, tiny_encoder: Path) -> None:
    short = ["teacher.num_epochs=1", "train.num_epochs=1", "baseline=false"]
    made = run(tmp_path, tiny_encoder, f"student.source={tiny_encoder}", *short)
    assert f"Student start: project of {tiny_encoder} layers [2, 4]." in made.metrics["notes"]
    assert "student" in made.metrics["head_start"], "the fine-tuned teacher's head would need no fit"


def test_soft_labels_that_are_mended_go_on(tmp_path: Path, tiny_encoder: Path) -> None:
    splits = easy.make_splits()
    rows = [
        {"text": row["text"], "scores": {name: 0.9 if name == row["label"] else 0.1 for name in easy.LABELS}}
        for row in splits["train"]
    ]
    file = easy.write_rows(tmp_path / "soft.jsonl", rows[1:])
    settings = (f"teacher.pretrained={tiny_encoder}", "baseline=false")
    with pytest.raises(DataError, match="no scores for the training text"):
        run(tmp_path, file, *settings, splits=splits)
    easy.write_rows(file, rows)
    assert run(tmp_path, file, *settings, splits=splits).metrics["student"]


def test_soft_labels_teach(tmp_path: Path, tiny_encoder: Path) -> None:
    splits = easy.make_splits(train=240)
    file = easy.write_rows(
        tmp_path / "soft.jsonl",
        [
            {
                "text": row["text"],
                "scores": {name: 0.95 if name == row["label"] else 0.05 for name in easy.LABELS},
            }
            for row in splits["train"]
        ],
    )
    unlabelled = {**splits, "train": [{"text": row["text"], "label": None} for row in splits["train"]]}
    unlabelled["train"][:2] = splits["train"][:2]
    made = run(
        tmp_path,
        file,
        f"teacher.pretrained={tiny_encoder}",
        "train.num_epochs=4",
        "train.learning_rate=3e-3",
        "baseline=false",
        splits=unlabelled,
    )
    assert made.metrics["student"]["test"]["accuracy"] > 0.9
    assert made.metrics["teacher"] is None
    assert made.metrics["retention"] is None
    assert "The teacher is a file of scores" in (made.path / "report.md").read_text()


def test_a_file_teacher_is_read_by_row(tmp_path: Path, tiny_encoder: Path) -> None:
    splits = easy.make_splits()
    file = easy.write_rows(
        tmp_path / "soft.jsonl",
        [
            {"text": row["text"], "scores": {"negative": float(i), "positive": 0.0}}
            for i, row in enumerate(splits["train"])
        ],
    )
    teacher, work = teacher_of(tmp_path, file, f"teacher.pretrained={tiny_encoder}")
    assert isinstance(teacher, FileTeacher)
    rows = work.encoded.train
    batch = work.encoded.collator([rows[i] for i in (5, 90, 0)])
    np.testing.assert_allclose(teacher.answer(batch).logits[:, 0], [5, 90, 0])


def test_a_changed_plan_is_another_question(tmp_path: Path, tiny_teacher: Path) -> None:
    one, _ = teacher_of(tmp_path / "a", tiny_teacher)
    same, _ = teacher_of(tmp_path / "b", tiny_teacher, "train.seed=9")
    deeper, _ = teacher_of(tmp_path / "c", tiny_teacher, "student.layer_map=[1, 2]")
    cut, _ = teacher_of(tmp_path / "d", tiny_teacher, "data.max_length=6")
    assert isinstance(one, TeacherStore)
    assert one.folder == same.folder
    assert len({store.folder for store in (one, deeper, cut)}) == 3
    assert replace(one.wanted) == same.wanted
