"""A setting that is silently ignored is a bug: each field of the recipe is read by some stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, get_args

import pytest
from tests import easy, tokens, writing

from tinybert.config import Recipe, build_recipe, dump_recipe, settings
from tinybert.config.recipe import Section, StageName
from tinybert.config.settings import SECTIONS
from tinybert.errors import ModelError, TinyBertError
from tinybert.stages import STAGES
from tinybert.stages.pipeline import run_recipe
from tinybert.stages.stage import is_below
from tinybert.tasks import BUILTIN as TASKS

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


def key_of(name: str) -> str:
    """Return the class and the field of a setting: ``TrainSection.seed`` of ``train.seed``."""
    section, dot, field = name.partition(".")
    return f"{type(getattr(Recipe(), section)).__name__}.{field}" if dot else f"Recipe.{name}"


def test_every_setting_is_read_by_some_stage() -> None:
    assert set(get_args(StageName)) == set(STAGES)
    assert [stage.name for stage in STAGES.values()] == [*STAGES]
    every = [name for stage in STAGES.values() for name in stage.reads]
    assert [name for name in settings(Recipe()) if not is_below(name, [*every, "stage"])] == []
    known = [*settings(Recipe()), *SECTIONS]
    assert [name for name in every if name not in known] == []


def recipes_of(folder: Path, encoder: Path, teacher: Path) -> Iterator[Recipe]:
    """Yield recipes of every stage, which between them use every setting that their stage reads."""
    rows = {"data": {"path": str(easy.write_splits(folder / "rows", easy.make_splits(train=32)))}}
    text = {"data": {"path": str(easy.write_documents(folder / "text.txt", 60))}}
    fast = [*easy.FAST, "train.num_epochs=1"]
    steps = ["train.batch_size=16", "train.precision=fp32", "train.num_steps=2", "data.max_length=32"]
    taught = {**rows, "teacher": {"path": str(teacher)}}
    two = [
        "distill.phases=two",
        "distill.intermediate_num_epochs=1",
        "teacher.num_epochs=1",
        "distill.losses={relation_kl: 1, kl_divergence: 1, hard: 1}",
        "baseline=false",
    ]
    copies = ["augment.copies=1", "augment.method=neighbours", "augment.max_shift=0.9"]
    yield build_recipe(
        {**text, "stage": "tokenizer", "tokenizer": {"vocab_size": 40}}, ["corpus.min_chars=1"]
    )
    yield build_recipe({**text, "stage": "trim", "model": str(teacher)})
    yield build_recipe({**text, "stage": "pretrain", "model": str(encoder)}, [*steps, "train.eval_steps=1"])
    general = {"stage": "general", "teacher": {"path": str(encoder)}}
    yield build_recipe({**text, **general}, [*steps, *easy.NARROW_STUDENT])
    masked = "distill.losses={hidden_state_mse: 1, masked_lm: 1}"
    yield build_recipe({**text, **general}, [*steps, *easy.NARROW_STUDENT, masked])
    yield build_recipe({**rows, "stage": "finetune", "model": str(encoder)}, fast)
    entities = tokens.make_splits(tokens.make_entity_rows, train=32)
    tags = {"data": {"path": str(easy.write_splits(folder / "tags", entities))}, "task": "ner"}
    yield build_recipe({**tags, "stage": "finetune", "model": str(encoder)}, fast)
    texts = {
        "data": {"path": str(writing.write_splits(folder / "texts", train=32))},
        "task": "seq2seq",
    }
    short = ["generation.max_new_tokens=6", "generation.num_beams=2", *fast]
    yield build_recipe({**texts, "stage": "finetune", "model": str(encoder)}, short)
    pair = str(writing.save_pair(folder / "pair"))
    learner = [*easy.TINY_STUDENT, "student.num_decoder_layers=1", "teacher.check=false", "baseline=false"]
    yield build_recipe({**texts, "teacher": {"path": pair}}, [*learner, *short])
    yield build_recipe({**rows, "teacher": {"path": str(encoder)}}, [*easy.TINY_STUDENT, *fast, *two])
    yield build_recipe(taught, [*easy.TINY_STUDENT, *fast, *copies])
    yield build_recipe({**taught, "stage": "augment"}, [*copies, "augment.processes=1"])
    filler = f"augment.model={folder / '2.jsonl'}"  # the third recipe's run
    yield build_recipe({**rows, "stage": "augment"}, ["augment.copies=1", filler])
    wordnet = ["augment.method=synonyms", f"augment.wordnet={folder}"]
    yield build_recipe({**rows, "stage": "augment"}, wordnet)  # no WordNet there
    yield build_recipe({**rows, "stage": "export", "model": str(teacher)})
    yield build_recipe({**rows, "stage": "bench", "bench": {"runs": [str(teacher)]}})


def test_every_stage_reads_what_it_says_that_it_reads(
    read: Read, tmp_path: Path, tiny_encoder: Path, tiny_teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> NoReturn:
        raise ModelError("here", "all is read")

    monkeypatch.setattr("tinybert.stages.export.export_checkpoint", stop)
    monkeypatch.setattr("tinybert.stages.bench.measure_all", stop)
    seen: dict[str, Read] = {}
    for number, recipe in enumerate(recipes_of(tmp_path, tiny_encoder, tiny_teacher)):
        stage = recipe.stage
        out = None if stage in ("export", "bench") else tmp_path / f"{number}.jsonl"
        read.clear()
        with suppress(TinyBertError):
            run_recipe(recipe, out)
        seen.setdefault(stage, set()).update(read)
    of_tasks = {f"data.{name}" for task in TASKS.values() for name in task.format.settings}
    assert all(key_of(name) in seen["finetune"] for name in of_tasks)  # where the task reads them
    for name, stage in STAGES.items():
        said = [each for each in settings(Recipe()) if is_below(each, stage.reads) and each not in of_tasks]
        assert [each for each in said if key_of(each) not in seen[name]] == [], name
