"""Recipes: what a run shall do, validated before anything loads."""

from tinybert.config.overrides import build_recipe, dump_recipe, load_recipe
from tinybert.config.recipe import (
    AugmentSection,
    CorpusSection,
    DataSection,
    DistillSection,
    PretrainSection,
    Recipe,
    StudentSection,
    TeacherSection,
    TrainSection,
)

__all__ = [
    "AugmentSection",
    "CorpusSection",
    "DataSection",
    "DistillSection",
    "PretrainSection",
    "Recipe",
    "StudentSection",
    "TeacherSection",
    "TrainSection",
    "build_recipe",
    "dump_recipe",
    "load_recipe",
]
