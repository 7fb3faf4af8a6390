"""The contract of a baseline."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinybert.stages.steps.student import Trained
from tinybert.storage import Json


@dataclass(frozen=True)
class Compared:
    """A model that the student is compared with.

    Attributes:
        description: A sentence on how it was made.
        trained: Its checkpoint and the summary of its training; None where it is no checkpoint.
        row: What ``metrics.json`` holds of it; empty where its checkpoint is scored beside the student's.
    """

    description: str
    trained: Trained | None = None
    row: Json = field(default_factory=dict[str, object])
