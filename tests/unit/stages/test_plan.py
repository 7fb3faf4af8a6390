from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests import easy

from tinybert.config import Recipe, build_recipe, dump_recipe
from tinybert.errors import DataError, ModelError, RecipeError
from tinybert.models import load_config
from tinybert.stages.pipeline import describe_plan, make_plan, run_recipe
from tinybert.stages.plan.baselines import BASELINES, plan_baselines
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.plan.teacher import pretrained_of
from tinybert.stages.plan.training import find_task
from tinybert.stages.steps.baselines import BUILTIN as TRAINED
from tinybert.tasks import BUILTIN as TASKS


def plan(
    teacher: Path | str, *overrides: str, student: list[str] | None = None, **tree: object
) -> DistillPlan:
    tree = {"data": {"path": "rows"}, "teacher": {"path": str(teacher)}, **tree}
    made = make_plan(build_recipe(tree, [*(easy.TINY_STUDENT if student is None else student), *overrides]))
    assert isinstance(made, DistillPlan)
    return made


def refusal(teacher: Path | str, *overrides: str, student: list[str] | None = None, **tree: object) -> str:
    with pytest.raises((RecipeError, ModelError)) as caught:
        plan(teacher, *overrides, student=student, **tree)
    return str(caught.value)


def size(layers: int, width: int, heads: int, inner: int) -> list[str]:
    return [
        f"student.num_hidden_layers={layers}",
        f"student.hidden_size={width}",
        f"student.num_attention_heads={heads}",
        f"student.intermediate_size={inner}",
    ]


@pytest.mark.parametrize(
    ("shape", "start", "layer_map", "num_epochs"),
    [
        ((2, 32, 4, 64), "project", (2, 4), 4),
        ((3, 32, 4, 64), "project", (1, 3, 4), 4),
        ((4, 32, 4, 64), "slice", (1, 2, 3, 4), 3),
        ((2, 16, 4, 32), "project", (2, 4), 4),
        ((2, 16, 2, 32), "project", (2, 4), 4),
        ((2, 48, 4, 64), "random", (), 4),
        ((6, 32, 4, 64), "random", (), 4),
    ],
)
def test_auto_chooses_the_start_by_the_shape(
    tiny_teacher: Path,
    shape: tuple[int, int, int, int],
    start: str,
    layer_map: tuple[int, ...],
    num_epochs: int,
) -> None:
    made = plan(tiny_teacher, student=size(*shape))
    assert (made.start, made.layer_map) == (start, layer_map)
    assert (made.training.num_epochs, made.recipe.train.num_epochs) == (num_epochs, "auto")
    assert made.recipe.student.start == start
    assert (made.shape.num_hidden_layers, made.shape.hidden_size) == shape[:2]


def test_what_is_set_is_kept(tiny_teacher: Path) -> None:
    made = plan(
        tiny_teacher,
        "student.start=random",
        "train.num_epochs=1",
        "train.learning_rate=3e-4",
        "student.layer_map=[1, 3]",
        "distill.losses={mse_logits: 2}",
    )
    assert made.start == "random"
    assert made.losses == {"mse_logits": 2.0}
    assert (made.recipe.train.num_epochs, made.recipe.train.learning_rate) == (1, 3e-4)
    assert made.training.steps(64, 32) == (2, 2)
    assert not made.training.is_auto


def test_auto_says_how_it_finds_the_steps(tiny_teacher: Path, tiny_encoder: Path) -> None:
    auto = "at least 400 steps of 32 rows; more while the validation score rises, at most 3 times as many"
    ours = f"# train.num_epochs: 4 epochs, but {auto}"
    said = describe_plan(build_recipe({"teacher": {"path": str(tiny_teacher)}}, size(2, 32, 4, 64)))
    assert ours in said.splitlines()
    assert "teacher.num_epochs: 3" not in said
    words = [*size(2, 32, 4, 64), "train.num_epochs=7"]
    said = describe_plan(build_recipe({"teacher": {"path": str(tiny_encoder)}}, words))
    assert f"# teacher.num_epochs: 3 epochs, but {auto}" in said.splitlines()
    assert "# train.num_epochs" not in said
    said = describe_plan(build_recipe({"stage": "finetune", "model": str(tiny_encoder)}))
    assert f"# train.num_epochs: 3 epochs, but {auto}" in said.splitlines()


