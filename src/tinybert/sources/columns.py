"""Usual names of columns and splits."""

from __future__ import annotations

SOURCE_ROW = "source_row"
"""Column of augmented files: which row a row is, or is a copy of."""

TEXT_NAMES = (
    *("text", "sentence", "sentence1", "sentence_a", "text1", "text_a", "content", "review", "premise"),
    *("question", "question1", "query", "utterance", "comment", "tweet", "message", "phrase", "document"),
    *("comment_text", "review_text", "reviewtext", "review_body", "full_text"),
    *("文本", "文本1", "句子", "句子1", "内容", "正文", "评论", "评价", "问题"),
)

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "unlabelled": "unlabelled",
    "unlabeled": "unlabelled",
}
"""How a split may be called → what it is."""
