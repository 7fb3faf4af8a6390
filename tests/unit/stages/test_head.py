from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests import easy
from transformers import PreTrainedModel

from tinybert.config import Recipe, build_recipe
from tinybert.data import Collator
from tinybert.errors import RecipeError
from tinybert.models import load_config, load_encoder, load_tokenizer
from tinybert.models.head import logits_layer, pooler_layer
from tinybert.models.pooling import POOLINGS
from tinybert.models.start.head_fit import HeadFit
from tinybert.objectives import ContrastiveObjective, HardObjective
from tinybert.runs import CHECKPOINTS, Run
from tinybert.stages.pipeline import make_plan, run_recipe
from tinybert.stages.plan.training import find_task
from tinybert.stages.steps import head as head_module
from tinybert.stages.steps.head import begin_head, choose_pooling, spread_batches
from tinybert.stages.steps.labels import label_objective
from tinybert.stages.steps.prepare import Encoded, encode_rows, load_for_labels, load_rows
from tinybert.storage import Json

ONE_EPOCH = [*easy.FAST, "train.num_epochs=1", "train.learning_rate=1e-5"]


def recipe_of(model: Path, *overrides: str) -> Recipe:
    return build_recipe({"stage": "finetune", "model": str(model)}, overrides)


@pytest.fixture(scope="module")
def good_encoder(tiny_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that tells the keywords apart, without a head."""
    folder = tmp_path_factory.mktemp("good_encoder")
    load_encoder(tiny_teacher).save_pretrained(folder)
    easy.make_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def fitted(good_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A fine-tuning of hardly any step, from a head as by default."""
    out = tmp_path_factory.mktemp("runs") / "fitted"
    return run_recipe(recipe_of(good_encoder, *ONE_EPOCH), out, source=easy.make_splits())


def test_a_fitted_head_knows_the_task_before_the_first_step(fitted: Run) -> None:
    (head,) = fitted.metrics["head_start"].values()  # type: ignore[attr-defined]
    assert head["validation"] > 0.8
    assert fitted.metrics["model"]["test"]["accuracy"] > 0.8  # type: ignore[index]
    assert (head["method"], head["pooling"], head["num_rows"]) == ("logistic", "mean", 96)
    said = f"96 rows (logistic): validation accuracy {head['validation']:.4f} before fine-tuning"
    assert f"model: head fitted on frozen vectors of {said}" in (fitted.path / "report.md").read_text()


@pytest.mark.parametrize(
    ("task", "given", "message"),
    [
        ("classification", "ridge", "classification allows auto, random, logistic"),
        ("regression", "logistic", "regression allows auto, random, ridge"),
        ("ner", "logistic", "ner allows auto, random$"),
        ("classification", "logistik", "did you mean 'logistic'"),
    ],
)
def test_a_start_that_is_not_the_tasks_is_refused(task: str, given: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        find_task(build_recipe({"task": task, "head_start": given}))


def test_a_head_whose_parts_are_not_known_is_refused_or_drawn_at_random(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    config = {**json.loads((tiny_encoder / "config.json").read_text()), "model_type": "albert"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(RecipeError, match=r"is a albert; only heads of bert, .*set head_start=random"):
        make_plan(recipe_of(tmp_path, "head_start=logistic"))
    with pytest.raises(RecipeError, match=r"contrastive_weight = 0\.5: .* is a albert; .*; set it to 0"):
        make_plan(recipe_of(tmp_path, "train.contrastive_weight=0.5"))
    make_plan(recipe_of(tmp_path))
    model = easy.seeded_classifier()
    model.config.model_type = "albert"
    assert head_module.head_method(recipe_of(tmp_path), find_task(Recipe()), model) == "random"


@pytest.fixture
def begun(tiny_encoder: Path, tmp_path: Path) -> tuple[PreTrainedModel, Encoded, Recipe]:
    recipe = recipe_of(tiny_encoder, "hard_loss=cross_entropy")
    task = find_task(recipe)
    data = load_rows(easy.make_splits(), recipe, task, work_dir=tmp_path / "rows", allow_unlabelled=False)
    tokenizer = load_tokenizer(tiny_encoder)
    rows = encode_rows(data, tokenizer, recipe=recipe, task=task, max_length=32, folder=tmp_path / "encoded")
    return load_for_labels(str(tiny_encoder), task, data.labels, seed=0, new_head=True), rows, recipe


def begin(
    folder: Path, model: PreTrainedModel, rows: Encoded, recipe: Recipe, *, is_new: bool = True
) -> Json:
    folder.mkdir(exist_ok=True)
    return begin_head(folder, model, rows, recipe, is_new=is_new, name="model", source="none", bf16=False)


def head_of(model: PreTrainedModel) -> list[torch.Tensor]:
    return [layer.weight.detach().clone() for layer in (pooler_layer(model), logits_layer(model)) if layer]


def test_a_training_that_resumes_finds_the_same_head(
    begun: tuple[PreTrainedModel, Encoded, Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rows, recipe = begun
    random = head_of(model)
    first = begin(tmp_path / "step", model, rows, recipe)
    fitted = head_of(model)
    assert not any(torch.equal(one, other) for one, other in zip(random, fitted, strict=True))
    again = load_for_labels(str(recipe.model), rows.task, rows.labels, seed=0, new_head=True)
    monkeypatch.setattr(head_module, "fit_head", lambda *_, **__: pytest.fail("fitted again"))
    assert begin(tmp_path / "step", again, rows, recipe) == first
    assert all(torch.equal(one, other) for one, other in zip(head_of(again), fitted, strict=True))


def test_a_training_of_an_earlier_version_keeps_its_random_head(
    begun: tuple[PreTrainedModel, Encoded, Recipe], tmp_path: Path
) -> None:
    model, rows, recipe = begun
    random = head_of(model)
    (tmp_path / "step" / CHECKPOINTS / "checkpoint-6").mkdir(parents=True)
    assert begin(tmp_path / "step", model, rows, recipe) == {}
    assert all(torch.equal(one, other) for one, other in zip(head_of(model), random, strict=True))


def test_a_random_head_is_left_alone(begun: tuple[PreTrainedModel, Encoded, Recipe], tmp_path: Path) -> None:
    model, rows, recipe = begun
    random = head_of(model)
    asked = recipe.model_copy(update={"head_start": "random"})
    assert begin(tmp_path / "step", model, rows, asked) == {}
    assert all(torch.equal(one, other) for one, other in zip(head_of(model), random, strict=True))


def test_a_head_that_is_not_new_is_kept(
    begun: tuple[PreTrainedModel, Encoded, Recipe], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, rows, recipe = begun
    assert begin(tmp_path / "step", model, rows, recipe, is_new=False) == {}
    assert "warning" not in capsys.readouterr().err
    asked = recipe.model_copy(update={"head_start": "logistic"})
    assert begin(tmp_path / "step", model, rows, asked, is_new=False) == {}
    assert "model: head_start=logistic is not used" in capsys.readouterr().err


def test_rows_without_a_label_are_not_read(
    begun: tuple[PreTrainedModel, Encoded, Recipe], tmp_path: Path
) -> None:
    model, rows, recipe = begun
    columns = rows.train.to_dict()
    columns["labels"] = [label if index < 10 else -100 for index, label in enumerate(columns["labels"])]
    few = replace(rows, train=type(rows.train).from_dict(columns))
    assert begin(tmp_path / "some", model, few, recipe)["head_start"]["num_rows"] == 10  # type: ignore[index]
    columns["labels"] = [-100] * len(columns["labels"])
    none = replace(rows, train=type(rows.train).from_dict(columns))
    assert begin(tmp_path / "none", model, none, recipe) == {}


def test_few_rows_are_run_with_several_dropouts(
    begun: tuple[PreTrainedModel, Encoded, Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rows, recipe = begun
    monkeypatch.setattr(head_module, "MIN_VECTORS", 3 * len(rows.train) - 1)
    seen: list[torch.Tensor] = []

    def fit_head(_: object, batches: Iterator[Mapping[str, torch.Tensor]], **given: object) -> HeadFit:
        assert given["num_passes"] == 3
        seen.extend(batch["row"] for batch in batches)
        return HeadFit(len(rows.train), 3.0)

    monkeypatch.setattr(head_module, "fit_head", fit_head)
    begin(tmp_path / "step", model, rows, recipe)
    each = torch.cat(seen).reshape(3, -1)
    assert torch.equal(each[0], each[1]) and torch.equal(each[0], each[2])
    assert sorted(each[0].tolist()) == list(range(len(rows.train)))


@pytest.mark.parametrize(
    ("settings", "few", "is_pair", "long_text", "is_contrastive", "weight"),
    [
        ((), 1_000, False, "truncate", True, 1.0),
        ((), 2, False, "truncate", True, 0.0),
        ((), 1_000, True, "truncate", True, 0.0),
        ((), 1_000, False, "windows", True, 0.0),
        ((), 1_000, False, "truncate", False, 0.0),
        (("train.contrastive_weight=0",), 1_000, False, "truncate", True, 0.0),
        (("train.contrastive_weight=0.3",), 2, True, "truncate", True, 0.3),
    ],
)
def test_texts_of_a_class_are_pulled_together_where_labels_are_few(
    begun: tuple[PreTrainedModel, Encoded, Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: tuple[str, ...],
    few: int,
    is_pair: bool,
    long_text: str,
    is_contrastive: bool,
    weight: float,
) -> None:
    model, rows, recipe = begun
    monkeypatch.setattr(head_module, "FEW_LABELS", few)
    row_format = replace(rows.task.format, long_text=long_text)  # type: ignore[type-var]
    task = replace(rows.task, format=row_format, is_contrastive=is_contrastive)
    kinds = replace(rows, task=task, origin={**rows.origin, "text_pair": is_pair})
    asked = recipe_of(Path(str(recipe.model)), "hard_loss=cross_entropy", *settings)
    assert head_module._contrastive_weight(asked, kinds, len(rows.train)) == weight
    begun_by = begin(tmp_path / "step", model, rows, asked)
    begun_by["head_start"] |= {"contrastive_weight": weight, "pooling": "max"}  # type: ignore[operator]
    objective = label_objective(model, rows, asked, begun=begun_by, source="none")
    if weight == 0:
        assert isinstance(objective, HardObjective)
    else:
        assert isinstance(objective, ContrastiveObjective)
        assert (objective.weight, objective.pool) == (weight, POOLINGS["max"])


def test_a_head_of_an_earlier_version_is_trained_as_it_began(
    begun: tuple[PreTrainedModel, Encoded, Recipe],
) -> None:
    model, rows, recipe = begun
    earlier: Json = {"head_start": {"num_rows": 10, "pooling": "mean"}}
    assert isinstance(label_objective(model, rows, recipe, begun=earlier, source="none"), HardObjective)


def test_a_weight_that_is_set_pools_as_the_checkpoint_does_without_a_fitted_head(
    begun: tuple[PreTrainedModel, Encoded, Recipe], tmp_path: Path
) -> None:
    model, rows, recipe = begun
    folder = tmp_path / "encoder"
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "modules.json").write_text(json.dumps([{"path": "1_Pooling", "type": "x.Pooling"}]))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_max_tokens": True}))
    asked = recipe_of(Path(str(recipe.model)), "train.contrastive_weight=0.5")
    objective = label_objective(model, rows, asked, begun={}, source=str(folder))
    assert isinstance(objective, ContrastiveObjective)
    assert objective.pool is POOLINGS["max"]


def test_a_fine_tuning_of_few_rows_says_and_logs_the_contrastive_loss(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "contrastive loss beside the hard loss: weight 1"
    for name, settings in {"with": (), "without": ("train.contrastive_weight=0",)}.items():
        recipe = recipe_of(tiny_encoder, *ONE_EPOCH, *settings)
        made = run_recipe(recipe, tmp_path / name, source=easy.make_splits(train=60))
        entries = [json.loads(line) for line in (made.path / "log.jsonl").read_text().splitlines()]
        assert entries
        assert all(("loss/contrastive" in entry) == (name == "with") for entry in entries)
        assert (said in capsys.readouterr().err) == (name == "with")
        assert (said in (made.path / "report.md").read_text()) == (name == "with")


def test_too_many_rows_are_spread_over_the_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_module, "MAX_ROWS", 10)
    monkeypatch.setattr(head_module, "BATCH_SIZE", 4)
    encoded = easy.encode_rows(easy.make_rows(35))
    batches = list(spread_batches(encoded, Collator(easy.make_tokenizer())))
    assert [len(batch["row"]) for batch in batches] == [4, 4, 2]
    assert sorted(torch.cat([batch["row"] for batch in batches]).tolist()) == [
        3 * i + i // 2 for i in range(10)
    ]


def test_a_checkpoint_says_how_it_pools(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert choose_pooling(str(tmp_path)) == "mean"
    modules = [{"path": "", "type": "x.Pooling"}, {"path": "2_Dense", "type": "x.Dense"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    for given, used in (("cls", "cls"), ("lasttoken", "mean")):
        (tmp_path / "config.json").write_text(json.dumps({"pooling_mode": given}))
        assert choose_pooling(str(tmp_path)) == used
    said = capsys.readouterr().err
    assert "no place for 2_Dense: not used" in said
    assert "pooling lasttoken is not known here (mean, max, cls)" in said


def test_the_teacher_and_the_baseline_of_a_distillation_begin_so(tiny_encoder: Path, tmp_path: Path) -> None:
    short = ["teacher.num_epochs=1", "train.num_epochs=1"]
    recipe = build_recipe({"teacher": {"path": str(tiny_encoder)}}, [*easy.TINY_STUDENT, *easy.FAST, *short])
    run = run_recipe(recipe, tmp_path / "run", source=easy.make_splits())
    assert list(run.metrics["head_start"]) == ["teacher", "fine_tune_only"]  # type: ignore[call-overload]
    entries = [json.loads(line) for line in (run.path / "log.jsonl").read_text().splitlines()]
    contrastive = {entry["training"] for entry in entries if "loss/contrastive" in entry}
    assert contrastive == {"teacher", "fine_tune_only"}  # the student learns from its teacher
    assert load_config(run.path).architectures == ["BertForSequenceClassification"]
