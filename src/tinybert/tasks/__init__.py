"""What a task is: which losses teach it, how scores become answers, what is measured.

To add one, write a file with a frozen ``Task`` and add a line to ``BUILTIN``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinybert.errors import ModelError
from tinybert.tasks.classification import CLASSIFICATION
from tinybert.tasks.multilabel import MULTILABEL
from tinybert.tasks.regression import REGRESSION
from tinybert.tasks.task import Answer, HardLoss, LabelKind, ProblemType, Task

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

BUILTIN: dict[str, Task] = {
    "classification": CLASSIFICATION,
    "multilabel": MULTILABEL,
    "regression": REGRESSION,
}


def task_of_config(config: PreTrainedConfig) -> Task:
    """Say which task a saved classifier was trained for.

    Args:
        config: Its config. Without a ``problem_type``, one output means regression and several mean
            classification, as in transformers.

    Raises:
        ModelError: ``problem_type`` is none that a task here has.
    """
    problem_type = config.problem_type
    if problem_type is None:
        return REGRESSION if config.num_labels == 1 else CLASSIFICATION
    for task in BUILTIN.values():
        if task.problem_type == problem_type:
            return task
    allowed = ", ".join(task.problem_type for task in BUILTIN.values())
    raise ModelError("config.json", f"problem_type = {problem_type!r}; allowed: {allowed}")


__all__ = ["BUILTIN", "Answer", "HardLoss", "LabelKind", "ProblemType", "Task", "task_of_config"]