@pytest.mark.parametrize(("spec", "layers"), [("uniform", (2, 4)), ("last", (3, 4)), ("[1, 4]", (1, 4))])
def test_layer_maps_by_name_or_by_hand(tiny_teacher: Path, spec: str, layers: tuple[int, ...]) -> None:
    assert plan(tiny_teacher, f"student.layer_map={spec}").layer_map == layers


@pytest.mark.parametrize(
    ("task", "num_layers", "name"),
    [("classification", 2, "uniform"), ("ner", 2, "first"), ("qa", 3, "first"), ("ner", 1, "uniform")],
)
def test_tags_and_answers_keep_the_lowest_layers(
    tiny_encoder: Path, task: str, num_layers: int, name: str
) -> None:
    made = plan(
        tiny_encoder, f"task={task}", f"student.num_hidden_layers={num_layers}", "student.start=project"
    )
    assert made.recipe.student.layer_map == name
    by_hand = plan(tiny_encoder, f"task={task}", "student.layer_map=last", "student.start=project")
    assert by_hand.recipe.student.layer_map == "last"


def test_default_losses_match_hidden_states_predictions_and_labels(tiny_teacher: Path) -> None:
    assert plan(tiny_teacher).losses == {"hidden_state_mse": 1.0, "kl_divergence": 1.0, "hard": 0.1}
    assert "attention_score_mse" in plan(tiny_teacher, "distill.phases=two").losses
    fewer_heads = plan(tiny_teacher, "distill.phases=two", student=size(2, 16, 2, 32))
    assert "attention_score_mse" not in fewer_heads.losses


def test_a_random_start_follows_hidden_states_only_in_a_phase_of_their_own(tiny_teacher: Path) -> None:
    assert plan(tiny_teacher, "student.start=random").losses == {"kl_divergence": 1.0, "hard": 0.1}
    assert "hidden_state_mse" in plan(tiny_teacher, "student.start=random", "distill.phases=two").losses
    with pytest.raises(RecipeError, match="'two' needs an intermediate loss"):
        plan(tiny_teacher, "distill.phases=two", student=size(6, 32, 4, 64))


def test_a_student_that_is_a_checkpoint_starts_from_it(tiny_teacher: Path, tiny_encoder: Path) -> None:
    made = plan(tiny_teacher, f"student.shape={tiny_encoder}", student=[])
    assert (made.start, made.source) == ("checkpoint", str(tiny_encoder))
    assert made.losses == {"kl_divergence": 1.0, "hard": 0.1}
    assert made.layer_map == ()


