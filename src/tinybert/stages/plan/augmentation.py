"""What augmentation lacks, reported before anything is read."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedConfig

from tinybert.augmentation import BUILTIN, WordNet, needs
from tinybert.config import AugmentSection, Recipe
from tinybert.errors import DataError, RecipeError
from tinybert.language import Language
from tinybert.lookup import nearest
from tinybert.models import load_config
from tinybert.models.masked_lm import has_masked_lm_head
from tinybert.stages.plan.teacher import TeacherPlan
from tinybert.tasks import Task


def augment_problems(
    section: AugmentSection, *, model: PreTrainedConfig | None, has_embeddings: bool
) -> list[str]:
    """Return why copies cannot be made, one line each.

    Args:
        section: The recipe's.
        model: Config of ``augment.model``; None where it is not set.
        has_embeddings: A teacher's embeddings may serve as word vectors.
    """
    method = section.method
    if method not in BUILTIN and ":" not in method:
        allowed = ", ".join(BUILTIN)
        hint = nearest(method, BUILTIN)
        return [
            f"augment.method = {method!r}: unknown augmentation{hint} (allowed: {allowed}; or "
            "package.module:attr)"
        ]
    languages: list[Language] = ["en", "other"] if section.language == "auto" else [section.language]
    wanted = frozenset.intersection(*(needs(method, language) for language in languages))
    problems = _unread(section, frozenset.union(*(needs(method, language) for language in languages)))
    if "filler" in wanted and model is None:
        problems.append(
            f"augment.model is missing: method {method} asks a masked language model for words; give one, or "
            "train one on raw text: tinybert pretrain TEXT --model bundled:minilm --out runs/filler; or set "
            "augment.method=neighbours or synonyms"
        )
    elif "filler" in wanted and model is not None and not has_masked_lm_head(model):
        problems.append(
            f"augment.model = {section.model}: has no masked-LM head, so it cannot fill in words; train one: "
            f"tinybert pretrain TEXT --model {section.model} --out runs/filler"
        )
    elif "vectors" in wanted and not (section.word_vectors or model is not None or has_embeddings):
        problems.append(
            f"augment.word_vectors is missing: method {method} needs a file of word vectors, or a model "
            "whose embeddings it may use (augment.model, or a teacher)"
        )
    if section.word_vectors is not None and not Path(section.word_vectors).expanduser().is_file():
        problems.append(f"augment.word_vectors = {section.word_vectors}: no such file")
    if "wordnet" in wanted:
        try:
            WordNet(section.wordnet)
        except DataError as error:
            problems += [f"augment.wordnet: {problem}" for problem in error.problems]
    return problems


def _unread(section: AugmentSection, needed: frozenset[str]) -> list[str]:
    """Return which settings this method does not use."""
    default, given = AugmentSection(), section.method
    read = {
        "model": "filler" in needed or ("vectors" in needed and section.word_vectors is None),
        "word_vectors": "vectors" in needed,
        "wordnet": "wordnet" in needed,
        "num_candidates": bool(needed),
        "probability": given in BUILTIN,
    }
    return [
        f"augment.{name}: method {given} does not use it; omit it"
        for name, is_read in read.items()
        if not is_read and getattr(section, name) != getattr(default, name)
    ]


def check_augment(recipe: Recipe, task: Task, teacher: TeacherPlan | None) -> None:
    """Say what augmentation lacks.

    Raises:
        RecipeError: All problems.
        ModelError: There is no such masked language model.
    """
    section = recipe.augment
    model = None if section.model is None else load_config(section.model)
    asks = teacher is not None and teacher.kind != "file"
    problems = augment_problems(section, model=model, has_embeddings=asks)
    if teacher is not None and not asks:
        problems.append(
            "augment.copies: a file of soft labels has none for copies; give a model as the teacher"
        )
    if section.max_shift is not None and not asks:
        problems.append("augment.max_shift: needs a teacher to ask")
    if section.max_shift is not None and task.probabilities is None:
        problems.append(f"augment.max_shift: compares the probabilities of classes; {task.name} has none")
    if problems:
        raise RecipeError("recipe", problems)


def models_of_augment(section: AugmentSection) -> dict[str, str]:
    """Return what a method reads besides the rows: name → path."""
    named = {
        "augment_model": section.model,
        "word_vectors": section.word_vectors,
        "wordnet": section.wordnet,
    }
    return {name: str(path) for name, path in named.items() if path is not None}
