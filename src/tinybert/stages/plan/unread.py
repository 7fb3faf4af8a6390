"""Settings that a stage never reads are refused: silence would look like obedience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from tinybert.config import Recipe
from tinybert.errors import RecipeError

NO_PARTS: Mapping[str, Sequence[str]] = {}


def refuse_unread(
    recipe: Recipe,
    keys: Sequence[str],
    parts: Mapping[str, Sequence[str]] = NO_PARTS,
    *,
    by: str | None = None,
) -> None:
    """Refuse settings that are not at their defaults and not read.

    Args:
        recipe: As the user gave it.
        keys: Names of the recipe's sections and fields that are not read.
        parts: Section → its fields that are not read.
        by: What reads the recipe; its stage when not given.

    Raises:
        RecipeError: There are some; all are listed.
    """
    given, default = _leaves(recipe), _leaves(Recipe())
    unread = {*keys, *(f"{section}.{field}" for section, fields in parts.items() for field in fields)}
    changed = [
        name for name in given if given[name] != default[name] and {name, name.partition(".")[0]} & unread
    ]
    if changed:
        raise RecipeError(
            "recipe",
            [f"{name}: not read by {by or f'stage {recipe.stage}'}; leave it out" for name in changed],
        )


def refuse_relation_heads(recipe: Recipe, losses: Mapping[str, float]) -> None:
    """Refuse a number of relation heads where no loss compares relations; a loss of the user's own may."""
    if not any(name == "relation_kl" or ":" in name for name in losses):
        refuse_unread(recipe, [], {"distill": ["num_relation_heads"]}, by="losses without relation_kl")


def _leaves(recipe: Recipe) -> dict[str, object]:
    """Return every setting by its dotted name."""
    leaves: dict[str, object] = {}
    for key, value in recipe.model_dump().items():
        section = cast(dict[str, object], value) if isinstance(value, dict) else {"": value}
        leaves |= {f"{key}.{field}" if field else key: each for field, each in section.items()}
    return leaves
