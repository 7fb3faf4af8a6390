"""Recipes: what a run shall do, validated before anything loads."""

from tinybert.config.overrides import build_recipe, dump_recipe, load_recipe
from tinybert.config.recipe import (
    DataSection,
    DistillSection,
    Recipe,
    StudentSection,
    TeacherSection,
    TrainSection,
)

__all__ = [
    "DataSection",
    "DistillSection",
    "Recipe",
    "StudentSection",
    "TeacherSection",
    "TrainSection",
    "build_recipe",
    "dump_recipe",
    "load_recipe",
]
