"""General distillation: layers come nearer, the student starts a task better, and bad plans are refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests import easy
from tests.command import call, metrics_of, refused
from transformers import AutoModel, AutoModelForMaskedLM, BertModel, PreTrainedModel

from tinybert.config import build_recipe
from tinybert.errors import RecipeError
from tinybert.models.families import EncoderInfo
from tinybert.models.start.project import adapt_student
from tinybert.objectives import GeneralObjective
from tinybert.stages.pipeline import make_plan
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.plan.general import GeneralPlan
from tinybert.stages.plan.losses import relation_heads

FAST = [
    "train.batch_size=16",
    "train.precision=fp32",
    "data.max_length=32",
    "corpus.near_duplicates=null",
    "corpus.held_out=0.1",
]
SHORT = ["train.num_epochs=2", "train.batch_size=16", "train.precision=fp32", "--no-baseline"]
STEPS = ["train.num_steps=120", "train.eval_steps=10", "train.learning_rate=1e-2"]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return easy.write_documents(tmp_path_factory.mktemp("text") / "text.txt")


def distilled(text: Path, teacher: Path, out: Path, *words: str) -> Path:
    call("distill", text, "--task", "general", "--teacher", teacher, "--out", out, *FAST, *words)
    return out


@pytest.fixture(scope="module")
def general(text: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("general") / "run"
    return distilled(text, tiny_encoder, out, *easy.NARROW_STUDENT, *STEPS)


def test_the_layers_come_nearer(general: Path) -> None:
    metrics = metrics_of(general)
    first, last = metrics["first_held_out"], metrics["held_out"]
    assert float(str(last["hidden_state_mse"])) < 0.95 * float(str(first["hidden_state_mse"]))
    assert "attention_score_mse" in last
    assert metrics["student_start"] == "project"
    assert metrics["layer_map"] == [2, 4]


def test_the_student_is_an_ordinary_encoder_with_its_way_to_the_teachers_width(general: Path) -> None:
    model = AutoModel.from_pretrained(general)
    assert (model.config.hidden_size, model.config.num_hidden_layers) == (16, 2)
    assert model.config.architectures == ["BertModel"]
    assert model.config.hidden_dropout_prob == 0.1  # none while it learnt layers, but for who trains it next
    assert load_file(general / "projection.safetensors")["projection"].shape == (3, 32, 16)


def test_relations_where_heads_differ(text: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    shape = [*easy.NARROW_STUDENT, "student.num_attention_heads=2", "student.start=random"]
    out = distilled(text, tiny_encoder, tmp_path / "run", *shape, "train.num_steps=4")
    losses = metrics_of(out)["losses"]
    assert set(losses) == {"hidden_state_mse", "relation_kl"}


def test_words_are_guessed_beside_where_asked(text: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    losses = "distill.losses={hidden_state_mse: 1, masked_lm: 0.5}"
    words = [*easy.NARROW_STUDENT, "train.num_steps=240", "train.eval_steps=40", "train.learning_rate=5e-3"]
    out = distilled(text, tiny_encoder, tmp_path / "run", *words, losses)
    metrics = metrics_of(out)
    first, last = metrics["first_held_out"], metrics["held_out"]
    assert float(str(last["perplexity"])) < float(str(first["perplexity"]))
    assert float(str(last["perplexity"])) == pytest.approx(math.exp(2 * float(str(last["masked_lm"]))))
    model = AutoModelForMaskedLM.from_pretrained(out)
    assert model.config.architectures == ["BertForMaskedLM"]


def test_a_task_begins_from_the_general_student(
    general: Path, tiny_teacher: Path, easy_rows: Path, tmp_path: Path
) -> None:
    recipe = build_recipe({"teacher": {"path": str(tiny_teacher)}, "student": {"shape": str(general)}})
    plan = make_plan(recipe)
    assert isinstance(plan, DistillPlan)
    assert plan.start == "checkpoint"
    assert plan.layer_map == (2, 4)
    assert plan.recipe.distill.dropout == 0.0  # the student learnt without
    assert "hidden_state_mse" in plan.losses
    out = tmp_path / "run"
    call("distill", easy_rows, "--teacher", tiny_teacher, "--student", general, "--out", out, *SHORT)
    assert metrics_of(out)["student_start"] == "checkpoint"
    assert plan.taught is not None
    assert plan.taught.origin is None
    report = (out / "report.md").read_text()
    assert "is not known to be that one fine-tuned; if it is, set teacher.pretrained=" in report


@pytest.mark.parametrize(
    "losses", [{"kl_divergence": 1.0, "hard": 0.1}, {"hidden_state_mse": 1.0, "hard": 1.0}]
)
def test_it_is_taken_over_to_the_fine_tuned_teacher_from_wherever_it_is_called(
    losses: dict[str, float],
    text: Path,
    tiny_encoder: Path,
    easy_rows: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where it learnt scores alone, and thus no maps to its teacher's width."""
    monkeypatch.chdir(tiny_encoder.parent)
    student = distilled(
        *(text, Path(tiny_encoder.name), tmp_path / "student", *easy.NARROW_STUDENT),
        *("distill.losses={attention_score_mse: 1}", "train.num_steps=5"),
    )
    monkeypatch.chdir(tmp_path)
    moved: list[Path] = []

    def adapt(origin: PreTrainedModel, *models: PreTrainedModel, **how: Any) -> torch.Tensor | None:
        moved.append(Path(origin.name_or_path))
        return adapt_student(origin, *models, **how)

    monkeypatch.setattr("tinybert.stages.steps.start.adapt_student", adapt)
    called = [f"distill.losses={json.dumps(losses)}", "teacher.num_epochs=1", *SHORT]
    out = tmp_path / "run"
    call("distill", easy_rows, "--teacher", tiny_encoder, "--student", student, "--out", out, *called)
    assert moved == [tiny_encoder.resolve()]
    assert "adapted to the fine-tuned teacher in closed form" in (out / "report.md").read_text()


