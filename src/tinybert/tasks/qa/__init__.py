"""Questions over a text: what a row is (``rows``), what becomes of the scores (``task``)."""

from tinybert.tasks.qa.prediction import FoundAnswer, Span
from tinybert.tasks.qa.task import QA

__all__ = ["QA", "FoundAnswer", "Span"]
