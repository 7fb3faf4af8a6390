"""Whether a distillation can trim its vocabulary, read from configs and tokenizers alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tinybert.config import Recipe
from tinybert.errors import ModelError, RecipeError
from tinybert.models import load_config, load_tokenizer
from tinybert.models.families import FAMILIES
from tinybert.models.tokenizers import same_tokenizer
from tinybert.models.trim import refuse_other_tokenizers
from tinybert.stages.plan.teacher import TeacherPlan

TEXT = "vocabulary_text"
"""The setting of ``student``, and the input of a run, with more text whose pieces are kept."""


def trims(recipe: Recipe) -> bool:
    """Return whether a recipe's vocabulary is trimmed."""
    return recipe.student.vocabulary == "trim"


def describe_vocabulary(recipe: Recipe) -> str:
    """Return how the vocabulary is trimmed, as a comment above a recipe; nothing where it is kept."""
    if not trims(recipe):
        return ""
    copies = " and their copies" if recipe.augment.copies else ""
    text = recipe.student.vocabulary_text
    more = f" and of {text}" if text else ""
    return f"# vocabulary: trimmed to the pieces of the training rows{copies}{more}, before all else\n"


def check_trimming(recipe: Recipe, source: str, teacher: TeacherPlan, *, before: str | None) -> None:
    """Say early that a vocabulary which is to be trimmed cannot be.

    Args:
        recipe: The recipe.
        source: Where the student's vocabulary comes from.
        teacher: Who teaches.
        before: What the baseline is cut from, where it is cut from weights.

    Raises:
        RecipeError: All problems.
    """
    if not trims(recipe):
        return
    text, problems = recipe.student.vocabulary_text, list[str]()
    if text is not None and not Path(text).expanduser().exists():
        problems.append(f"student.{TEXT} = {text}: no such file or folder")
    if recipe.augment.copies and recipe.augment.max_shift is not None and teacher.kind == "encoder":
        problems.append(
            "augment.max_shift: asks the teacher about copies, but with student.vocabulary=trim a teacher is "
            "fine-tuned after the copies, whose pieces it keeps; fine-tune it first with `tinybert finetune`"
        )
    models = [source] if teacher.kind == "file" else [source, teacher.path]
    problems += [f"student.vocabulary = 'trim': {problem}" for problem in _untrimmable(models)]
    has_baseline = bool({"auto", "fine_tune_only"} & set(recipe.baseline))
    if has_baseline and before is not None and _reads_otherwise(before, source):
        name = "student.source" if recipe.student.source else "teacher.pretrained"
        problems.append(
            f"{name} = {before}: has another tokenizer than {source}, so the baseline cannot be trimmed like "
            f"the student; give what {source} was fine-tuned from, or set baseline=tfidf"
        )
    if problems:
        raise RecipeError("recipe", problems)


def _reads_otherwise(name: str, other: str) -> bool:
    return not same_tokenizer(load_tokenizer(name), load_tokenizer(other))


def _untrimmable(models: Iterable[str]) -> list[str]:
    """Return what keeps the first of some models, and those with its tokenizer, from being trimmed."""
    names = list(dict.fromkeys(models))
    tokenizers = [load_tokenizer(name) for name in names]
    problems: list[str] = []
    for name, tokenizer in zip(names, tokenizers, strict=True):
        if (
            same_tokenizer(tokenizers[0], tokenizer)
            and (kind := load_config(name).model_type) not in FAMILIES
        ):
            problems.append(f"{name}: where model_type {kind} keeps its vocabulary is not known")
    try:
        refuse_other_tokenizers(tokenizers[0], names[0])
    except ModelError as error:
        problems.append(str(error))
    return problems
