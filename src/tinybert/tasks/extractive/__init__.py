"""Summaries of a document's own sentences: rows (``rows``), and what becomes of the scores (``task``)."""

from tinybert.tasks.extractive.prediction import ExtractedSummary, Sentence
from tinybert.tasks.extractive.task import EXTRACTIVE

__all__ = ["EXTRACTIVE", "ExtractedSummary", "Sentence"]
