"""The evaluators, scores, and the report with its pictures."""

from tinybert.evaluation.blocks import BlocksEvaluator
from tinybert.evaluation.report import (
    draw_learning_curve,
    markdown_table,
    plain_table,
    run_report,
    table_rows,
    text_report,
    text_table,
)
from tinybert.evaluation.rows import RowsEvaluator
from tinybert.evaluation.scores import latencies_ms, retention, score_checkpoint, score_outputs

__all__ = [
    "BlocksEvaluator",
    "RowsEvaluator",
    "draw_learning_curve",
    "latencies_ms",
    "markdown_table",
    "plain_table",
    "retention",
    "run_report",
    "score_checkpoint",
    "score_outputs",
    "table_rows",
    "text_report",
    "text_table",
]
