"""The pages of recipe keys are what the recipe generates, in both languages."""

from __future__ import annotations

from pathlib import Path

from tinybert.config import Recipe
from tinybert.config.reference import ENGLISH, TOP, load_wording, reference, sections_of

DOCS = Path(__file__).parents[3] / "docs"
CHINESE = DOCS / "zh" / "reference.yaml"


def test_the_english_page_is_what_is_generated() -> None:
    assert (DOCS / "reference.md").read_text(encoding="utf-8") == reference(), "give `make docs`"


def test_the_chinese_page_is_what_is_generated() -> None:
    page = (DOCS / "zh" / "reference.md").read_text(encoding="utf-8")
    assert page == reference(load_wording(CHINESE)), "give `make docs`"


def test_each_key_and_section_has_its_chinese_text() -> None:
    wording, sections = load_wording(CHINESE), sections_of(Recipe())
    keys = [key.name for each in sections.values() for key in each]
    lacking = [name for name in keys if name not in wording.keys]
    assert not lacking, f"{CHINESE} lacks {', '.join(lacking)}"
    assert set(wording.keys) == set(keys), "texts of keys that are gone"
    assert set(wording.sections) == set(sections)


def test_each_key_has_a_description() -> None:
    keys = [key for each in sections_of(Recipe()).values() for key in each]
    assert [key.name for key in keys if not key.field.description] == []


def test_a_row_shows_default_limits_and_meaning() -> None:
    page = reference()
    assert "| `train.warmup_ratio` | `0.1` | number, ≥ 0, < 1 | share of steps spent warming up |" in page
    assert "| `student.layer_map` | `auto` | text or list of: whole number |" in page
    assert "| `data.max_train_rows` | – | whole number, ≥ 1 |" in page


def test_text_of_another_language_replaces_the_recipe_s_own() -> None:
    wording = ENGLISH.model_copy(
        update={"kinds": {"text": "Text"}, "keys": {"task": "Aufgabe | Ziel"}, "sections": {TOP: "Alles"}}
    )
    page = reference(wording)
    assert "| `task` | `classification` | Text | Aufgabe \\| Ziel |" in page
    assert "\n\nAlles\n\n" in page
    assert "what the run does" in page  # a key without a text keeps the recipe's
