"""Usual names of columns."""

from __future__ import annotations

SOURCE_ROW = "source_row"
"""Column of augmented files: which row a row is, or is a copy of."""

TEXT_NAMES = (
    *("text", "sentence", "sentence1", "sentence_a", "text1", "text_a", "content", "review", "premise"),
    *("question", "question1", "query", "utterance", "comment", "tweet", "message", "phrase", "document"),
)
