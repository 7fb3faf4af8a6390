"""What a task is: its rows, its losses, and what becomes of a model's scores.

To add one, write a file or a folder with a frozen ``Task`` and its row format, and add a line to ``BUILTIN``.
A task of the user's own is named by ``package.module:attr``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from pydantic import ValidationError

from tinybert.config import DataSection
from tinybert.errors import ModelError, RecipeError
from tinybert.lookup import find
from tinybert.models.head import NOTES, SEQUENCE, head_of
from tinybert.tasks.class_weights import ClassWeights, class_weights
from tinybert.tasks.classification import CLASSIFICATION
from tinybert.tasks.extractive import EXTRACTIVE, ExtractedSummary
from tinybert.tasks.multilabel import MULTILABEL
from tinybert.tasks.ner import NER, Entities
from tinybert.tasks.prediction import Prediction, TextPrediction
from tinybert.tasks.qa import QA, FoundAnswer
from tinybert.tasks.regression import REGRESSION
from tinybert.tasks.seq2seq import SEQ2SEQ_TASK, WrittenText
from tinybert.tasks.task import BatchLoss, HardLoss, Outputs, Task
from tinybert.tasks.text_dataset import TextDataset

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

BUILTIN: dict[str, Task] = {
    "classification": CLASSIFICATION,
    "multilabel": MULTILABEL,
    "regression": REGRESSION,
    "ner": NER,
    "qa": QA,
    "extractive": EXTRACTIVE,
    "seq2seq": SEQ2SEQ_TASK,
}


def find_task(name: str | Task) -> Task:
    """Return a task by its name, or the one that ``package.module:attr`` names, whose code is run.

    Raises:
        RecipeError: There is no such task.
    """
    found = cast(object, find(BUILTIN, name, kind="task") if isinstance(name, str) else name)
    if not isinstance(found, Task):
        raise RecipeError(str(name), f"a {type(found).__name__}, not a tinybert.tasks.Task")
    return found


def own_task(name: str) -> str | None:
    """Return the name of a task of the user's own; None for a built-in one, which a checkpoint knows."""
    return None if name in BUILTIN else name


def notes_of(config: PreTrainedConfig) -> dict[str, object]:
    """Return what a run of ours keeps in its model's config; empty for any other checkpoint."""
    notes = getattr(config, NOTES, None)
    return cast("dict[str, object]", notes) if isinstance(notes, dict) else {}


def task_of_config(config: PreTrainedConfig, *, named: str | Task | None = None) -> Task:
    """Return the task that a saved model was trained for; its format reads rows as in that training.

    Args:
        config: Its config. The head says whether tokens are labelled. Without a ``problem_type``, one output
            means regression and several mean classification, as in transformers.
        named: The task, where the user names it; only then code of a task of their own is run.

    Raises:
        ModelError: No task has such a model, or it is one of the user's own and is not named; or what the
            config says of its rows is damaged.
        RecipeError: There is no task of this name.
    """
    task = _task_of(config, named)
    notes = notes_of(config)
    kept = {name: notes[name] for name in task.format.kept if name in notes}
    try:
        section = DataSection.model_validate(kept)
        task = task if isinstance(named, Task) else task.with_notes(notes)
    except ValidationError as error:
        fault = error.errors()[0]
        raise ModelError(
            "config.json", f"{NOTES}.{fault['loc'][0]} = {fault['input']!r:.60}: {fault['msg']}"
        ) from error
    return replace(task, format=task.format.configured(section)) if kept else task


def _task_of(config: PreTrainedConfig, named: str | Task | None) -> Task:
    head = head_of(config) or SEQUENCE
    if named is not None:
        task = find_task(named)
        if task.head != head:
            raise ModelError("config.json", f"the model has not the head of the task {task.name}")
        return task
    own = notes_of(config).get("task")
    if own in BUILTIN:
        return BUILTIN[cast(str, own)]
    if own is not None:
        raise ModelError(
            "config.json",
            f"was trained for the task {own}, code of its own; to run that: --task {own}",
        )
    for task in BUILTIN.values():
        if task.head == head and task.matches is not None and task.matches(config):
            return task
    allowed = ", ".join(task.problem_type for task in BUILTIN.values() if task.problem_type)
    raise ModelError("config.json", f"problem_type = {config.problem_type!r}; allowed: {allowed}")


__all__ = [
    "BUILTIN",
    "NOTES",
    "BatchLoss",
    "ClassWeights",
    "Entities",
    "ExtractedSummary",
    "FoundAnswer",
    "HardLoss",
    "Outputs",
    "Prediction",
    "Task",
    "TextDataset",
    "TextPrediction",
    "WrittenText",
    "class_weights",
    "find_task",
    "notes_of",
    "own_task",
    "task_of_config",
]
