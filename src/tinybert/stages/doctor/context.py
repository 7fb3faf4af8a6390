"""What the doctor's checks look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from tinybert.data import TextData
from tinybert.stages.doctor.finding import Finding
from tinybert.stages.plan.distillation import DistillPlan
from tinybert.stages.steps.prepare import Encoded
from tinybert.stages.steps.trimming import Trimmed


@dataclass(frozen=True)
class Context:
    """A distillation before it is trained.

    Attributes:
        plan: Of the distillation.
        data: Its rows.
        encoded: The same as the student reads them.
        is_teacher_new: The teacher was fine-tuned in this very run.
        trimmed: What was trimmed of its vocabulary, if anything.
    """

    plan: DistillPlan
    data: TextData
    encoded: Encoded
    is_teacher_new: bool = False
    trimmed: Trimmed | None = None

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The student's."""
        return self.encoded.tokenizer


Check = Callable[[Context], list[Finding]]
