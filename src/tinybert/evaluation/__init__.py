"""Scores, retention, the report and its pictures."""

from tinybert.evaluation.blocks import BlocksEvaluator
from tinybert.evaluation.learning_curve import draw_learning_curve
from tinybert.evaluation.report import plain_table, table_rows, write_report
from tinybert.evaluation.rows import RowsEvaluator
from tinybert.evaluation.scores import latencies_ms, retention, score_checkpoint
from tinybert.evaluation.text_report import text_table, write_text_report

__all__ = [
    "BlocksEvaluator",
    "RowsEvaluator",
    "draw_learning_curve",
    "latencies_ms",
    "plain_table",
    "retention",
    "score_checkpoint",
    "table_rows",
    "text_table",
    "write_report",
    "write_text_report",
]