@pytest.mark.parametrize(("kind", "expected"), [("tiny_teacher", "classifier"), ("tiny_encoder", "encoder")])
def test_a_teacher_is_told_by_its_config(kind: str, expected: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    made = plan(path)
    assert made.teacher.kind == expected
    assert made.teacher.info is not None
    assert made.teacher.info.num_hidden_layers == 4
    assert made.teacher.pretrained == (str(path) if expected == "encoder" else None)


def test_a_file_of_soft_labels_is_a_teacher_of_predictions(tmp_path: Path, tiny_encoder: Path) -> None:
    file = easy.write_rows(
        tmp_path / "soft.jsonl", [{"text": "a", "scores": {"negative": 0.1, "positive": 0.9}}]
    )
    made = plan(file, f"teacher.pretrained={tiny_encoder}")
    assert made.teacher.kind == "file"
    assert made.source == str(tiny_encoder)
    assert made.start == "project"
    assert made.losses == {"kl_divergence": 1.0, "hard": 0.1}
    said = refusal(
        file, f"teacher.pretrained={tiny_encoder}", "distill.losses={hidden_state_mse: 1, hard: 1}"
    )
    assert "the teacher is a file of scores; only prediction losses can be used" in said


def test_a_student_may_be_cut_from_another_model_than_its_teacher(
    tiny_teacher: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    source = f"student.source={tiny_encoder}"
    made = plan(tiny_teacher, source, student=size(2, 16, 2, 32))
    assert (made.start, made.source, made.pretrained) == ("project", str(tiny_encoder), str(tiny_encoder))
    assert made.layer_map == (2, 4)
    assert made.losses == {"kl_divergence": 1.0, "hard": 0.1}
    assert made.inputs()["source"] == str(tiny_encoder)
    assert f"student layers 1–2 ← {tiny_encoder} layers [2, 4]" in made.describe()
    said = refusal(tiny_teacher, source, "distill.losses={hidden_state_mse: 1, hard: 1}")
    assert (
        f"distill.losses.hidden_state_mse: with student.source = {tiny_encoder} the student does not" in said
    )
    said = refusal(tiny_teacher, source, "distill.phases=two")
    assert "distill.phases = 'two' cannot be used with student.source" in said
    said = refusal(tiny_teacher, source, student=size(2, 64, 4, 128))
    assert f"student.hidden_size = 64: student.source = '{tiny_encoder}' has 32; use a smaller shape" in said
    assert "student.intermediate_size = 128" in said
    assert plan(tiny_teacher, source, "student.start=random", student=size(2, 64, 4, 128)).start == "random"
    said = refusal(tiny_teacher, source, "teacher.pretrained=bundled:minilm", student=size(2, 64, 4, 128))
    assert said.count("teacher.pretrained: not used, because the student is cut from student.source") == 1
    said = refusal(tiny_teacher, source, "student.start=project", student=size(2, 64, 4, 128))
    assert f"a projection cannot be wider than {tiny_encoder}'s 32" in said
    said = refusal(tiny_teacher, source, student=[f"student.shape={tiny_encoder}"])
    assert f"student.source = '{tiny_encoder}': not used, because {tiny_encoder} is a checkpoint and" in said
    assert "student.source = 'nowhere'" in refusal(tiny_teacher, "student.source=nowhere")


@pytest.mark.parametrize(
    ("overrides", "student", "parts"),
    [
        (["student.start=slice"], size(2, 16, 4, 32),
         ["student.hidden_size = 16: a slice keeps the teacher's 32", "student.intermediate_size = 32"]),
        (["student.start=project"], size(2, 64, 4, 128),
         ["student.hidden_size = 64: a projection cannot be wider", "student.start=random"]),
        (["student.start=checkpoint"], None, ["needs student.shape to be a checkpoint"]),
        (["student.layer_map=[3, 9]"], None, ["9"]),
        (["student.layer_map=[1, 2, 3]"], None, ["2"]),
        ([], size(2, 30, 4, 64), ["hidden_size", "num_attention_heads"]),
        (["distill.losses={attention_score_mse: 1, hard: 1}"], size(2, 16, 2, 32),
         ["2 heads against the teacher's 4", "use relation_kl, or set student.num_attention_heads=4"]),
        (["distill.losses={relation_kl: 1, hard: 1}", "distill.num_relation_heads=5"], None,
         ["distill.num_relation_heads = 5: must divide both widths, 32 and 32"]),
        (["distill.losses={hiden_mse: 1, kl_divergence: -1}"], None,
         ["unknown loss; did you mean 'hidden_state_mse'?", "kl_divergence = -1.0: a weight is positive"]),
        (["distill.losses={hidden_state_mse: 1}"], None, ["nothing teaches the task head", "kl_divergence"]),
        (["distill.losses={hard: 1}", "distill.phases=two"], None, ["'two' needs an intermediate loss"]),
        (["hard_loss=cross_entropi"], None, ["classification allows auto, cross_entropy",
                                             "did you mean 'cross_entropy'?"]),
        (["train.focal_gamma=1"], None, ["train.focal_gamma: hard_loss=cross_entropy does not use it; omit"]),
        (["train.class_weights=balanced", "hard_loss=mse"], None,
         ["train.class_weights: hard_loss=mse does not use it; omit it"]),
        (["train.contrastive_weight=1", "data.long_text=windows"], None,
         ["train.contrastive_weight: data.long_text=windows does not use it; omit it"]),
        (["train.contrastive_weight=1", "train.batch_size=1"], None,
         ["train.contrastive_weight: train.batch_size=1 does not use it; omit it"]),
        (["train.class_weights={positive: 0, negative: -1}"], None,
         ["train.class_weights.positive = 0.0: a weight is positive, and at most 1,000,000",
          "train.class_weights.negative = -1.0"]),
        (["data.label_pieces=all", "data.on_orphan_tag=refuse"], None,
         ["data.label_pieces: task classification does not use it", "data.on_orphan_tag: task"]),
        (["student.shape=4l-385d"], [], ["neither a named shape; did you mean '4l-384d'?"]),
    ],
)  # fmt: skip
def test_what_cannot_go_together_is_refused_with_the_fix(
    tiny_teacher: Path, overrides: list[str], student: list[str] | None, parts: list[str]
) -> None:
    said = refusal(tiny_teacher, *overrides, student=student)
    for part in parts:
        assert part in said


@pytest.mark.parametrize("task", ["regression", "qa"])
def test_a_task_without_classes_has_no_class_weights(tiny_encoder: Path, task: str) -> None:
    said = refusal(tiny_encoder, "train.class_weights={a: 2}", "train.focal_gamma=1", task=task)
    assert f"train.class_weights: task {task} does not use it; omit it" in said
    assert "train.focal_gamma: hard_loss=" in said
    said = refusal(tiny_encoder, "train.contrastive_weight=1", task=task)
    assert f"train.contrastive_weight: task {task} does not use it; omit it" in said


def test_frozen_layers_are_no_more_than_there_are(tiny_encoder: Path) -> None:
    assert plan(tiny_encoder, "teacher.frozen_layers=4").recipe.teacher.frozen_layers == 4
    said = refusal(tiny_encoder, "teacher.frozen_layers=5")
    assert f"teacher.frozen_layers = 5: {tiny_encoder} has 4 layers; set 4 or less" in said
    recipe = {"stage": "finetune", "model": str(tiny_encoder)}
    with pytest.raises(RecipeError, match=r"train\.frozen_layers = 5: .* has 4 layers"):
        make_plan(build_recipe(recipe, ["train.frozen_layers=5"]))
    with pytest.raises(RecipeError, match="2 problems"):
        make_plan(build_recipe(recipe, ["train.frozen_layers=5", "data.max_length=9999"]))
    made = make_plan(build_recipe(recipe, ["train.layer_decay=0.9", "train.gradient_checkpointing=true"]))
    assert made.training.layers == {"layer_decay": 0.9, "frozen_layers": 0, "gradient_checkpointing": True}


def test_what_no_loss_uses_is_refused(tiny_teacher: Path, tiny_encoder: Path) -> None:
    soft, labels = "distill.losses={kl_divergence: 1}", ["hard_loss=focal", "train.focal_gamma=3"]
    said = refusal(tiny_teacher, soft, *labels, "train.class_weights=balanced", "baseline=tfidf")
    for name in ("hard_loss", "train.focal_gamma", "train.class_weights"):
        assert f"{name}: a distillation in which nothing learns labels does not use it; omit it" in said
    for teacher, others in ((tiny_encoder, "baseline=false"), (tiny_teacher, "baseline=fine_tune_only")):
        assert plan(teacher, soft, *labels, others).recipe.hard_loss == "focal"
    said = refusal(tiny_teacher, "train.contrastive_weight=1", "baseline=tfidf")
    assert "train.contrastive_weight: a distillation in which nothing learns labels alone does not" in said
    said = refusal(tiny_teacher, "distill.losses={mse_logits: 1, hard: 1}", "distill.temperature=4")
    assert "distill.temperature: a distillation by mse_logits, hard does not use it; omit it" in said
    assert plan(tiny_teacher, "distill.temperature=4").recipe.distill.temperature == 4


def test_settings_of_a_fine_tuning_belong_to_what_is_fine_tuned(
    tiny_teacher: Path, tiny_encoder: Path
) -> None:
    its = {"layer_decay": 0.9, "gradient_checkpointing": "true", "num_epochs": 2, "learning_rate": 1e-4}
    said = refusal(tiny_teacher, *(f"teacher.{name}={value}" for name, value in its.items()))
    for name in its:
        assert f"teacher.{name}: a teacher that is not fine-tuned here does not use it; omit it" in said
    said = refusal(tiny_encoder, "train.layer_decay=0.9", "train.frozen_layers=1")
    assert "train.layer_decay: stage distill does not use it; omit it" in said
    assert "train.frozen_layers: stage distill does not use it; omit it" in said


def test_losses_are_the_tasks_own(tiny_teacher: Path) -> None:
    said = refusal(tiny_teacher, "distill.losses={kl_divergence: 1}", task="regression")
    assert "distill.losses.kl_divergence: regression is taught by mse_logits" in said


def test_a_teacher_without_a_head_may_be_refused(tiny_encoder: Path) -> None:
    assert "has no task head and teacher.fine_tune is never" in refusal(
        tiny_encoder, "teacher.fine_tune=never"
    )


def test_what_is_missing_is_named() -> None:
    with pytest.raises(RecipeError, match=r"teacher\.path is missing; give --teacher"):
        make_plan(build_recipe({}))
    with pytest.raises(RecipeError, match="model is missing; give --model"):
        make_plan(build_recipe({"stage": "finetune"}))
    with pytest.raises(RecipeError, match=r"data\.path is missing"):
        run_recipe(build_recipe({"stage": "finetune", "model": "x"}), "out")
    with pytest.raises(RecipeError, match=r"unknown task; did you mean 'classification'\?"):
        find_task(build_recipe({"task": "clasification"}))


def test_a_plan_says_what_would_happen(tiny_teacher: Path, easy_rows: Path) -> None:
    recipe = build_recipe(
        {"data": {"path": str(easy_rows)}, "teacher": {"path": str(tiny_teacher)}}, easy.TINY_STUDENT
    )
    text = describe_plan(recipe)
    assert f"# teacher: {tiny_teacher} (classifier)" in text
    assert "start: project" in text
    assert "# student layers 1–2 ← teacher layers [2, 4]" in text
    assert "kl_divergence: 1.0" in text
    fine_tuning = build_recipe({"stage": "finetune", "model": str(tiny_teacher)}, ["train.num_epochs=7"])
    assert "num_epochs: 7" in describe_plan(fine_tuning)
    nowhere = build_recipe({"data": {"path": "nowhere.csv"}, "teacher": {"path": str(tiny_teacher)}})
    with pytest.raises(DataError, match="no such file or folder"):
        describe_plan(nowhere)


def test_the_teacher_kept_in_a_run_knows_its_pretrained_weights(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    (run / "teacher").mkdir(parents=True)
    (run / "metrics.json").write_text("{}")
    recipe = build_recipe({"stage": "distill", "teacher": {"path": str(tiny_encoder)}})
    (run / "recipe.yaml").write_text(dump_recipe(recipe))
    assert pretrained_of(str(run / "teacher")) == str(tiny_encoder)
    monkeypatch.setattr("tinybert.stages.plan.teacher.hub_problem", lambda *_: None)
    (run / "recipe.yaml").write_text(dump_recipe(build_recipe({"teacher": {"path": "owner/encoder"}})))
    assert pretrained_of(str(run / "teacher")) == "owner/encoder"
    monkeypatch.setattr("tinybert.stages.plan.teacher.hub_problem", lambda *_: "not there")
    assert pretrained_of(str(run / "teacher")) is None
    assert pretrained_of(str(tmp_path)) is None


def test_rows_are_no_longer_than_the_models_positions(tiny_teacher: Path) -> None:
    limit = load_config(str(tiny_teacher)).max_position_embeddings
    assert limit < 128
    assert plan(tiny_teacher).recipe.data.max_length == limit
    assert plan(tiny_teacher, f"data.max_length={limit - 8}").recipe.data.max_length == limit - 8
    with pytest.raises(RecipeError, match=rf"max_length = 100: .* has {limit} positions; set {limit} or"):
        plan(tiny_teacher, "data.max_length=100")
    recipe = build_recipe({"stage": "finetune", "model": str(tiny_teacher), "data": {"max_length": 100}})
    with pytest.raises(RecipeError, match="positions"):
        make_plan(recipe)


def test_settings_that_a_stage_does_not_read_are_refused(tiny_teacher: Path) -> None:
    with pytest.raises(RecipeError, match="model: stage distill does not use it; omit it"):
        plan(tiny_teacher, "model=nowhere")
    tree = {"stage": "finetune", "model": str(tiny_teacher)}
    with pytest.raises(RecipeError) as caught:
        make_plan(build_recipe(tree, ["distill.temperature=9", "student.shape=4l-312d", "baseline=no"]))
    names = [problem.split(":")[0] for problem in caught.value.problems]
    assert names == ["student.shape", "distill.temperature", "baseline"]


def test_a_checkpoint_keeps_its_own_numbers(tiny_teacher: Path, tiny_encoder: Path) -> None:
    with pytest.raises(RecipeError, match=r"student\.num_hidden_layers: .* is a checkpoint and has its own"):
        plan(tiny_teacher, student=[f"student.shape={tiny_encoder}", "student.num_hidden_layers=1"])


def test_a_run_is_made_of_every_model_it_reads(tiny_teacher: Path, tiny_encoder: Path) -> None:
    made = plan(tiny_teacher, f"teacher.pretrained={tiny_encoder}", student=[f"student.shape={tiny_encoder}"])
    assert made.inputs() == {
        "teacher": str(tiny_teacher),
        "student": str(tiny_encoder),
        "pretrained": str(tiny_encoder),
    }
    assert plan(tiny_teacher, "baseline=false").inputs() == {"teacher": str(tiny_teacher)}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("auto", ("fine_tune_only", "tfidf")),
        ("true", ("fine_tune_only", "tfidf")),
        ("false", ()),
        ("[]", ()),
        ("tfidf", ("tfidf",)),
        ("[tfidf]", ("tfidf",)),
        ("[fine_tune_only, tfidf, fine_tune_only]", ("fine_tune_only", "tfidf")),
    ],
)
def test_a_recipe_names_its_baselines(tiny_teacher: Path, given: str, names: tuple[str, ...]) -> None:
    made = plan(tiny_teacher, f"baseline={given}")
    assert made.baselines == names
    assert yaml.safe_load(made.describe().partition("stage:")[2].partition("\n")[2])["baseline"] == [*names]
    assert plan(tiny_teacher, baseline=yaml.safe_load(given)).baselines == names


def test_a_task_has_the_baselines_that_it_says(tiny_teacher: Path) -> None:
    every = Recipe()
    assert {task.name for task in TASKS.values() if "tfidf" in plan_baselines(every, task)} == {
        *("classification", "multilabel", "regression"),
    }
    assert set(TRAINED) == set(BASELINES)
    recipe = build_recipe({"task": "ner", "baseline": True})
    assert plan_baselines(recipe, TASKS["ner"]) == ("fine_tune_only",)
    with pytest.raises(RecipeError, match="baseline = 'tfidf': ner allows auto, fine_tune_only"):
        plan_baselines(build_recipe({"task": "ner", "baseline": ["tfidf"]}), TASKS["ner"])
    assert "baseline = 'tfdif': classification allows auto, fine_tune_only, tfidf; did you mean 'tfidf'?" in (
        refusal(tiny_teacher, "baseline=tfdif")
    )
    with pytest.raises(RecipeError, match="baseline = 3: must be a list"):
        build_recipe({}, ["baseline=3"])
