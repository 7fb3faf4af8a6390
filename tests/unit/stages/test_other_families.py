"""Teachers of families whose layers are not known here: they teach by their predictions alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests import easy, tokens
from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForTokenClassification,
    DebertaV2Config,
    ModernBertConfig,
    PreTrainedConfig,
)

from tinybert import predict
from tinybert.config import build_recipe
from tinybert.errors import RecipeError
from tinybert.models import load_config
from tinybert.stages.pipeline import run_recipe

NUM_PIECES = len(tokens.WORDS) + 5
SIZES = {name: easy.SIZE[name] for name in ("hidden_size", "num_attention_heads", "intermediate_size")}
CONFIGS = {
    "deberta-v2": DebertaV2Config(
        **SIZES, num_hidden_layers=2, vocab_size=NUM_PIECES, max_position_embeddings=64, type_vocab_size=0
    ),
    "modernbert": ModernBertConfig(
        **SIZES,
        num_hidden_layers=2,
        vocab_size=NUM_PIECES,
        max_position_embeddings=64,
        **{f"{name}_token_id": index for name, index in (("pad", 0), ("cls", 2), ("sep", 3))},
        bos_token_id=2,
        eos_token_id=3,
    ),
}
TASKS = {
    "ner": (AutoModelForTokenClassification, tokens.TAGS, tokens.make_entity_rows),
    "qa": (AutoModelForQuestionAnswering, tokens.QUESTION_LABELS, tokens.make_question_rows),
}


def save_teacher(folder: Path, config: PreTrainedConfig, task: str) -> Path:
    auto, labels, _ = TASKS[task]
    config.num_labels = len(labels)
    config.id2label = dict(enumerate(labels))
    config.label2id = {name: index for index, name in enumerate(labels)}
    torch.manual_seed(0)
    return tokens.save(auto.from_config(config), folder)


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("task", TASKS)
def test_a_teacher_of_another_family_teaches_by_predictions(tmp_path: Path, family: str, task: str) -> None:
    teacher = save_teacher(tmp_path / "teacher", CONFIGS[family], task)
    settings = ["train.num_epochs=1", "baseline=false", "data.max_length=64"]
    recipe = build_recipe(
        {"task": task, "teacher": {"path": str(teacher)}}, [*easy.TINY_STUDENT, *easy.FAST, *settings]
    )
    splits = tokens.make_splits(TASKS[task][2], train=32, validation=16, test=16)
    run = run_recipe(recipe, tmp_path / "run", source=splits)
    assert run.recipe.student.start == "random"
    assert not any("hidden" in name or "attention" in name for name in run.recipe.distill.losses)
    assert load_config(run.path).model_type == "bert"
    text = {"qa": {"question": "which colour", "context": "bab colour red"}}.get(task, "bab mister ada")
    assert len(predict(run.path, [text])) == 1


def test_a_checkpoint_of_another_family_is_refused_as_a_student_with_the_shapes_there_are(
    tmp_path: Path, tiny_teacher: Path
) -> None:
    other = save_teacher(tmp_path / "other", CONFIGS["deberta-v2"], "ner")
    recipe = build_recipe(
        {"teacher": {"path": str(tiny_teacher)}, "student": {"shape": str(other)}}, ["baseline=false"]
    )
    with pytest.raises(RecipeError, match=r"of family deberta-v2, which cannot be .*take a named shape \("):
        run_recipe(recipe, tmp_path / "run", source=easy.make_splits())
