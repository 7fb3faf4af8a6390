"""A setting that is silently ignored is a bug: each field of the recipe is read by some stage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import easy

from tinybert.config import Recipe, build_recipe, dump_recipe
from tinybert.config.recipe import Section
from tinybert.errors import TinyBertError
from tinybert.stages.augment import augment
from tinybert.stages.pipeline import make_plan, run_recipe

Read = set[str]


def all_fields(section: type[Section] = Recipe) -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield f"{section.__name__}.{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from all_fields(field.annotation)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Collect the fields that are read from now on."""
    fields, seen = frozenset(all_fields()), set[str]()

    def record(self: Section, name: str) -> object:
        key = f"{type(self).__name__}.{name}"
        if key in fields:
            seen.add(key)
        return object.__getattribute__(self, name)

    monkeypatch.setattr(Section, "__getattribute__", record, raising=False)
    return seen


def test_writing_a_recipe_down_reads_no_field(read: Read) -> None:
    recipe = build_recipe({}, ["train.seed=3"])
    dump_recipe(recipe)
    recipe.model_copy(update={"baseline": False})
    assert read == set()
    assert recipe.train.seed == 3
    assert read == {"Recipe.train", "TrainSection.seed"}


def test_every_field_is_read_by_a_stage(
    read: Read, tmp_path: Path, tiny_encoder: Path, tiny_teacher: Path
) -> None:
    rows = easy.write_splits(tmp_path / "rows", easy.make_splits(train=32))
    common = {"data": {"path": str(rows)}}
    fast = [*easy.FAST, "train.num_epochs=1"]
    run_recipe(
        build_recipe({**common, "stage": "finetune", "model": str(tiny_encoder)}, fast), tmp_path / "finetune"
    )
    in_two_phases = [
        "distill.phases=two",
        "distill.intermediate_num_epochs=1",
        "teacher.num_epochs=1",
        "distill.losses={relation_kl: 1, kl_divergence: 1, hard: 1}",
        "baseline=false",
    ]
    run_recipe(
        build_recipe(
            {**common, "teacher": {"path": str(tiny_encoder)}}, [*easy.TINY_STUDENT, *fast, *in_two_phases]
        ),
        tmp_path / "distill",
    )
    copies = ["augment.copies=1", "augment.method=neighbours", "augment.max_shift=0.9"]
    build = build_recipe(
        {**common, "teacher": {"path": str(tiny_teacher)}}, [*easy.TINY_STUDENT, *fast, *copies]
    )
    run_recipe(build, tmp_path / "from a classifier")
    text = {"data": {"path": str(easy.write_documents(tmp_path / "text.txt", 60))}}
    steps = ["train.batch_size=16", "train.precision=fp32", "train.num_steps=2", "data.max_length=32"]
    pretrain = {"stage": "pretrain", "model": str(tiny_encoder)}
    run_recipe(build_recipe({**text, **pretrain}, [*steps, "train.eval_steps=1"]), tmp_path / "pretrain")
    general = {"task": "general", "teacher": {"path": str(tiny_encoder)}}
    run_recipe(build_recipe({**text, **general}, [*steps, *easy.NARROW_STUDENT]), tmp_path / "general")
    only = {"stage": "augment", **common}
    synonyms = build_recipe(only, ["augment.method=synonyms", f"augment.wordnet={tmp_path}"])
    with pytest.raises(TinyBertError):  # no WordNet there
        make_plan(synonyms)
    augment(make_plan(build_recipe(only, ["augment.method=swap"])), tmp_path / "copies.jsonl")
    assert set(all_fields()) - read == set()
