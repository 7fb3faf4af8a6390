"""What a task is: which losses teach it, how scores become answers, what is measured.

To add one, write a file with a frozen ``Task`` and add a line to ``BUILTIN``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinybert.errors import ModelError
from tinybert.models.head import head_kind
from tinybert.tasks.classification import CLASSIFICATION
from tinybert.tasks.multilabel import MULTILABEL
from tinybert.tasks.ner import NER
from tinybert.tasks.qa import QA
from tinybert.tasks.regression import REGRESSION
from tinybert.tasks.task import (
    Answer,
    AnyAnswer,
    Entities,
    Entity,
    FoundAnswer,
    HardLoss,
    Outputs,
    ProblemType,
    Span,
    Task,
)

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

BUILTIN: dict[str, Task] = {
    "classification": CLASSIFICATION,
    "multilabel": MULTILABEL,
    "regression": REGRESSION,
    "ner": NER,
    "qa": QA,
}


def task_of_config(config: PreTrainedConfig) -> Task:
    """Say which task a saved classifier was trained for.

    Args:
        config: Its config. The head says whether tokens are answered. Without a ``problem_type``, one output
            means regression and several mean classification, as in transformers.

    Raises:
        ModelError: ``problem_type`` is none that a task here has.
    """
    if head_kind(config) in ("token", "question"):
        return NER if head_kind(config) == "token" else QA
    problem_type = config.problem_type
    if problem_type is None:
        return REGRESSION if config.num_labels == 1 else CLASSIFICATION
    for task in BUILTIN.values():
        if task.problem_type == problem_type:
            return task
    allowed = ", ".join(task.problem_type for task in BUILTIN.values() if task.problem_type)
    raise ModelError("config.json", f"problem_type = {problem_type!r}; allowed: {allowed}")


__all__ = [
    "BUILTIN",
    "Answer",
    "AnyAnswer",
    "Entities",
    "Entity",
    "FoundAnswer",
    "HardLoss",
    "Outputs",
    "ProblemType",
    "Span",
    "Task",
    "task_of_config",
]
