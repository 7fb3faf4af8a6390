"""Recipes: what a run shall do, validated before anything loads."""

from tinybert.config.overrides import build_recipe, dump_recipe, load_recipe
from tinybert.config.recipe import (
    GENERAL,
    NO_GROUP,
    STAGES_AS_TASKS,
    AugmentSection,
    CorpusSection,
    DataSection,
    GenerationSection,
    PretrainSection,
    Recipe,
    TeacherSection,
    TrainSection,
)
from tinybert.config.settings import (
    changed_settings,
    given_settings,
    make_recipe,
    settings,
    with_settings,
)

__all__ = [
    "GENERAL",
    "NO_GROUP",
    "STAGES_AS_TASKS",
    "AugmentSection",
    "CorpusSection",
    "DataSection",
    "GenerationSection",
    "PretrainSection",
    "Recipe",
    "TeacherSection",
    "TrainSection",
    "build_recipe",
    "changed_settings",
    "dump_recipe",
    "given_settings",
    "load_recipe",
    "make_recipe",
    "settings",
    "with_settings",
]
