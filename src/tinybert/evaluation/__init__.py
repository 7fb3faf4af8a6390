"""The evaluators and scores of models; reports and their pictures."""

from tinybert.evaluation.blocks import BlocksEvaluator
from tinybert.evaluation.rows import RowsEvaluator
from tinybert.evaluation.scores import (
    latencies_ms,
    retention,
    row_latencies_ms,
    score_checkpoint,
    score_outputs,
)

__all__ = [
    "BlocksEvaluator",
    "RowsEvaluator",
    "latencies_ms",
    "retention",
    "row_latencies_ms",
    "score_checkpoint",
    "score_outputs",
]
