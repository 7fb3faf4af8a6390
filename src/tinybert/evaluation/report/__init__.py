"""Reports and their pictures: of a run on labelled rows, of one on raw text, of a comparison of speeds."""

from tinybert.evaluation.report.cautions import cautions
from tinybert.evaluation.report.layout import markdown_table, plain_table
from tinybert.evaluation.report.learning_curve import draw_learning_curve
from tinybert.evaluation.report.raw_text import text_report, text_table
from tinybert.evaluation.report.run import run_report, shares_kept, table_rows
from tinybert.evaluation.report.verdicts import verdicts

__all__ = [
    "cautions",
    "draw_learning_curve",
    "markdown_table",
    "plain_table",
    "run_report",
    "shares_kept",
    "table_rows",
    "text_report",
    "text_table",
    "verdicts",
]
