"""Texts written from texts: what a row is (``rows``), how texts are scored (``task``)."""

from tinybert.tasks.seq2seq.prediction import WrittenText
from tinybert.tasks.seq2seq.task import SEQ2SEQ_TASK

__all__ = ["SEQ2SEQ_TASK", "WrittenText"]
