"""What the student is compared with: models that cost less, one file each, and the table of them."""

from __future__ import annotations

from collections.abc import Callable

from tinybert.stages.steps.baselines.compared import Compared
from tinybert.stages.steps.baselines.fine_tune_only import fine_tune_only
from tinybert.stages.steps.baselines.tfidf import tfidf
from tinybert.stages.steps.distillation import Distillation
from tinybert.storage import Json

BUILTIN: dict[str, Callable[[Distillation, Json], Compared | None]] = {
    "fine_tune_only": fine_tune_only,
    "tfidf": tfidf,
}
"""Name → ``(distillation, summary of the student's training) -> model``; None where no row has a label."""

__all__ = ["BUILTIN", "Compared"]
