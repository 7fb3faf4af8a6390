"""A recipe as a flat list of settings, by their dotted names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pydantic import BaseModel

from tinybert.config.recipe import Recipe

Settings = dict[str, object]
"""Dotted name → value."""


def settings(recipe: Recipe) -> Settings:
    """Return every setting.

    Example:
        >>> settings(Recipe())["train.batch_size"]
        32
    """
    return _flat(recipe.model_dump())


def changed_settings(recipe: Recipe) -> list[str]:
    """Return the names of the settings that are not at their defaults."""
    default = settings(Recipe())
    return [name for name, value in settings(recipe).items() if value != default[name]]


def given_settings(recipe: Recipe) -> Settings:
    """Return the settings that were given, or decided since; the others have their defaults.

    Example:
        >>> given_settings(Recipe(task="ner"))
        {'task': 'ner'}
    """
    return _flat(recipe.model_dump(exclude_unset=True))


def make_recipe(values: Mapping[str, object]) -> Recipe:
    """Return the recipe in which just these settings are given: dotted name → value.

    Example:
        >>> make_recipe({"train.seed": 3}).train.seed
        3
    """
    tree: dict[str, object] = {}
    for name, value in values.items():
        section, dot, field = name.partition(".")
        cast(Settings, tree.setdefault(section, {}) if dot else tree)[field or section] = value
    return Recipe.model_validate(tree)


def with_settings(recipe: Recipe, changes: Mapping[str, object]) -> Recipe:
    """Return the recipe with some settings decided.

    Example:
        >>> with_settings(Recipe(), {"train.num_epochs": 3}).train.num_epochs
        3
    """
    update: dict[str, object] = {}
    for name, value in changes.items():
        section, dot, field = name.partition(".")
        if dot:
            before = update.get(section) or getattr(recipe, section)
            update[section] = cast(BaseModel, before).model_copy(update={field: value})
        else:
            update[name] = value
    return recipe.model_copy(update=update)


def _flat(tree: Mapping[str, object]) -> Settings:
    flat: Settings = {}
    for key, value in tree.items():
        section = cast(Settings, value) if key in SECTIONS else {"": value}
        flat |= {f"{key}.{field}" if field else key: each for field, each in section.items()}
    return flat


SECTIONS = [name for name, value in Recipe().model_dump().items() if isinstance(value, dict)]
