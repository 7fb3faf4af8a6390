from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from tinybert.cli import main
from tinybert.errors import RecipeError
from tinybert.sources.bundled import BUILTIN
from tinybert.stages.demo import LANGUAGES, Language, Teacher, demo_folder, demo_recipe

READ = [(teacher, language) for teacher, languages in LANGUAGES.items() for language in languages]


@pytest.mark.parametrize(("teacher", "language"), READ)
@pytest.mark.parametrize("quick", [True, False])
def test_a_demo_is_a_recipe_on_bundled_things(teacher: Teacher, language: Language, quick: bool) -> None:
    recipe = demo_recipe(quick=quick, teacher=teacher, language=language)
    assert recipe.teacher.path == f"bundled:{teacher}"
    assert recipe.data.path == {"en": "bundled:movie-reviews", "zh": "bundled:reviews-zh"}[language]
    assert {recipe.teacher.path, recipe.data.path} <= set(BUILTIN)


@pytest.mark.parametrize(("teacher", "language"), sorted({*product(LANGUAGES, get_args(Language))} - {*READ}))
def test_a_teacher_that_does_not_read_the_language_is_refused(teacher: Teacher, language: Language) -> None:
    with pytest.raises(RecipeError, match=f"{teacher} does not read --language {language}; use --teacher e5"):
        demo_recipe(quick=True, teacher=teacher, language=language)


def test_the_language_chooses_the_teacher_and_all_are_offered() -> None:
    assert demo_recipe(quick=False) == demo_recipe(quick=False, teacher="minilm", language="en")
    assert demo_recipe(quick=False, language="zh") == demo_recipe(quick=False, teacher="e5", language="zh")
    assert set(LANGUAGES) == set(get_args(Teacher))


def test_the_default_demo_shows_what_text_without_labels_brings() -> None:
    data = demo_recipe(quick=False).data
    assert data.max_labelled_rows is not None
    assert data.max_train_rows is not None
    assert 3 * data.max_labelled_rows <= data.max_train_rows
    assert demo_recipe(quick=True).data.max_labelled_rows is None


def test_every_demo_has_a_folder_of_its_own() -> None:
    cases = list(product((True, False), (None, *get_args(Teacher)), get_args(Language)))
    folders = [
        str(demo_folder(quick=quick, teacher=name, language=language)) for quick, name, language in cases
    ]
    assert "runs/demo" in folders
    assert "runs/demo-zh-quick" in folders
    assert "runs/demo-mpnet" in folders
    same = 4  # the default teacher, named or not, of two languages, quick or not
    assert len(set(folders)) == len(folders) - same


@pytest.mark.network
def test_the_command_knows_the_language(capsys: pytest.CaptureFixture[str]) -> None:
    main(["demo", "--language", "zh", "--quick", "--dry-run"])
    assert "path: bundled:e5" in capsys.readouterr().out


def test_the_command_knows_the_names() -> None:
    for words in (["--teacher", "mpnet", "--language", "zh"], ["--teacher", "bert"]):
        with pytest.raises(SystemExit) as stopped:
            main(["demo", "--dry-run", *words])
        assert stopped.value.code == 2
