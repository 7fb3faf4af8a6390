"""The evaluators and scores of models; reports and their pictures."""

from tinybert.evaluation.blocks import BlocksEvaluator
from tinybert.evaluation.rows import RowsEvaluator
from tinybert.evaluation.scores import (
    MIN_GAIN,
    gain_kept,
    is_above_chance,
    is_above_constant,
    latencies_ms,
    retention,
    row_latencies_ms,
    score_checkpoint,
    score_outputs,
)
from tinybert.evaluation.written import WrittenEvaluator

__all__ = [
    "MIN_GAIN",
    "BlocksEvaluator",
    "RowsEvaluator",
    "WrittenEvaluator",
    "gain_kept",
    "is_above_chance",
    "is_above_constant",
    "latencies_ms",
    "retention",
    "row_latencies_ms",
    "score_checkpoint",
    "score_outputs",
]