def test_a_teacher_of_another_size_is_not_followed_layer_by_layer(
    general: Path, tmp_path: Path, easy_rows: Path
) -> None:
    other = easy.save_encoder(tmp_path / "other", hidden_size=48)
    recipe = build_recipe({"teacher": {"path": str(other)}, "student": {"shape": str(general)}})
    plan = make_plan(recipe)
    assert isinstance(plan, DistillPlan)
    assert "hidden_state_mse" not in plan.losses
    assert plan.recipe.distill.dropout == 0.1


def test_seeds_decide_everything(text: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    weights = [
        load_file(
            distilled(text, tiny_encoder, tmp_path / name, *easy.NARROW_STUDENT, "train.num_steps=5", seed)
            / "model.safetensors"
        )
        for name, seed in (("a", "train.seed=1"), ("b", "train.seed=1"), ("c", "train.seed=2"))
    ]
    name = "encoder.layer.0.attention.self.query.weight"
    assert torch.equal(weights[0][name], weights[1][name])
    assert not torch.equal(weights[0][name], weights[2][name])


def problems(*overrides: str) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        make_plan(build_recipe({"stage": "distill", "task": "general"}, overrides))
    return caught.value.problems


def test_losses_that_need_labels_are_refused(tiny_encoder: Path) -> None:
    teacher = f"teacher.path={tiny_encoder}"
    (problem,) = problems(teacher, *easy.NARROW_STUDENT, "distill.losses={kl_divergence: 1}")
    assert "without labels a student learns layers" in problem
    (alone,) = problems(teacher, *easy.NARROW_STUDENT, "distill.losses={masked_lm: 1}")
    assert "masked_lm alone is pre-training" in alone


def test_relation_heads_split_both_widths(tiny_encoder: Path) -> None:
    teacher, narrow = f"teacher.path={tiny_encoder}", [*easy.NARROW_STUDENT, "student.num_attention_heads=1"]
    recipe = build_recipe({"stage": "distill", "task": "general"}, [teacher, *narrow])
    plan = make_plan(recipe)
    assert isinstance(plan, GeneralPlan)
    assert "relation_kl" in plan.losses
    other = EncoderInfo(6, 384, 12, 1536, "bert", 100)
    assert relation_heads(plan.recipe, 128, other) == 8
    assert relation_heads(plan.recipe, 384, other) == 12
    (problem,) = problems(teacher, *narrow, "distill.num_relation_heads=3")
    assert "must divide both widths, 16 and 32 (allowed: 1, 2, 4, 8, 16)" in problem


def test_what_is_not_read_is_refused(tiny_encoder: Path) -> None:
    found = problems(
        f"teacher.path={tiny_encoder}", "distill.temperature=3", "data.label=y", "baseline=false"
    )
    assert [problem.partition(":")[0] for problem in found] == [
        "data.label",
        "distill.temperature",
        "baseline",
    ]


def test_a_student_of_another_vocabulary_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    BertModel(easy.make_config()).save_pretrained(tmp_path)
    easy.make_tokenizer([*reversed(easy.WORDS)]).save_pretrained(tmp_path)
    (problem,) = problems(f"teacher.path={tiny_encoder}", f"student.shape={tmp_path}")
    assert "another vocabulary than the teacher" in problem


def test_what_cannot_be_is_said_before_anything_is_read(tiny_encoder: Path) -> None:
    teacher = f"teacher.path={tiny_encoder}"
    found = problems(teacher, "student.shape=2l-128d", "student.start=slice")
    assert any("a slice keeps the teacher's" in problem for problem in found)
    (problem,) = problems(teacher, *easy.NARROW_STUDENT, "pretrain.mask_share=0.3")
    assert problem.startswith("pretrain.mask_share: a distillation without masked_lm does not use it")
    (problem,) = problems(teacher, *easy.NARROW_STUDENT, "distill.num_relation_heads=2")
    assert (
        problem == "distill.num_relation_heads: a distillation without relation_kl does not use it; omit it"
    )


def test_a_general_student_goes_on_with_its_maps(
    text: Path, tiny_encoder: Path, general: Path, tmp_path: Path
) -> None:
    again = distilled(text, tiny_encoder, tmp_path / "again", "--student", str(general), "train.num_steps=1")
    before, after = metrics_of(general)["held_out"], metrics_of(again)["first_held_out"]
    assert float(str(after["loss"])) == pytest.approx(float(str(before["loss"])), rel=0.05)


def test_guessed_words_are_counted_by_their_masks(tiny_encoder: Path) -> None:
    """Batches of one mask and of three weigh one and three, whatever their lengths."""
    masks = iter([[1], [1, 2, 3]])

    class FixedMasks:
        def __call__(self, ids: torch.Tensor, continues: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            chosen = torch.zeros_like(ids, dtype=torch.bool)
            chosen[0, next(masks)] = True
            return ids, chosen

    def terms(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"hard": torch.tensor(2.0), "hidden_state_mse": torch.tensor(3.0)}

    objective = GeneralObjective(terms, FixedMasks())  # type: ignore[arg-type]
    model = AutoModelForMaskedLM.from_config(easy.make_config())
    ids = torch.ones((1, 9), dtype=torch.int64)
    batch = {"input_ids": ids, "attention_mask": ids, "continues": torch.zeros_like(ids)}
    for count in (1, 3):
        found = {
            name: (float(total), number) for name, (total, number) in objective.held_out(model, batch).items()
        }
        assert found == {"masked_lm": (2.0 * count, count), "hidden_state_mse": (27.0, 9.0)}


def test_a_missing_teacher_is_named() -> None:
    assert "teacher.path is missing" in problems()[0]


def test_masks_need_a_teacher_with_a_mask_token(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = easy.save_encoder(tmp_path / "teacher")
    tokenizer = easy.make_tokenizer()
    tokenizer.mask_token = None
    tokenizer.save_pretrained(teacher)
    said = refused(
        *(capsys, "distill", text, "--task", "general", "--teacher", teacher, "--out", tmp_path / "run"),
        *(*easy.NARROW_STUDENT, *FAST, "distill.losses={hidden_state_mse: 1, masked_lm: 1}"),
    )
    assert "no mask token" in said
