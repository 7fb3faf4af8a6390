"""The doctor: what goes wrong silently elsewhere is checked before training, and reported with its fix."""

from __future__ import annotations

from tinybert.stages.doctor.balance import check_balance
from tinybert.stages.doctor.context import Check, Context
from tinybert.stages.doctor.disk import check_disk
from tinybert.stages.doctor.finding import Finding, report_findings
from tinybert.stages.doctor.labels import check_labels
from tinybert.stages.doctor.layers import check_layers
from tinybert.stages.doctor.leakage import check_leakage
from tinybert.stages.doctor.lengths import check_lengths
from tinybert.stages.doctor.memory import check_memory
from tinybert.stages.doctor.teacher import check_teacher
from tinybert.stages.doctor.time import check_time
from tinybert.stages.doctor.tokenizers import check_tokenizers
from tinybert.stages.doctor.vocabulary import check_vocabulary

CHECKS: dict[str, Check] = {
    "labels": check_labels,
    "tokenizers": check_tokenizers,
    "vocabulary": check_vocabulary,
    "layers": check_layers,
    "lengths": check_lengths,
    "balance": check_balance,
    "leakage": check_leakage,
    "memory": check_memory,
    "disk": check_disk,
}
"""Subject → check; these need no weights."""

CHECKS_OF_MODELS: dict[str, Check] = {"teacher": check_teacher, "time": check_time}
"""Subject → check; these load models, once nothing else stops."""

__all__ = [
    "CHECKS",
    "CHECKS_OF_MODELS",
    "Check",
    "Context",
    "Finding",
    "check_teacher",
    "report_findings",
]
